// eval: drift of K lanes against the unedited model, which runs beside them from the same prefix.
#include "eval/drift.hpp"

#include <algorithm>

namespace headsweep {
namespace {

constexpr std::int64_t chunk_bytes =
    32 << 20;  ///< of the lanes' log-probabilities, of which a few copies stand at once

/// Means over the entries of each answer: [K][A] from [K, N]. On the host and in order: the same bits on
/// every device.
std::vector<std::vector<double>> answer_means(const TokenBatch& batch, const at::Tensor& of_entries) {
  const at::Tensor values = of_entries.to(at::kCPU, at::kDouble).contiguous();
  const at::Tensor answer = batch.entry_answer.to(at::kCPU).contiguous();
  const auto entries = answer.size(0);
  const auto* value = values.const_data_ptr<double>();
  const auto* owner = answer.const_data_ptr<std::int64_t>();
  const auto answers = static_cast<std::size_t>(batch.answers);
  std::vector<double> tokens(answers, 0.0);
  for (std::int64_t n = 0; n < entries; ++n) ++tokens[static_cast<std::size_t>(owner[n])];
  std::vector<std::vector<double>> means(static_cast<std::size_t>(values.size(0)),
                                         std::vector<double>(answers, 0.0));
  for (std::vector<double>& mean : means)
    for (std::int64_t n = 0; n < entries; ++n, ++value) {
      const auto a = static_cast<std::size_t>(owner[n]);
      mean[a] += *value / tokens[a];
    }
  return means;
}

}  // namespace

Drift measure_drift(const Weights& weights, const TokenBatch& batch, const LaneEdits& edits) {
  const Prefix prefix = run_prefix(weights, batch, edits.first_layer(weights.config.layers));
  const at::Tensor unedited = run_lanes(weights, batch, prefix, LaneEdits{});  // [1, R, E]
  const at::Tensor edited = run_lanes(weights, batch, prefix, edits);          // [K, R, E]
  const std::int64_t entries = batch.entry_row.size(0);
  const std::int64_t chunk =
      std::max<std::int64_t>(1, chunk_bytes / (4L * edits.lanes * weights.config.vocab));
  const auto log_probs = [&](const at::Tensor& states, const at::Tensor& rows) {  // [K, r, V]
    return at::log_softmax(logits_of(weights, states.index_select(1, rows)), -1);
  };
  at::Tensor kl = at::empty({edits.lanes, entries}, edited.options()), cross_entropy = at::empty_like(kl);
  for (std::int64_t first = 0; first < entries; first += chunk) {
    const std::int64_t count = std::min(chunk, entries - first);
    const at::Tensor rows = batch.entry_row.narrow(0, first, count);
    const at::Tensor before = log_probs(unedited, rows), after = log_probs(edited, rows);
    const at::Tensor ids =
        batch.entry_id.narrow(0, first, count).view({1, -1, 1}).expand({edits.lanes, -1, -1});
    kl.narrow(1, first, count).copy_((before.exp() * (before - after)).sum(-1));
    cross_entropy.narrow(1, first, count).copy_(-after.gather(-1, ids).squeeze(-1));
  }
  return {.kl = answer_means(batch, kl), .cross_entropy = answer_means(batch, cross_entropy)};
}

}  // namespace headsweep
