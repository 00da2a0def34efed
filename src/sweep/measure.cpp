// sweep: evaluation, losses on pairs and sizes of K lanes.
#include "sweep/measure.hpp"

#include <algorithm>
#include <cmath>

namespace headsweep {
namespace {

float value_at(const at::Tensor& values, std::size_t lane) {
  return values[static_cast<std::int64_t>(lane)].item<float>();
}

/// Loss and margin of the parts the job asks for.
void add_pair_scores(const LanesToMeasure& lanes, FoldGround::Measured& pairs,
                     std::vector<TrialRecord>& records) {
  for (const SplitPart part : {SplitPart::val, SplitPart::test}) {
    const auto& batches = part == SplitPart::val ? pairs.validation : pairs.test;
    if (batches.empty()) continue;
    const PairScores scores = score_pairs(pairs.prefixes, batches, lanes.edits, lanes.tau, lanes.log_prob);
    for (std::size_t k = 0; k < records.size(); ++k) {
      Metrics& metrics = part == SplitPart::val ? records[k].validation : records[k].test;
      metrics.margin = value_at(scores.margin, k);
      if (lanes.has_loss) metrics.loss = value_at(scores.loss, k);
    }
  }
}

void add_sizes(const LanesToMeasure& lanes, const PairBatch& batch, std::vector<TrialRecord>& records) {
  const RelativeSize sizes = relative_size(lanes.weights, batch, lanes.edits);
  for (std::size_t k = 0; k < records.size(); ++k) {
    records[k].relative_size_prompt = value_at(sizes.prompt, k);
    records[k].relative_size_answer = value_at(sizes.answer, k);
  }
}

}  // namespace

void measure_lanes(const LanesToMeasure& lanes, FoldGround& fold, const std::function<void()>& tick,
                   std::vector<TrialRecord>& records) {
  const auto results = fold.evaluation().measure(lanes.edits, lanes.from, tick);
  for (std::size_t k = 0; k < records.size(); ++k) {
    records[k].validation = results[k].validation;
    records[k].test = results[k].test;
    records[k].items = results[k].items;
  }
  FoldGround::Measured& pairs = fold.measured(lanes.from);
  add_pair_scores(lanes, pairs, records);
  add_sizes(lanes, pairs.sample, records);
}

std::string infinite_in(const TrialRecord& record) {
  for (const EditLayer& layer : record.edit)
    for (const auto* values : {&layer.a, &layer.b})
      for (const float value : *values)
        if (!std::isfinite(value)) return cat("a parameter at layer ", layer.layer, " is ", value);
  const bool sized = std::any_of(record.edit.begin(), record.edit.end(),
                                 [](const EditLayer& layer) { return layer.target == EditTarget::o; });
  if (sized && !std::isfinite(record.relative_size_prompt + record.relative_size_answer))
    return "the size of the edit is not finite";
  if (std::isinf(record.test.margin) || std::isinf(record.validation.margin)) return "the margin is infinite";
  return "";
}

void mark_failed(const std::string& stage, const std::string& message, TrialRecord& record) {
  record.status = TrialStatus::failed;
  record.stage = stage;
  record.message = message;
  record.validation = record.test = Metrics{};
  record.training.val_loss = record.relative_size_prompt = record.relative_size_answer = not_measured;
  record.norm_a = record.norm_b = not_measured;
  record.items.clear();
  record.edit.clear();
}

}  // namespace headsweep
