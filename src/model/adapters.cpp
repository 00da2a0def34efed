// model: adapters of any rank: forward and backward as products of whole batches of lanes.
#include "model/adapters.hpp"

#include "model/ops.hpp"

namespace headsweep::llama {
namespace {

const std::map<EditTarget, Adapter>* adapters_of(const LaneEdits& edits, int layer) {
  const auto found = edits.adapters.find(layer);
  return found == edits.adapters.end() ? nullptr : &found->second;
}

/// The one of both that has a number for each of the rows; undefined: 1.
at::Tensor active_for(const AdaptedRows& rows, std::int64_t count) {
  return rows.active.defined() && rows.active.size(0) == count ? rows.active : rows.active_asking;
}

void apply(const at::Tensor& active, at::Tensor& gates) {
  if (active.defined()) gates.mul_(active.to(gates.scalar_type()).unsqueeze(1));
}

}  // namespace

LayerAdapters::LayerAdapters(const LaneEdits& edits, int layer, const AdaptedRows& rows)
    : adapters_(adapters_of(edits, layer)), rows_(rows) {}

void LayerAdapters::add(EditTarget target, const at::Tensor& x, const at::Tensor& out, Gates* gates) const {
  if (!has(target)) return;
  const Adapter& adapter = adapters_->at(target);
  if (rows_.slot.defined()) {  // rows that have ended leave their slots empty
    const at::Tensor rows = x.flatten(0, -2);
    const at::Tensor all = at::zeros({rows_.slots, rows.size(1)}, rows.options());
    ops::put_rows(all, 0, rows_.slot, rows);
    const at::Tensor by_lane = all.view({adapter.a.size(0), -1, rows.size(1)});
    const at::Tensor written = at::bmm(at::bmm(by_lane, adapter.a.transpose(1, 2)), adapter.b);
    out.view({rows.size(0), -1}).add_(written.flatten(0, 1).index_select(0, rows_.slot));
    return;
  }
  at::Tensor gate = at::bmm(x, adapter.a.transpose(1, 2));  // [K, n, rank]
  apply(active_for(rows_, x.size(1)), gate);
  out.baddbmm_(gate, adapter.b);
  if (gates != nullptr) gates->emplace(target, std::move(gate));
}

AdapterGradients::AdapterGradients(const LaneEdits& edits, int layer, const AdaptedRows& rows,
                                   const Gates& gates)
    : adapters_(adapters_of(edits, layer)), rows_(rows), gates_(gates) {}

void AdapterGradients::take(EditTarget target, const at::Tensor& x, const at::Tensor& out_gradient,
                            const at::Tensor& x_gradient) {
  if (!has(target)) return;
  const Adapter& adapter = adapters_->at(target);
  at::Tensor dgate = at::bmm(out_gradient, adapter.b.transpose(1, 2));  // [K, n, rank]
  apply(active_for(rows_, x.size(1)), dgate);
  found_[target] = {.a = at::bmm(dgate.transpose(1, 2), x).to(at::kFloat),
                    .b = at::bmm(gates_.at(target).transpose(1, 2), out_gradient).to(at::kFloat)};
  if (x_gradient.defined()) x_gradient.baddbmm_(dgate, adapter.a);
}

}  // namespace headsweep::llama
