// Shared by the tests of edit: the built-in model with a few of its questions as pairs, and the objective in
// its plainest form.
#pragma once

#include <ATen/Parallel.h>

#include <headsweep/data.hpp>
#include <headsweep/edit.hpp>

#include "reference/plain_forward.hpp"
#include "unit/devices.hpp"

namespace headsweep::edit_test {

inline std::filesystem::path model_folder() {
  return std::filesystem::path(HEADSWEEP_ROOT) / "jobs" / "tinyworld";
}

inline const Weights& weights(at::Device device = at::kCPU) {
  static const Weights loaded = load_weights(model_folder(), read_config(model_folder()), {});
  static const Weights last = on(loaded, devices_here().back());
  return device.is_cpu() ? loaded : last;
}
inline const plain::Forward& plain_model() {
  static const plain::Forward plain(weights());
  return plain;
}

/// Pairs of `count` of the built-in questions, so many a question; 0: all that its answers make.
inline std::vector<Pair> some_pairs(int count, int a_question = 1) {
  JobSpec job;
  job.training.pairs_per_question = a_question;
  const Behaviour behaviour = read_behaviour(model_folder() / "truthfulness.jsonl");
  const auto tokenizer = load_tokenizer(model_folder());
  const auto tokens =
      tokenize_questions(behaviour, *tokenizer, read_formats(job).training,
                         {.vocab = weights().config.vocab, .max_tokens = weights().config.max_tokens});
  std::vector<int> questions;
  for (int i = 0; i < count; ++i) questions.push_back(i * 7);
  return make_pairs(tokens, behaviour, questions, job.training, 0);
}

inline LaneSpec lane(std::vector<Head> heads, double rate = 0.02, double tau = 0.1, std::uint64_t seed = 0) {
  return {.heads = std::move(heads), .strength = tau, .learning_rate = rate, .seed = seed};
}

/// Random numbers in place of all parameters.
inline void fill(LaneParams& params, std::uint64_t seed, double size) {
  for (auto& layer : params.layers())
    for (at::Tensor* values : {&layer.a, &layer.b}) {
      if (!values->defined()) continue;
      Random random(seed, layer.layer, values == &layer.a);
      const at::Tensor numbers = at::empty(values->sizes());
      for (std::int64_t i = 0; i < numbers.numel(); ++i)
        numbers.data_ptr<float>()[i] = static_cast<float>(size * (2 * random.uniform() - 1));
      values->copy_(numbers);
    }
}

/// log pi/pi0(y+) - log pi/pi0(y-) by separate texts in float64: [K, B].
inline at::Tensor plain_deltas(const std::vector<Pair>& pairs, const TrainingSpec& spec,
                               const LaneEdits& edits) {
  std::vector<at::Tensor> deltas;
  for (const Pair& pair : pairs) {
    const int start = edit_start(spec.edit_from, Purpose::choice, static_cast<int>(pair.prompt.size()));
    const std::vector<TokenTree> tree{{pair.prompt, {pair.chosen, pair.rejected}, start}};
    at::Tensor moved = plain_model().answers(tree, edits) - plain_model().answers(tree);  // [K, 2]
    if (spec.log_prob == LogProb::mean)
      moved = moved / at::tensor({static_cast<double>(pair.chosen.size()),
                                  static_cast<double>(pair.rejected.size())});
    deltas.push_back(moved.select(1, 0) - moved.select(1, 1));
  }
  return at::stack(deltas, 1);
}

/// The prefix right below the first edit.
inline Prefix prefix_of(const PairBatch& batch, const LaneEdits& edits) {
  const Weights& there = weights(batch.tokens.ids.device());
  return run_prefix(there, batch.tokens, edits.first_layer(there.config.layers));
}

inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}
/// |a - b| / |b|, of whole tensors.
inline double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor expected = b.to(at::kDouble);
  return ((a.to(at::kDouble) - expected).norm() / expected.norm()).item<double>();
}

}  // namespace headsweep::edit_test
