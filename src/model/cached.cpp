// model: attention of newest tokens to a cache.
#include "model/cached.hpp"

#include <algorithm>

#include "model/ops.hpp"

namespace headsweep::llama {

DecoderRows DecoderRows::select(const at::Tensor& rows) const {
  DecoderRows chosen;
  for (auto part : {&DecoderRows::lane, &DecoderRows::slot, &DecoderRows::length, &DecoderRows::first,
                    &DecoderRows::first_of_lane, &DecoderRows::start, &DecoderRows::start_of_lane,
                    &DecoderRows::position})
    chosen.*part = (this->*part).index_select(0, rows);
  return chosen;
}

int longest_prompt(const TokenBatch& prompts) {
  return prompts.shared + *std::max_element(prompts.prompt_tokens.begin(), prompts.prompt_tokens.end());
}

at::Tensor attend(const CachedTexts& texts, const LayerCache& cache, const at::Tensor& queries) {
  const ModelConfig& config = texts.config;
  const DecoderRows& rows = texts.rows;
  const at::Tensor outputs = ops::empty_rows({rows.count(), config.width()}, queries.options());
  const bool by_lane = cache.prompt_keys.size(0) > 1;
  const at::Tensor &first = by_lane ? rows.first_of_lane : rows.first,
                   &start = by_lane ? rows.start_of_lane : rows.start;
  ops::run(kernels::CachedAttention{.queries = ops::data(queries),
                                    .prompt_keys = ops::data(cache.prompt_keys),
                                    .prompt_values = ops::data(cache.prompt_values),
                                    .keys = ops::data(cache.keys),
                                    .values = ops::data(cache.values),
                                    .outputs = ops::data(outputs),
                                    .start = ops::data<std::int32_t>(start),
                                    .first = ops::data<std::int32_t>(first),
                                    .length = ops::data<std::int32_t>(rows.length),
                                    .slot = ops::data<std::int32_t>(rows.slot),
                                    .shared = texts.prompts.shared,
                                    .n = rows.count(),
                                    .longest = longest_prompt(texts.prompts),
                                    .generated = texts.generated,
                                    .room = cache.keys.size(1),
                                    .heads = config.heads,
                                    .kv_heads = config.kv_heads,
                                    .width = config.head_dim,
                                    .query_stride = queries.stride(0),
                                    .prompt_stride = cache.prompt_keys.stride(1)},
           queries.scalar_type(), queries.device(), 1);
  return outputs;
}

}  // namespace headsweep::llama
