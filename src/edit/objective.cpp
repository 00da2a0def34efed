// edit: pairs packed as trees, log-ratios against the unedited model, the IPO objective.
#include <algorithm>

#include "edit/texts.hpp"

namespace headsweep {
namespace {

/// Tokens that both answers start with; at least one token of each is left.
std::size_t common_start(const Pair& pair) {
  const std::size_t most = std::min(pair.chosen.size(), pair.rejected.size()) - 1;
  std::size_t shared = 0;
  while (shared < most && pair.chosen[shared] == pair.rejected[shared]) ++shared;
  return shared;
}

TokenTree tree_of(const std::vector<Pair>& pairs, const TrainingSpec& spec, std::vector<std::int64_t>& chosen,
                  std::vector<std::int64_t>& rejected, std::int64_t first_answer) {
  const Pair& pair = pairs.front();
  TokenTree tree{.prompt = pair.prompt, .answers = {}};
  tree.edit_start = edit_start(spec.edit_from, Purpose::choice, static_cast<int>(pair.prompt.size()));
  const auto number_of = [&](const std::vector<int>& answer) {
    const auto found = std::find(tree.answers.begin(), tree.answers.end(), answer);
    const auto number = static_cast<std::int64_t>(found - tree.answers.begin());
    if (found == tree.answers.end()) tree.answers.push_back(answer);
    return first_answer + number;
  };
  for (const Pair& one : pairs) {
    chosen.push_back(number_of(one.chosen));
    rejected.push_back(number_of(one.rejected));
  }
  // Under a sum the common start has the same log-probability in both answers and cancels; under a mean it is
  // divided by different lengths and must stay.
  if (pairs.size() > 1 || spec.log_prob != LogProb::sum) return tree;
  const auto shared = static_cast<std::ptrdiff_t>(common_start(pair));
  tree.prompt.insert(tree.prompt.end(), pair.chosen.begin(), pair.chosen.begin() + shared);
  for (std::vector<int>& answer : tree.answers) answer.erase(answer.begin(), answer.begin() + shared);
  return tree;
}

/// log p(y+) - log p(y-) of each pair, by the job's reading of an answer's log-probability: [K, B] from [K,
/// A].
at::Tensor preference(const PairBatch& batch, const at::Tensor& log_probs, LogProb log_prob) {
  const at::Tensor scores = log_prob == LogProb::mean ? log_probs / batch.tokens.answer_tokens : log_probs;
  return scores.index_select(1, batch.chosen) - scores.index_select(1, batch.rejected);
}

/// The inverse on gradients: [K, A] from [K, B].
at::Tensor preference_backward(const PairBatch& batch, const at::Tensor& gradient, LogProb log_prob) {
  at::Tensor by_answer = at::zeros({gradient.size(0), batch.tokens.answers}, gradient.options());
  by_answer.index_add_(1, batch.chosen, gradient).index_add_(1, batch.rejected, gradient, -1);
  return log_prob == LogProb::mean ? by_answer / batch.tokens.answer_tokens : by_answer;
}

}  // namespace

PairBatch pack_texts(const std::vector<std::vector<Pair>>& texts, const TrainingSpec& spec,
                     at::Device device) {
  std::vector<TokenTree> trees;
  std::vector<std::int64_t> chosen, rejected, prompts;
  std::int64_t answers = 0;
  for (const std::vector<Pair>& pairs : texts) {
    trees.push_back(tree_of(pairs, spec, chosen, rejected, answers));
    answers += static_cast<std::int64_t>(trees.back().answers.size());
    prompts.push_back(static_cast<std::int64_t>(pairs.front().prompt.size()));
  }
  PairBatch batch{.tokens = pack(trees, Keep::answers, device)};
  batch.chosen = at::tensor(chosen, at::kLong).to(device);
  batch.rejected = at::tensor(rejected, at::kLong).to(device);
  batch.prompt_tokens = at::tensor(prompts, at::kLong).to(device);
  return batch;
}

void add_reference(const Weights& weights, LogProb log_prob, PairBatch& batch) {
  const at::Tensor states = unedited_states(weights, batch.tokens);
  batch.reference = preference(batch, answer_log_probs(weights, batch.tokens, states), log_prob)[0];
}

PairBatch pack_pairs(const Weights& weights, const std::vector<Pair>& pairs, const TrainingSpec& spec) {
  std::vector<std::vector<Pair>> texts;
  for (const Pair& pair : pairs) texts.push_back({pair});
  PairBatch batch = pack_texts(texts, spec, weights.device());
  add_reference(weights, spec.log_prob, batch);
  return batch;
}

at::Tensor pair_deltas(const Weights& weights, const PairBatch& batch, const Prefix& prefix,
                       const LaneEdits& edits, LogProb log_prob) {
  const at::Tensor states = run_lanes(weights, batch.tokens, prefix, edits);
  return preference(batch, answer_log_probs(weights, batch.tokens, states), log_prob) - batch.reference;
}

at::Tensor ipo_loss(const at::Tensor& deltas, const at::Tensor& tau) {
  return (deltas - 0.5 / tau.unsqueeze(1)).square().mean(1);
}

LossGradient loss_gradient(const Weights& weights, const PairBatch& batch, const Prefix& prefix,
                           const LaneEdits& edits, const at::Tensor& tau, LogProb log_prob) {
  Tape tape;
  const at::Tensor states = run_lanes(weights, batch.tokens, prefix, edits, &tape);
  LossGradient result{.losses = at::empty_like(tau), .gradients = {}};
  const at::Tensor gradient =
      answer_gradient(weights, batch.tokens, states, [&](const at::Tensor& log_probs, std::int64_t first) {
        const at::Tensor own_tau = tau.narrow(0, first, log_probs.size(0));
        const at::Tensor deltas = preference(batch, log_probs, log_prob) - batch.reference;
        result.losses.narrow(0, first, log_probs.size(0)).copy_(ipo_loss(deltas, own_tau));
        const double share = 2.0 * batch.weight / static_cast<double>(deltas.size(1));
        return preference_backward(batch, share * (deltas - 0.5 / own_tau.unsqueeze(1)), log_prob);
      });
  result.gradients = run_backward(weights, batch.tokens, edits, tape, gradient);
  return result;
}

PairScores score_pairs(PrefixMemo& prefixes, const std::vector<PairBatch>& batches, const LaneEdits& edits,
                       const at::Tensor& tau, LogProb log_prob) {
  const Weights& weights = prefixes.weights();
  std::vector<at::Tensor> deltas;
  for (const PairBatch& batch : batches) {
    const Prefix prefix = prefixes.at(batch.tokens, edits.first_layer(weights.config.layers));
    deltas.push_back(pair_deltas(weights, batch, prefix, edits, log_prob));
  }
  const at::Tensor all = at::cat(deltas, 1);  // [K, B]
  return {.loss = ipo_loss(all, tau), .margin = all.mean(1)};
}

}  // namespace headsweep
