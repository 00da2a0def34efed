// model, private: attention of the decoder's newest tokens to what stands in its cache. n rows, each a lane
// and a prompt.
#pragma once

#include <headsweep/model.hpp>

namespace headsweep::llama {

/// One layer's keys and values: of the prompts [1 or K, T, KV*D], of the generated tokens [slots, room,
/// KV*D].
struct LayerCache {
  at::Tensor prompt_keys, prompt_values, keys, values;
};

/// What the rows are: int32 [n] on the weights' device.
struct DecoderRows {
  at::Tensor lane, slot;
  at::Tensor length;  ///< tokens of the prompt, without shared ones
  at::Tensor first,
      first_of_lane;  ///< of these the first, among one lane's tokens and among those of all lanes
  at::Tensor start, start_of_lane;  ///< the first shared token, likewise
  at::Tensor position;              ///< of the token that comes next
  [[nodiscard]] std::int64_t count() const { return lane.size(0); }
  /// These rows only: int64 [m], on the same device.
  [[nodiscard]] DecoderRows select(const at::Tensor& rows) const;
};

/// Tokens of the longest prompt, with those that it shares.
int longest_prompt(const TokenBatch& prompts);

/// Whose texts the cache holds.
struct CachedTexts {
  const ModelConfig& config;
  const TokenBatch& prompts;
  const DecoderRows& rows;
  std::int64_t generated;  ///< tokens a row, the newest with them
};

/// Head outputs [n, C] of the newest tokens from their queries [n, C]; their keys and values stand in the
/// cache.
at::Tensor attend(const CachedTexts& texts, const LayerCache& cache, const at::Tensor& queries);

}  // namespace headsweep::llama
