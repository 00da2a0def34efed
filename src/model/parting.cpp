// model: the first edited layer, where the lanes part. The residual stream there is r0 + gate * write with
// one r0 for all lanes, so that the MLP's first product is W r0 once, and W write, one row a lane; the
// gradient of r's norm follows from <write, r0>.
#include "model/pass.hpp"

namespace headsweep::llama {
namespace {

/// Rows of all lanes, 0 where a lane is not edited: [K, ..].
at::Tensor spread(const LaneEdits& edits, const LayerEdit& edit, const at::Tensor& rows) {
  if (!edit.lanes.defined()) return rows;
  return at::zeros({edits.lanes, rows.size(1)}, rows.options()).index_copy_(0, edit.lanes, rows);
}
at::Tensor lanes_of(const LayerEdit& edit, const at::Tensor& rows) {
  return edit.lanes.defined() ? rows.index_select(0, edit.lanes) : rows;
}

/// <rows[k, t], write[k]>: [K, Q].
at::Tensor project_on(const at::Tensor& rows, const at::Tensor& write) {
  return at::bmm(rows, write.unsqueeze(2)).squeeze(2);
}

}  // namespace

at::Tensor Pass::part(int layer, const at::Tensor& outputs, Stream& stream, LayerTape* tape) const {
  const LayerWeights& matrices = layer_of(weights_, layer);
  const LayerEdit& edit = edits_.layers.at(layer);
  const at::Tensor active = active_at(layer);
  const at::Tensor residual = stream.x[0];
  const std::int64_t lanes = edits_.lanes, rows = residual.size(0), inner = weights_.config.intermediate;
  const at::Tensor gates = edit.read.defined() ? at::matmul(edit.read, outputs[0].to(at::kFloat).t()) * active
                                               : active.expand({edit.write.size(0), -1});
  const at::Tensor gate = spread(edits_, edit, gates).contiguous();
  Parting parting{.residual = residual, .write = spread(edits_, edit, edit.write).contiguous()};
  stream.x = at::addcmul(residual.unsqueeze(0), gate.unsqueeze(2), parting.write.unsqueeze(1));
  // Of r itself: a sum of |r0|^2, <write, r0> and |write|^2 would cancel where an edit cancels the residual.
  const at::Tensor squares = at::linalg_vector_norm(stream.x, 2, -1).square();
  parting.scale = at::rsqrt(squares / residual.size(1) + weights_.config.norm_eps);
  parting.shared = ops::product(residual.to(weights_.number), matrices.gate_up);
  parting.own = ops::product(parting.write.to(weights_.number), matrices.gate_up);
  const at::Tensor act = ops::empty_rows({lanes, rows, inner}, parting.shared.options());
  ops::run(kernels::CollapsedForward{.shared = ops::data(parting.shared),
                                     .own = ops::data(parting.own),
                                     .gate = ops::data<float>(gate),
                                     .scale = ops::data<float>(parting.scale),
                                     .out = ops::data(act),
                                     .lanes = lanes,
                                     .tokens = rows,
                                     .width = inner},
           weights_.number, act.device());
  stream.added = ops::product(act, matrices.down);
  if (tape == nullptr) return gate;
  parting.along = at::matmul(parting.write, residual.t());
  parting.square = parting.write.square().sum(1, true);
  tape->parting = std::move(parting);
  return gate;
}

LayerEdit Pass::part_backward(int layer, const LayerTape& tape, const at::Tensor& inner_gradient,
                              const at::Tensor& dx) const {
  const LayerEdit& edit = edits_.layers.at(layer);
  const Parting& parting = tape.parting;
  const at::Tensor& gate = tape.gate;  // [K, Q]
  at::Tensor dgate = at::empty_like(gate), dscale = at::empty_like(gate);
  at::Tensor down = at::empty(parting.own.sizes(), gate.options());
  ops::run(kernels::CollapsedBackward{.shared = ops::data(parting.shared),
                                      .own = ops::data(parting.own),
                                      .dout = ops::data(inner_gradient),
                                      .gate = ops::data<float>(gate),
                                      .scale = ops::data<float>(parting.scale),
                                      .dgate = ops::data<float>(dgate),
                                      .dscale = ops::data<float>(dscale),
                                      .down = ops::data<float>(down),
                                      .lanes = gate.size(0),
                                      .tokens = gate.size(1),
                                      .width = weights_.config.intermediate},
           weights_.number, gate.device());
  // scale = (squares / E + eps)^(-1/2), squares = |r0|^2 + 2 gate <write, r0> + gate^2 |write|^2.
  const at::Tensor dsquares =
      dscale * parting.scale.pow(3) * (-0.5 / static_cast<double>(parting.residual.size(1)));
  dgate += project_on(dx, parting.write) + 2 * dsquares * (parting.along + gate * parting.square);
  at::Tensor dwrite =
      ops::product_backward(down.to(weights_.number), layer_of(weights_, layer).gate_up).to(at::kFloat);
  dwrite += ops::weighted_sum(gate, dx, {}) + at::matmul(2 * dsquares * gate, parting.residual) +
            2 * (dsquares * gate.square()).sum(1, true) * parting.write;
  LayerEdit gradient{.lanes = edit.lanes, .read = {}, .write = lanes_of(edit, dwrite)};
  if (edit.read.defined())
    gradient.read = at::matmul(lanes_of(edit, dgate) * active_at(layer), tape.outputs[0].to(at::kFloat));
  return gradient;
}

}  // namespace headsweep::llama
