// model: attention inside token trees.
#include "model/attention.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/ops.hpp"

namespace headsweep::llama {
namespace {

kernels::TreeLayout layout_of(const TokenBatch& batch, Asking asking) {
  const bool all = asking == Asking::all;
  return {.tree_begin = batch.clump_begin.data(),
          .start = batch.start.data(),
          .middle = batch.middle.data(),
          .middle_end = batch.middle_end.data(),
          .own = batch.own.data(),
          .query = all ? nullptr : batch.kept_rows.data(),
          .query_begin = all ? batch.clump_begin.data() : batch.kept_begin.data(),
          .trees = batch.clumps(),
          .tokens = batch.tokens,
          .queries = all ? batch.tokens : static_cast<std::int64_t>(batch.kept_rows.size()),
          .longest = batch.longest};
}

kernels::AttentionForward fused(const ModelConfig& config, const TokenBatch& batch, const Heads& heads,
                                Asking asking) {
  return {.layout = layout_of(batch, asking),
          .queries = ops::data(heads.queries),
          .keys = ops::data(heads.keys),
          .values = ops::data(heads.values),
          .outputs = nullptr,
          .lse = nullptr,
          .lanes = heads.queries.size(0),
          .heads = config.heads,
          .kv_heads = config.kv_heads,
          .width = config.head_dim,
          .query_stride = heads.queries.stride(1),
          .stride = heads.keys.stride(1)};
}

}  // namespace

std::int64_t slots_of(const TokenBatch& batch) { return (batch.longest + 7) / 8 * 8; }

Padded pad(const TokenBatch& batch, Asking asking) {
  const bool all = asking == Asking::all;
  const std::vector<std::int32_t>& begin = all ? batch.clump_begin : batch.kept_begin;
  const std::int64_t slots = slots_of(batch), count = begin.back(), squares = batch.clumps() * slots;
  std::vector<std::int32_t> numbers(static_cast<std::size_t>(6 * squares + count),
                                    0);  // one copy to the device
  std::int32_t *token = numbers.data(), *early = token + squares, *middle = early + squares,
               *middle_end = middle + squares, *own = middle_end + squares, *last = own + squares,
               *slot = last + squares;
  std::fill(last, slot, -1);
  for (std::int32_t clump = 0; clump < batch.clumps(); ++clump) {
    const auto at = static_cast<std::size_t>(clump);
    const std::int64_t first = clump * slots;
    std::fill_n(token + first, slots, std::min<std::int32_t>(begin[at], begin.back() - 1));
    for (std::int32_t i = begin[at]; i < begin[at + 1]; ++i) {
      const auto place = static_cast<std::size_t>(all ? i : batch.kept_rows[static_cast<std::size_t>(i)]);
      const std::int32_t index = static_cast<std::int32_t>(place) - batch.clump_begin[at];
      const std::int64_t to = first + index;
      slot[i] = static_cast<std::int32_t>(to);
      token[to] = i;
      early[to] = std::min(batch.start[place], index + 1);
      middle[to] = batch.middle[place];
      middle_end[to] = batch.middle_end[place];
      own[to] = batch.own[place];
      last[to] = index;
    }
  }
  const at::Tensor placed = at::tensor(numbers).to(batch.ids.device(), at::kInt, /*non_blocking=*/true);
  const auto sight = [&](std::int64_t part) {
    return placed.narrow(0, part * squares, squares).view({batch.clumps(), slots, 1});
  };
  return {.token = placed.narrow(0, 0, squares),
          .slot = placed.narrow(0, 6 * squares, count),
          .early = sight(1),
          .middle = sight(2),
          .middle_end = sight(3),
          .own = sight(4),
          .last = sight(5)};
}

at::Tensor mask_of(const Padded& padded) {
  const std::int64_t slots = padded.early.size(1);
  const at::Tensor key = at::arange(slots, padded.early.options());
  const auto within = [&](const at::Tensor& begin, const at::Tensor& end) {
    return (key >= begin).logical_and_(key < end);
  };
  const at::Tensor seen = (key < padded.early)
                              .logical_or_(within(padded.middle, padded.middle_end))
                              .logical_or_(within(padded.own, padded.last + 1));
  return at::zeros(seen.sizes(), seen.options().dtype(at::kFloat))
      .masked_fill_(seen.logical_not_(), -std::numeric_limits<float>::infinity());
}

Attention::Attention(const Weights& weights, const TokenBatch& batch)
    : Attention(weights, batch, weights.device().is_cpu() ? Way::fused : Way::padded) {}

Attention::Attention(const Weights& weights, const TokenBatch& batch, Way way)
    : config_(weights.config), batch_(batch), way_(way) {
  if (way_ == Way::fused) return;
  all_ = pad(batch, Asking::all);
  kept_ = pad(batch, Asking::kept);
}

at::Tensor Attention::forward(const Heads& heads, Asking asking, at::Tensor* saved) const {
  return way_ == Way::fused ? forward_fused(heads, asking, saved) : forward_padded(heads, asking, saved);
}

at::Tensor Attention::forward_fused(const Heads& heads, Asking asking, at::Tensor* saved) const {
  const auto lanes = heads.queries.size(0), asked = heads.queries.size(1);
  at::Tensor outputs = ops::empty_rows({lanes, asked, config_.width()}, heads.queries.options());
  kernels::AttentionForward operation = fused(config_, batch_, heads, asking);
  operation.outputs = ops::data(outputs);
  if (saved != nullptr) {
    *saved = at::empty({lanes, asked, config_.heads}, outputs.options().dtype(at::kFloat));
    operation.lse = ops::data<float>(*saved);
  }
  ops::run_on_cpu(operation, outputs.scalar_type());
  return outputs;
}

void Attention::backward(const Heads& heads, Asking asking, const at::Tensor& outputs,
                         const at::Tensor& saved, const at::Tensor& outputs_gradient,
                         const Heads& gradients) const {
  if (way_ == Way::padded) return backward_padded(heads, asking, saved, outputs_gradient, gradients);
  kernels::AttentionBackward operation{.forward = fused(config_, batch_, heads, asking),
                                       .doutputs = ops::data(outputs_gradient),
                                       .dqueries = ops::data(gradients.queries),
                                       .dkeys = ops::data(gradients.keys),
                                       .dvalues = ops::data(gradients.values),
                                       .dquery_stride = gradients.queries.stride(1),
                                       .dstride = gradients.keys.stride(1)};
  operation.forward.outputs = ops::data(outputs);
  operation.forward.lse = ops::data<float>(saved);
  ops::run_on_cpu(operation, outputs.scalar_type());
}

/// [X, n, h*D] -> [X * clumps * H, S, D].
at::Tensor Attention::spread(const at::Tensor& packed, const Padded& padded) const {
  const std::int64_t lanes = packed.size(0), slots = slots_of(batch_), width = config_.head_dim;
  at::Tensor squares = at::empty({lanes * batch_.clumps() * config_.heads, slots, width}, packed.options());
  ops::run(kernels::SpreadHeads{.packed = ops::data(packed),
                                .squares = ops::data(squares),
                                .token = ops::data<std::int32_t>(padded.token),
                                .lanes = lanes,
                                .tokens = packed.size(1),
                                .trees = batch_.clumps(),
                                .slots = slots,
                                .heads = config_.heads,
                                .group = config_.width() / packed.size(2),
                                .width = width,
                                .stride = packed.stride(1)},
           packed.scalar_type(), packed.device());
  return squares;
}

/// The inverse: [X * clumps * h, S, D] -> [X, n, h*D].
void Attention::gather(const at::Tensor& squares, const Padded& padded, const at::Tensor& packed) const {
  ops::run(kernels::GatherHeads{.squares = ops::data(squares),
                                .packed = ops::data(packed),
                                .slot = ops::data<std::int32_t>(padded.slot),
                                .lanes = packed.size(0),
                                .tokens = packed.size(1),
                                .trees = batch_.clumps(),
                                .slots = slots_of(batch_),
                                .heads = packed.size(2) / config_.head_dim,
                                .width = config_.head_dim,
                                .stride = packed.stride(1)},
           packed.scalar_type(), packed.device());
}

Attention::Squares Attention::spread_all(const Heads& heads, Asking asking) const {
  return {spread(heads.queries, padded(asking)), spread(heads.keys, all_), spread(heads.values, all_)};
}

const at::Tensor& Attention::mask(Asking asking) const {
  at::Tensor& mask = asking == Asking::all ? mask_ : kept_mask_;
  if (!mask.defined()) mask = mask_of(padded(asking));
  return mask;
}

at::Tensor Attention::forward_padded(const Heads& heads, Asking asking, at::Tensor* saved) const {
  const Squares squares = spread_all(heads, asking);
  const std::int64_t slots = slots_of(batch_);
  at::Tensor weights = at::bmm(squares.queries, squares.keys.transpose(1, 2));  // [X * clumps * H, S, S]
  ops::run(kernels::MaskedSoftmax{.x = ops::data(weights),
                                  .mask = ops::data<float>(mask(asking)),
                                  .n = weights.numel() / slots,
                                  .width = slots,
                                  .trees = batch_.clumps(),
                                  .repeat = config_.heads,
                                  .cells = slots,
                                  .factor = static_cast<float>(1.0 / std::sqrt(config_.head_dim))},
           weights.scalar_type(), weights.device());
  if (saved != nullptr) *saved = weights;
  const at::Tensor outputs = ops::empty_rows(heads.queries.sizes(), heads.queries.options());
  gather(at::bmm(weights, squares.values), padded(asking), outputs);
  return outputs;
}

void Attention::backward_padded(const Heads& heads, Asking asking, const at::Tensor& weights,
                                const at::Tensor& outputs_gradient, const Heads& gradients) const {
  const Squares squares = spread_all(heads, asking);
  const at::Tensor doutputs = spread(outputs_gradient, padded(asking));
  at::Tensor dscores = at::bmm(doutputs, squares.values.transpose(1, 2));
  ops::run(kernels::SoftmaxBackward{.p = ops::data(weights),
                                    .dp = ops::data(dscores),
                                    .n = weights.numel() / weights.size(2),
                                    .width = weights.size(2),
                                    .factor = static_cast<float>(1.0 / std::sqrt(config_.head_dim))},
           weights.scalar_type(), weights.device());
  const std::int64_t group = config_.heads / config_.kv_heads;
  const auto by_key_head = [&](const at::Tensor& x) {
    return group == 1 ? x : x.unflatten(0, {-1, group}).sum(1);
  };
  gather(at::bmm(dscores, squares.keys), padded(asking), gradients.queries);
  gather(by_key_head(at::bmm(dscores.transpose(1, 2), squares.queries)), all_, gradients.keys);
  gather(by_key_head(at::bmm(weights.transpose(1, 2), doutputs)), all_, gradients.values);
}

}  // namespace headsweep::llama
