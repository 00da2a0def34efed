// model: down through the layers: gradients of activations only, the weights being frozen. dx is the gradient
// of the residual stream in float32, `low` its copy as operand of the next product.
#include "model/pass.hpp"

namespace headsweep::llama {

LayerEdit Pass::edit_backward(int layer, const LayerTape& tape, const at::Tensor& dx,
                              at::Tensor& outputs_gradient) const {
  const LayerEdit& edit = edits_.layers.at(layer);
  const at::Tensor active = active_at(layer);
  const at::Tensor lanes = edit_of_lane(edits_, edit);
  at::Tensor dgate = at::empty_like(tape.gate);
  const std::int64_t width = tape.outputs.size(2), hidden = dx.size(2);
  ops::run(kernels::EditBackward{.dx = ops::data<float>(dx),
                                 .doutputs = ops::data(outputs_gradient),
                                 .read = ops::data<float>(edit.read),
                                 .write = ops::data<float>(edit.write),
                                 .edit_of_lane = ops::data<std::int32_t>(lanes),
                                 .active = ops::data<float>(active),
                                 .dgate = ops::data<float>(dgate),
                                 .n = dgate.numel(),
                                 .tokens = dx.size(1),
                                 .width = width,
                                 .hidden = hidden},
           outputs_gradient.scalar_type(), dx.device());
  LayerEdit gradient{.lanes = edit.lanes, .read = {}, .write = ops::weighted_sum(tape.gate, dx, edit.lanes)};
  if (edit.read.defined()) gradient.read = ops::weighted_sum(dgate, tape.outputs, edit.lanes);
  return gradient;
}

void Pass::attend_backward(int layer, const LayerTape& tape, const at::Tensor& outputs_gradient,
                           at::Tensor& dx, at::Tensor& low) const {
  const at::Tensor& matrix = layer_of(weights_, layer).qkv;
  const bool trim = is_last(layer);
  const at::Tensor asking = trim ? batch_.kept : at::Tensor();
  JoinedHeads joined = join_heads(weights_, {dx.size(0), batch_.tokens}, asking);
  attention_.backward(tape.heads, trim ? Asking::kept : Asking::all, tape.outputs, tape.attention,
                      outputs_gradient, joined.split(weights_.config));
  rotate_heads(weights_, rotation_, asking, -1, joined);
  at::Tensor normed_gradient;
  if (trim) {
    const std::int64_t width = weights_.config.width();
    normed_gradient = ops::product_backward(joined.rest, matrix.narrow(0, width, matrix.size(0) - width));
    ops::add_rows(normed_gradient, 1, batch_.kept,
                  ops::product_backward(joined.queries, matrix.narrow(0, 0, width)));
    const at::Tensor all = at::zeros(normed_gradient.sizes(), dx.options());
    ops::put_rows(all, 1, batch_.kept, dx);
    dx = all;
  } else {
    normed_gradient = ops::product_backward(joined.rest, matrix);
  }
  low = ops::norm_backward(normed_gradient, tape.before_heads, dx);
}

LaneEdits Pass::backward(std::vector<LayerTape>& tapes, const ops::Normed& final,
                         const at::Tensor& gradient) {
  LaneEdits gradients{.lanes = edits_.lanes, .layers = {}};
  at::Tensor dx = at::zeros(gradient.sizes(), gradient.options().dtype(at::kFloat));
  at::Tensor low = ops::norm_backward(gradient, final, dx);
  const int first = edits_.first_layer(weights_.config.layers);
  for (int layer = weights_.config.layers - 1; layer >= first; --layer) {
    LayerTape& tape = tapes[static_cast<std::size_t>(layer)];
    const LayerWeights& matrices = layer_of(weights_, layer);
    const at::Tensor inner = ops::product_backward(low, matrices.down);
    if (layer == first) {
      gradients.layers[layer] = part_backward(layer, tape, inner, dx);
      break;
    }
    ops::swiglu_backward(tape.gate_up, inner);
    low = ops::norm_backward(ops::product_backward(tape.gate_up, matrices.gate_up), tape.before_mlp, dx);
    at::Tensor outputs_gradient = ops::product_backward(low, matrices.o);
    if (edits_.layers.count(layer) > 0)
      gradients.layers[layer] = edit_backward(layer, tape, dx, outputs_gradient);
    attend_backward(layer, tape, outputs_gradient, dx, low);
    tape = {};
  }
  return gradients;
}

}  // namespace headsweep::llama
