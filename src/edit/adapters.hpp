// edit, private: one adapter's parameters as peft knows them, and as the forward takes them. LaneParams keeps
// A so that it reads what the module reads in transformers; the forward's rows lack the norms' gains.
#pragma once

#include <headsweep/edit.hpp>

namespace headsweep {

/// Targets of `lora` in the order of their enumerators, each once.
std::vector<EditTarget> ordered(std::vector<EditTarget> targets);
/// `rows` lanes of this rank: a and b unfilled and 0.
LaneParams::Layer make_adapter(const ModelConfig& config, int layer, EditTarget target, std::int64_t rows,
                               std::int64_t rank);
/// Operands of the forward's products for K lanes; lanes without the adapter get 0.
Adapter operands_of(const LaneParams::Layer& layer, int lanes, const Weights& weights);
/// From the gradients of those to the gradients of a and b.
LaneParams::Gradient gradient_of(const LaneParams::Layer& layer, const Adapter& gradient,
                                 const Weights& weights);

}  // namespace headsweep
