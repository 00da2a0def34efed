// edit, private: pairs that share a tree, packed.
#pragma once

#include <headsweep/edit.hpp>

namespace headsweep {

/// One tree per list of pairs; the pairs of a list have one prompt, and each answer stands once. Without
/// `reference`.
PairBatch pack_texts(const std::vector<std::vector<Pair>>& texts, const TrainingSpec& spec,
                     at::Device device);
/// Fills `reference` by the unedited model.
void add_reference(const Weights& weights, LogProb log_prob, PairBatch& batch);

}  // namespace headsweep
