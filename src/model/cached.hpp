// model, private: attention of the decoder's newest tokens to what stands in its cache. On the CPU fused
// (module kernels); elsewhere by copies of each row's keys, which is also the plain twin. n rows, each a lane
// and a prompt.
#pragma once

#include <headsweep/model.hpp>

namespace headsweep::llama {

/// One layer's keys and values: of the prompts [1 or K, T, KV*D], of the generated tokens [slots, room,
/// KV*D].
struct LayerCache {
  at::Tensor prompt_keys, prompt_values, keys, values;
};

/// What the rows are, on the host and, for tensors, on the device.
struct DecoderRows {
  std::vector<std::int32_t> lane, slot, first, length;
  at::Tensor lanes;      ///< int32 [n], as `lane`
  at::Tensor slots;      ///< int64 [n]
  at::Tensor positions;  ///< int64 [n] of the token that comes next
  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(lane.size()); }
};

/// Whose texts the cache holds.
struct CachedTexts {
  const ModelConfig& config;
  const TokenBatch& prompts;
  const DecoderRows& rows;
  std::int64_t generated;  ///< tokens a row, the newest with them
};

/// Head outputs [n, C] of the newest tokens from their queries [n, C]; their keys and values stand in the
/// cache.
at::Tensor attend_fused(const CachedTexts& texts, const LayerCache& cache, const at::Tensor& queries);
at::Tensor attend_gathered(const CachedTexts& texts, const LayerCache& cache, const at::Tensor& queries);

}  // namespace headsweep::llama
