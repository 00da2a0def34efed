// Shared by the tests of edit: the built-in model with a few of its questions as pairs.
#pragma once

#include <headsweep/data.hpp>
#include <headsweep/edit.hpp>

namespace headsweep::edit_test {

inline std::filesystem::path model_folder() {
  return std::filesystem::path(HEADSWEEP_ROOT) / "jobs" / "tinyworld";
}

inline const Weights& weights() {
  static const Weights loaded = load_weights(model_folder(), read_config(model_folder()), {});
  return loaded;
}

/// The first pairs of the built-in questions, one a question.
inline std::vector<Pair> some_pairs(int count) {
  JobSpec job;
  job.training.pairs_per_question = 1;
  const Behaviour behaviour = read_behaviour(model_folder() / "truthfulness.jsonl");
  const auto tokenizer = load_tokenizer(model_folder());
  const auto tokens =
      tokenize_questions(behaviour, *tokenizer, job, weights().config.vocab, weights().config.max_tokens, -1);
  std::vector<int> questions;
  for (int i = 0; i < count; ++i) questions.push_back(i * 7);
  return make_pairs(tokens, behaviour, questions, job.training, 0);
}

inline LaneSpec lane(std::vector<Head> heads, double rate = 0.02, double tau = 0.1, std::uint64_t seed = 0) {
  return {.heads = std::move(heads), .strength = tau, .learning_rate = rate, .seed = seed};
}

inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace headsweep::edit_test
