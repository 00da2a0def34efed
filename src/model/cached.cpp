// model: attention of newest tokens to a cache.
#include "model/cached.hpp"

#include <limits>

#include "model/ops.hpp"

namespace headsweep::llama {

at::Tensor attend_fused(const CachedTexts& texts, const LayerCache& cache, const at::Tensor& queries) {
  const ModelConfig& config = texts.config;
  const DecoderRows& rows = texts.rows;
  at::Tensor outputs = ops::empty_rows({rows.count(), config.width()}, queries.options());
  std::vector<std::int32_t> first = rows.first;
  if (cache.prompt_keys.size(0) > 1)
    for (std::size_t row = 0; row < first.size(); ++row) first[row] += rows.lane[row] * texts.prompts.tokens;
  ops::run_on_cpu(kernels::CachedAttention{.queries = ops::data(queries),
                                           .prompt_keys = ops::data(cache.prompt_keys),
                                           .prompt_values = ops::data(cache.prompt_values),
                                           .keys = ops::data(cache.keys),
                                           .values = ops::data(cache.values),
                                           .outputs = ops::data(outputs),
                                           .first = first.data(),
                                           .length = rows.length.data(),
                                           .slot = rows.slot.data(),
                                           .n = rows.count(),
                                           .generated = texts.generated,
                                           .room = cache.keys.size(1),
                                           .heads = config.heads,
                                           .kv_heads = config.kv_heads,
                                           .width = config.head_dim,
                                           .query_stride = queries.stride(0),
                                           .prompt_stride = cache.prompt_keys.stride(1)},
                  queries.scalar_type());
  return outputs;
}

at::Tensor attend_gathered(const CachedTexts& texts, const LayerCache& cache, const at::Tensor& queries) {
  const ModelConfig& config = texts.config;
  const DecoderRows& rows = texts.rows;
  const std::int64_t count = rows.count(), longest = texts.prompts.longest, tokens = texts.generated;
  const std::int64_t group = config.heads / config.kv_heads;
  const auto options = rows.slots.options();
  const at::Tensor length = at::tensor(rows.length).to(options), column = at::arange(longest, options);
  const at::Tensor missing = column >= length.unsqueeze(1);  // [n, S]
  at::Tensor token = (at::tensor(rows.first).to(options).unsqueeze(1) + column).masked_fill(missing, 0);
  if (cache.prompt_keys.size(0) > 1)
    token = token + (at::tensor(rows.lane).to(options) * std::int64_t{texts.prompts.tokens}).unsqueeze(1);
  const auto gather = [&](const at::Tensor& prompt, const at::Tensor& own) {  // [n, H, S + tokens, D]
    const at::Tensor before = prompt.reshape({-1, prompt.size(2)}).index_select(0, token.flatten());
    const at::Tensor after = own.index_select(0, rows.slots).narrow(1, 0, tokens);
    return at::cat({before.view({count, longest, -1}), after}, 1)
        .unflatten(2, {config.kv_heads, config.head_dim})
        .transpose(1, 2)
        .repeat_interleave(group, 1);
  };
  const at::Tensor mask = at::zeros({count, 1, 1, longest + tokens}, queries.options());
  mask.narrow(3, 0, longest)
      .masked_fill_(missing.view({count, 1, 1, -1}), -std::numeric_limits<float>::infinity());
  return at::scaled_dot_product_attention(queries.reshape({count, config.heads, 1, config.head_dim}),
                                          gather(cache.prompt_keys, cache.keys),
                                          gather(cache.prompt_values, cache.values), mask)
      .reshape({count, config.width()});
}

}  // namespace headsweep::llama
