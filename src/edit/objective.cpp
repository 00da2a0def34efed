// edit: pairs packed as trees, log-ratios against the unedited model, the IPO objective.
#include <c10/core/GradMode.h>

#include <algorithm>
#include <headsweep/edit.hpp>

namespace headsweep {
namespace {

/// Tokens that both answers start with; at least one token of each is left.
std::size_t common_start(const Pair& pair) {
  const std::size_t most = std::min(pair.chosen.size(), pair.rejected.size()) - 1;
  std::size_t shared = 0;
  while (shared < most && pair.chosen[shared] == pair.rejected[shared]) ++shared;
  return shared;
}

TokenTree tree_of(const Pair& pair, const TrainingSpec& spec) {
  // Under a sum the common start has the same log-probability in both answers and cancels; under a mean it is
  // divided by different lengths and must stay.
  const std::size_t shared = spec.log_prob == LogProb::sum ? common_start(pair) : 0;
  const auto offset = static_cast<std::ptrdiff_t>(shared);
  TokenTree tree{.prompt = pair.prompt, .answers = {}};
  tree.edit_start = edit_start(spec.edit_from, Purpose::choice, static_cast<int>(pair.prompt.size()));
  tree.prompt.insert(tree.prompt.end(), pair.chosen.begin(), pair.chosen.begin() + offset);
  tree.answers = {{pair.chosen.begin() + offset, pair.chosen.end()},
                  {pair.rejected.begin() + offset, pair.rejected.end()}};
  return tree;
}

/// log p(y+) - log p(y-) of each pair, by the job's reading of an answer's log-probability: [K, B].
at::Tensor preference(const Weights& weights, const TokenBatch& batch, const at::Tensor& states,
                      LogProb log_prob) {
  at::Tensor scores = answer_log_probs(weights, batch, states);  // [K, 2B]
  if (log_prob == LogProb::mean) scores = scores / batch.answer_tokens;
  const at::Tensor by_pair = scores.view({scores.size(0), -1, 2});
  return by_pair.select(2, 0) - by_pair.select(2, 1);
}

}  // namespace

PairBatch pack_pairs(const Weights& weights, const std::vector<Pair>& pairs, const TrainingSpec& spec) {
  const c10::NoGradGuard frozen;
  std::vector<TokenTree> trees;
  trees.reserve(pairs.size());
  for (const Pair& pair : pairs) trees.push_back(tree_of(pair, spec));
  PairBatch batch{
      .tokens = pack(trees, Keep::answers, weights.device()), .reference = {}, .prompt_tokens = {}};
  std::vector<std::int64_t> prompts;
  for (const Pair& pair : pairs) prompts.push_back(static_cast<std::int64_t>(pair.prompt.size()));
  batch.prompt_tokens = at::tensor(prompts, at::kLong).to(weights.device());
  const Prefix whole = run_prefix(weights, batch.tokens, weights.config.layers);
  batch.reference = preference(weights, batch.tokens, run_lanes(weights, batch.tokens, whole, LaneEdits{}),
                               spec.log_prob)[0];
  return batch;
}

at::Tensor pair_deltas(const Weights& weights, const PairBatch& batch, const Prefix& prefix,
                       const LaneEdits& edits, LogProb log_prob) {
  const at::Tensor states = run_lanes(weights, batch.tokens, prefix, edits);
  return preference(weights, batch.tokens, states, log_prob) - batch.reference;
}

at::Tensor ipo_loss(const at::Tensor& deltas, const at::Tensor& tau) {
  return (deltas - 0.5 / tau.unsqueeze(1)).square().mean(1);
}

PairScores score_pairs(const Weights& weights, const std::vector<PairBatch>& batches, const LaneEdits& edits,
                       const at::Tensor& tau, LogProb log_prob) {
  const c10::NoGradGuard frozen;
  std::vector<at::Tensor> deltas;
  for (const PairBatch& batch : batches) {
    const Prefix prefix = run_prefix(weights, batch.tokens, edits.first_layer(weights.config.layers));
    deltas.push_back(pair_deltas(weights, batch, prefix, edits, log_prob));
  }
  const at::Tensor all = at::cat(deltas, 1);  // [K, B]
  return {.loss = ipo_loss(all, tau), .margin = all.mean(1)};
}

}  // namespace headsweep
