// model: down through the layers: gradients of activations only, the weights being frozen, and of what
// is added to them.
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

void Pass::mlp_backward(int layer, LayerTape& tape, const at::Tensor& inner, AdapterGradients& adapters,
                        StreamGradient& stream) const {
  const std::int64_t width = weights_.config.intermediate;
  if (adapters.has(EditTarget::down))
    adapters.take(EditTarget::down, ops::swiglu(tape.gate_up), stream.low, inner);
  ops::swiglu_backward(tape.gate_up, inner);
  const at::Tensor normed_gradient = ops::product_backward(tape.gate_up, layer_of(weights_, layer).gate_up);
  for (const auto& [target, first] : {std::pair{EditTarget::gate, std::int64_t{0}}, {EditTarget::up, width}})
    adapters.take(target, tape.before_mlp.values, tape.gate_up.narrow(2, first, width), normed_gradient);
  stream.low = ops::norm_backward(normed_gradient, tape.before_mlp, stream.dx);
}

void Pass::attend_backward(int layer, const LayerTape& tape, const at::Tensor& outputs_gradient,
                           AdapterGradients& adapters, StreamGradient& stream) const {
  const at::Tensor& matrix = layer_of(weights_, layer).qkv;
  const std::int64_t width = weights_.config.width();
  const bool trim = is_last(layer);
  const at::Tensor asking = trim ? batch_.kept : at::Tensor();
  JoinedHeads joined = join_heads(weights_, {stream.dx.size(0), batch_.tokens}, asking);
  const Heads gradients = joined.split(weights_.config);
  attention_.backward(tape.heads, trim ? Asking::kept : Asking::all, tape.outputs, tape.attention,
                      outputs_gradient, gradients);
  rotate_heads(weights_, rotation_, asking, -1, joined);
  norm_heads_backward(weights_, layer, tape, gradients);
  const at::Tensor& normed = tape.before_heads.values;
  at::Tensor normed_gradient =
      ops::product_backward(joined.rest, trim ? matrix.narrow(0, width, matrix.size(0) - width) : matrix);
  if (trim) {
    const at::Tensor asking_gradient = ops::product_backward(joined.queries, matrix.narrow(0, 0, width));
    if (adapters.has(EditTarget::q))
      adapters.take(EditTarget::q, kept_of(normed), gradients.queries, asking_gradient);
    ops::add_rows(normed_gradient, 1, batch_.kept, asking_gradient);
    const at::Tensor all = at::zeros(normed_gradient.sizes(), stream.dx.options());
    ops::put_rows(all, 1, batch_.kept, stream.dx);
    stream.dx = all;
  } else {
    adapters.take(EditTarget::q, normed, gradients.queries, normed_gradient);
  }
  adapters.take(EditTarget::k, normed, gradients.keys, normed_gradient);
  adapters.take(EditTarget::v, normed, gradients.values, normed_gradient);
  stream.low = ops::norm_backward(normed_gradient, tape.before_heads, stream.dx);
}

LaneEdits Pass::backward(std::vector<LayerTape>& tapes, const ops::Normed& final,
                         const at::Tensor& gradient) {
  LaneEdits gradients{.lanes = edits_.lanes};
  StreamGradient stream{.dx = at::zeros(gradient.sizes(), gradient.options().dtype(at::kFloat)), .low = {}};
  stream.low = ops::norm_backward(gradient, final, stream.dx);
  const int lowest = lowest_edited();
  for (int layer = weights_.config.layers - 1; layer >= lowest; --layer) {
    LayerTape& tape = tapes[static_cast<std::size_t>(layer)];
    const LayerWeights& matrices = layer_of(weights_, layer);
    const at::Tensor inner = ops::product_backward(stream.low, matrices.down);
    if (!edits_.layers.empty() && layer == lowest) {
      gradients.layers[layer] = part_backward(layer, tape, inner, stream.dx);
      break;
    }
    const AdaptedRows rows = adapted_rows(layer);
    AdapterGradients adapters(edits_, layer, rows, tape.gates);
    mlp_backward(layer, tape, inner, adapters, stream);
    at::Tensor outputs_gradient = ops::product_backward(stream.low, matrices.o);
    adapters.take(EditTarget::o, tape.outputs, stream.low, outputs_gradient);
    if (edits_.layers.count(layer) > 0)
      gradients.layers[layer] = edit_backward(layer, tape, stream.dx, outputs_gradient);
    attend_backward(layer, tape, outputs_gradient, adapters, stream);
    if (!adapters.found().empty()) gradients.adapters[layer] = std::move(adapters.found());
    tape = {};
  }
  return gradients;
}

}  // namespace headsweep::llama
