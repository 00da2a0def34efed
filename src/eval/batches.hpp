// eval: a fold's questions and running text, packed for edits that act from one token on.
#pragma once

#include <headsweep/eval.hpp>

namespace headsweep {

/// What is measured, as ids. A place is an index of `questions`.
struct Material {
  std::vector<int> questions;        ///< indices of the behaviour: those that validate, then those that test
  std::size_t validation = 0;        ///< how many of them validate
  std::vector<std::size_t> asked;    ///< places to answer
  std::vector<std::size_t> chosen;   ///< places to score by multiple choice
  std::vector<std::size_t> drifted;  ///< places to measure kl_answer at
  std::vector<std::vector<int>> own_answers;  ///< at `drifted`: unedited greedy answers with their end tokens
  std::vector<std::vector<int>> documents;    ///< running text, each of two tokens or more
};
Material gather_material(const Evaluation::Inputs& inputs);
const TokenizedQuestion& choice_at(const Evaluation::Inputs& inputs, const Material& material,
                                   std::size_t place);

/// Batches in the order of the lists that they pack.
struct Batches {
  std::vector<TokenBatch> prompts;      ///< asked
  std::vector<TokenBatch> references;   ///< chosen: a tree of correct answers, refusals, incorrect answers
  std::vector<TokenBatch> own_answers;  ///< drifted: a tree of one answer
  std::vector<TokenBatch> documents;
  /// Of each batch of own_answers and of documents: the final states of the unedited model [1, R, E].
  std::vector<at::Tensor> own_states, document_states;
};
Batches pack_material(const Evaluation::Inputs& inputs, const Material& material, EditFrom from);

/// Prompts of some places, packed for answer_prompts.
std::vector<TokenBatch> pack_places(const Evaluation::Inputs& inputs, const Material& material,
                                    const std::vector<std::size_t>& places, EditFrom from);

}  // namespace headsweep
