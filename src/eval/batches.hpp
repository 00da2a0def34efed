// eval: a fold's questions and running text, packed for edits that act from one token on. In: ids; out:
// batches.
#pragma once

#include <headsweep/eval.hpp>

namespace headsweep {

/// What is measured, as ids. Questions are places in `questions`, which hold the validation questions, then
/// the test ones.
struct Material {
  std::vector<int> questions;  ///< indices of the behaviour
  std::size_t validation = 0;  ///< how many of them are validation questions
  std::vector<std::size_t> asked, chosen,
      drifted;  ///< places to answer, to score by multiple choice, to measure kl_answer at
  std::vector<std::vector<int>>
      own_answers;  ///< per drifted place: the unedited model's answer, with its end token
  std::vector<std::vector<int>> documents;  ///< running text, each of two tokens or more
};
Material gather_material(const Evaluation::Inputs& inputs);

/// Batches in the order of the lists that they pack.
struct Batches {
  std::vector<TokenBatch> prompts;      ///< asked
  std::vector<TokenBatch> references;   ///< chosen: a tree of correct answers, refusals, incorrect answers
  std::vector<TokenBatch> own_answers;  ///< drifted: a tree of one answer
  std::vector<TokenBatch> documents;
};
Batches pack_material(const Evaluation::Inputs& inputs, const Material& material, EditFrom from);

/// Prompts of some places, packed for answer_prompts.
std::vector<TokenBatch> pack_places(const Evaluation::Inputs& inputs, const Material& material,
                                    const std::vector<std::size_t>& places, EditFrom from);

}  // namespace headsweep
