// eval: greedy answers to packed prompts. In: batches of prompts, edits; out: [K][N] answers.
#pragma once

#include <headsweep/eval.hpp>

namespace headsweep {

/// So many prompts a batch, as Decoder wants them.
std::vector<TokenBatch> pack_prompts(const std::vector<std::vector<int>>& prompts, EditFrom from, int batch,
                                     at::Device device);
/// Answers to the prompts of all batches; `from` and `questions` of the options are already in the batches.
std::vector<std::vector<Answer>> answer_prompts(const Weights& weights, const Tokenizer& tokenizer,
                                                const std::vector<TokenBatch>& batches,
                                                const LaneEdits& edits, const GenerateOptions& options);

}  // namespace headsweep
