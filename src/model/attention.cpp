// model: attention inside token trees.
#include "model/attention.hpp"

#include <cmath>
#include <limits>

#include "model/ops.hpp"

namespace headsweep::llama {
namespace {

kernels::TreeLayout layout_of(const TokenBatch& batch, Asking asking) {
  const bool all = asking == Asking::all;
  return {.tree_begin = batch.tree_begin.data(),
          .prompt = batch.prompt.data(),
          .own = batch.own.data(),
          .query = all ? nullptr : batch.kept_rows.data(),
          .query_begin = all ? batch.tree_begin.data() : batch.kept_begin.data(),
          .trees = batch.trees,
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

Padded pad(const TokenBatch& batch) {
  const auto trees = batch.trees, longest = batch.longest;
  const at::Device device = batch.ids.device();
  const at::Tensor begin = at::tensor(batch.tree_begin).to(device, at::kLong);
  const auto options = batch.ids.options();
  Padded padded;
  padded.slot = at::arange(batch.tokens, options) - begin.index_select(0, batch.tree) + batch.tree * longest;
  padded.kept_slot = padded.slot.index_select(0, batch.kept);
  const auto spread = [&](const std::vector<std::int32_t>& values) {  // [trees, S, 1]
    return at::zeros({std::int64_t{trees} * longest}, options)
        .index_copy_(0, padded.slot, at::tensor(values).to(device, at::kLong))
        .view({trees, longest, 1});
  };
  const at::Tensor key = at::arange(longest, options), query = key.unsqueeze(1);
  const at::Tensor seen =
      (key <= query).logical_and((key < spread(batch.prompt)).logical_or(key >= spread(batch.own)));
  padded.mask = at::zeros({trees, longest, longest}, options.dtype(at::kFloat))
                    .masked_fill_(seen.logical_not(), -std::numeric_limits<float>::infinity());
  padded.mask.diagonal(0, 1, 2).zero_();
  return padded;
}

Attention::Attention(const Weights& weights, const TokenBatch& batch)
    : Attention(weights, batch, weights.device().is_cpu() ? Way::fused : Way::padded) {}

Attention::Attention(const Weights& weights, const TokenBatch& batch, Way way)
    : config_(weights.config), batch_(batch), way_(way) {
  if (way_ == Way::padded) padded_ = pad(batch);
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

/// [X, n, h*D] -> [X * trees, h, S, D], zeros where there is no token.
at::Tensor Attention::unpack(const at::Tensor& rows, const at::Tensor& slots, std::int64_t heads) const {
  const std::int64_t lanes = rows.size(0), longest = batch_.longest;
  return at::zeros({lanes, batch_.trees * longest, rows.size(2)}, rows.options())
      .index_copy_(1, slots, rows)
      .view({lanes * batch_.trees, longest, heads, config_.head_dim})
      .transpose(1, 2);
}

/// The inverse for the tokens at `slots`.
at::Tensor Attention::pack_rows(const at::Tensor& padded, const at::Tensor& slots) const {
  const std::int64_t slots_in_all = std::int64_t{batch_.trees} * batch_.longest;
  return padded.transpose(1, 2)
      .reshape({-1, slots_in_all, padded.size(1) * padded.size(3)})
      .index_select(1, slots);
}

at::Tensor Attention::forward_padded(const Heads& heads, Asking asking, at::Tensor* saved) const {
  const std::int64_t group = config_.heads / config_.kv_heads, longest = batch_.longest;
  const at::Tensor queries = unpack(heads.queries, slots(asking), config_.heads);
  const at::Tensor keys = unpack(heads.keys, padded_.slot, config_.kv_heads).repeat_interleave(group, 1);
  const at::Tensor values = unpack(heads.values, padded_.slot, config_.kv_heads).repeat_interleave(group, 1);
  at::Tensor weights = at::matmul(queries, keys.transpose(2, 3)).contiguous();  // [X * trees, H, S, S]
  ops::run(kernels::MaskedSoftmax{.x = ops::data(weights),
                                  .mask = ops::data<float>(padded_.mask),
                                  .n = weights.numel() / longest,
                                  .width = longest,
                                  .trees = batch_.trees,
                                  .repeat = config_.heads,
                                  .cells = longest,
                                  .factor = static_cast<float>(1.0 / std::sqrt(config_.head_dim))},
           weights.scalar_type(), weights.device());
  if (saved != nullptr) *saved = weights;
  return pack_rows(at::matmul(weights, values), slots(asking)).contiguous();
}

void Attention::backward_padded(const Heads& heads, Asking asking, const at::Tensor& weights,
                                const at::Tensor& outputs_gradient, const Heads& gradients) const {
  const std::int64_t group = config_.heads / config_.kv_heads, longest = batch_.longest;
  const at::Tensor queries = unpack(heads.queries, slots(asking), config_.heads);
  const at::Tensor keys = unpack(heads.keys, padded_.slot, config_.kv_heads).repeat_interleave(group, 1);
  const at::Tensor values = unpack(heads.values, padded_.slot, config_.kv_heads).repeat_interleave(group, 1);
  const at::Tensor doutputs = unpack(outputs_gradient, slots(asking), config_.heads);
  at::Tensor dscores = at::matmul(doutputs, values.transpose(2, 3)).contiguous();
  ops::run(kernels::SoftmaxBackward{.p = ops::data(weights),
                                    .dp = ops::data(dscores),
                                    .n = weights.numel() / longest,
                                    .width = longest,
                                    .factor = static_cast<float>(1.0 / std::sqrt(config_.head_dim))},
           weights.scalar_type(), weights.device());
  const auto by_group = [&](const at::Tensor& x) { return x.unflatten(1, {config_.kv_heads, group}).sum(2); };
  gradients.queries.copy_(pack_rows(at::matmul(dscores, keys), slots(asking)));
  gradients.keys.copy_(pack_rows(by_group(at::matmul(dscores.transpose(2, 3), queries)), padded_.slot));
  gradients.values.copy_(pack_rows(by_group(at::matmul(weights.transpose(2, 3), doutputs)), padded_.slot));
}

}  // namespace headsweep::llama
