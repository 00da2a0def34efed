// model, private: rotary positions: what config.json says of them, and their tables.
#pragma once

#include <headsweep/json.hpp>
#include <headsweep/model.hpp>

namespace headsweep {

/// rope_theta and rope_scaling of config.json, as transformers 4 writes them, or rope_parameters, as 5 does.
void read_rope(const Json& json, const std::string& where, ModelConfig& config);

/// Fills rope_cos and rope_sin [max_tokens, D]: cos and sin of position * frequency, both halves alike, in
/// float32 as transformers computes them.
void make_rope(Weights& weights, at::Device device);

}  // namespace headsweep
