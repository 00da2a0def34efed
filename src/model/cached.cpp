// model: attention of newest tokens to a cache.
#include "model/cached.hpp"

#include "model/ops.hpp"

namespace headsweep::llama {

DecoderRows DecoderRows::select(const at::Tensor& rows) const {
  DecoderRows chosen;
  for (auto part : {&DecoderRows::lane, &DecoderRows::slot, &DecoderRows::length, &DecoderRows::first,
                    &DecoderRows::first_of_lane, &DecoderRows::position})
    chosen.*part = (this->*part).index_select(0, rows);
  return chosen;
}

at::Tensor attend(const CachedTexts& texts, const LayerCache& cache, const at::Tensor& queries) {
  const ModelConfig& config = texts.config;
  const DecoderRows& rows = texts.rows;
  const at::Tensor outputs = ops::empty_rows({rows.count(), config.width()}, queries.options());
  const at::Tensor& first = cache.prompt_keys.size(0) > 1 ? rows.first_of_lane : rows.first;
  ops::run(kernels::CachedAttention{.queries = ops::data(queries),
                                    .prompt_keys = ops::data(cache.prompt_keys),
                                    .prompt_values = ops::data(cache.prompt_values),
                                    .keys = ops::data(cache.keys),
                                    .values = ops::data(cache.values),
                                    .outputs = ops::data(outputs),
                                    .first = ops::data<std::int32_t>(first),
                                    .length = ops::data<std::int32_t>(rows.length),
                                    .slot = ops::data<std::int32_t>(rows.slot),
                                    .n = rows.count(),
                                    .longest = texts.prompts.longest,
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
