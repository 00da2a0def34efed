// model: from normed states to log-probabilities and back. Logits [.., V] are the largest tensors of all:
// they stand for a few lanes at a time.
#include <algorithm>
#include <headsweep/model.hpp>

#include "model/ops.hpp"

namespace headsweep {
namespace {

/// Logits at once: about what a core's caches hold; on a GPU enough to fill it.
std::int64_t most_logits(const at::Tensor& states) { return std::int64_t{1} << (states.is_cuda() ? 26 : 22); }

/// Calls `each(first lane, lanes)` for parts of all lanes.
template <class Each>
void for_lanes(const at::Tensor& states, std::int64_t words, const Each& each) {
  const std::int64_t lanes = states.size(0), cells = std::max<std::int64_t>(1, states.size(1) * words);
  const std::int64_t most = std::max<std::int64_t>(1, most_logits(states) / cells),
                     parts = (lanes + most - 1) / most;
  const std::int64_t at_once = (lanes + parts - 1) / parts;
  for (std::int64_t first = 0; first < lanes; first += at_once) each(first, std::min(at_once, lanes - first));
}

/// Logits of some lanes with their log-sum-exp.
struct Scored {
  at::Tensor logits, lse;  ///< low [k, R, V], [k, R]
  /// log p of the entries: [k, N].
  [[nodiscard]] at::Tensor entries(const TokenBatch& batch, const at::Tensor& cell) const {
    return logits.flatten(1).index_select(1, cell).to(at::kFloat) - lse.index_select(1, batch.entry_row);
  }
};
Scored score(const Weights& weights, const at::Tensor& states) {
  Scored scored{.logits = ops::product(states, weights.output), .lse = {}};
  scored.lse = ops::log_sum_exp(scored.logits);
  return scored;
}

at::Tensor cells_of(const Weights& weights, const TokenBatch& batch) {
  return batch.entry_row * weights.config.vocab + batch.entry_id;
}

at::Tensor sum_answers(const TokenBatch& batch, const at::Tensor& entries) {
  return at::zeros({entries.size(0), batch.answers}, entries.options())
      .index_add_(1, batch.entry_answer, entries);
}

}  // namespace

at::Tensor logits_of(const Weights& weights, const at::Tensor& states) {
  return ops::product(states, weights.output);
}

at::Tensor entry_log_probs(const Weights& weights, const TokenBatch& batch, const at::Tensor& states) {
  const at::Tensor cell = cells_of(weights, batch);
  at::Tensor entries = at::empty({states.size(0), cell.size(0)}, states.options().dtype(at::kFloat));
  for_lanes(states, weights.config.vocab, [&](std::int64_t first, std::int64_t lanes) {
    entries.narrow(0, first, lanes)
        .copy_(score(weights, states.narrow(0, first, lanes)).entries(batch, cell));
  });
  return entries;
}

at::Tensor answer_log_probs(const Weights& weights, const TokenBatch& batch, const at::Tensor& states) {
  return sum_answers(batch, entry_log_probs(weights, batch, states));
}

at::Tensor answer_gradient(const Weights& weights, const TokenBatch& batch, const at::Tensor& states,
                           const AnswerObjective& objective) {
  const at::Tensor cell = cells_of(weights, batch);
  at::Tensor gradient = at::empty_like(states);
  for_lanes(states, weights.config.vocab, [&](std::int64_t first, std::int64_t lanes) {
    const Scored scored = score(weights, states.narrow(0, first, lanes));
    const at::Tensor by_answer = objective(sum_answers(batch, scored.entries(batch, cell)), first);  // [k, A]
    const at::Tensor by_entry = by_answer.index_select(1, batch.entry_answer);
    // d log p / d logits = (1 at the token) - softmax, times the sum over the row's entries.
    const at::Tensor factor = at::zeros_like(scored.lse).index_add_(1, batch.entry_row, by_entry).neg_();
    ops::run(kernels::ScaledSoftmax{.x = ops::data(scored.logits),
                                    .lse = ops::data<float>(scored.lse),
                                    .factor = ops::data<float>(factor),
                                    .n = scored.lse.numel(),
                                    .width = scored.logits.size(2)},
             scored.logits.scalar_type(), states.device());
    scored.logits.flatten(1).index_add_(1, cell, by_entry.to(scored.logits.scalar_type()));
    gradient.narrow(0, first, lanes).copy_(ops::product_backward(scored.logits, weights.output));
  });
  return gradient;
}

Divergence entry_divergence(const Weights& weights, const TokenBatch& batch, const at::Tensor& unedited,
                            const at::Tensor& edited) {
  const at::Tensor cell = cells_of(weights, batch);
  const Scored before = score(weights, unedited);
  const auto options = edited.options().dtype(at::kFloat);
  Divergence result{.kl = at::empty({edited.size(0), cell.size(0)}, options), .log_probs = {}};
  result.log_probs = at::empty_like(result.kl);
  for_lanes(edited, weights.config.vocab, [&](std::int64_t first, std::int64_t lanes) {
    const Scored after = score(weights, edited.narrow(0, first, lanes));
    const at::Tensor rows = at::empty_like(after.lse);
    ops::run(kernels::RowDivergence{.before = ops::data(before.logits),
                                    .after = ops::data(after.logits),
                                    .lse_before = ops::data<float>(before.lse),
                                    .lse_after = ops::data<float>(after.lse),
                                    .kl = ops::data<float>(rows),
                                    .n = rows.numel(),
                                    .rows_before = before.lse.numel(),
                                    .width = after.logits.size(2)},
             after.logits.scalar_type(), edited.device());
    result.kl.narrow(0, first, lanes).copy_(rows.index_select(1, batch.entry_row));
    result.log_probs.narrow(0, first, lanes).copy_(after.entries(batch, cell));
  });
  return result;
}

}  // namespace headsweep
