// sweep: a block as a recipe: start lanes, train them, measure them, write down what they left.
#include "sweep/block.hpp"

#include <cmath>

namespace headsweep {
namespace {

double learning_rate_of(const JobSpec& job, EditKind kind, std::size_t size) {
  if (kind == EditKind::iti) return 0;
  if (kind == EditKind::lora) return job.training.lora_learning_rate;
  return job.training.learning_rate.at(static_cast<int>(size));
}

std::vector<LaneSpec> lanes_of(const BlockInputs& in, const Block& block) {
  std::vector<LaneSpec> lanes;
  for (const TrialId id : block.trials) {
    const Trial& trial = in.plan.at(id);
    const Location& location = in.plan.at(trial.location);
    lanes.push_back({.heads = location.heads,
                     .strength = trial.strength,
                     .learning_rate = learning_rate_of(in.job, trial.edit, location.heads.size()),
                     .seed = trial.seed});
  }
  return lanes;
}

/// Trained or shifted lanes with what training said of them.
struct Lanes {
  LaneParams params;
  TrainedLanes trained;
};
Lanes make_lanes(const BlockInputs& in, const Trial& first, const std::vector<LaneSpec>& specs,
                 FoldGround& fold, const std::function<void()>& tick) {
  if (first.edit == EditKind::iti) {
    const HeadTable& table = in.localiser.at(static_cast<std::size_t>(first.fold));
    return {.params = LaneParams::iti(specs, table, in.weights),
            .trained = {.training = std::vector<Training>(specs.size()),
                        .failed = std::vector<std::string>(specs.size())}};
  }
  LaneParams params = LaneParams::start(first.edit, specs, in.job.training, in.weights);
  TrainedLanes trained = train_lanes(fold.training(first.seed), specs, params, tick);
  return {.params = std::move(params), .trained = std::move(trained)};
}

float value_at(const at::Tensor& values, std::size_t lane) {
  return values[static_cast<std::int64_t>(lane)].item<float>();
}

/// Euclidean norm over all layers.
float norm_of(const std::vector<EditLayer>& layers, std::vector<float> EditLayer::*member) {
  double squares = 0;
  for (const EditLayer& layer : layers)
    for (const float value : layer.*member) squares += static_cast<double>(value) * value;
  return static_cast<float>(std::sqrt(squares));
}

/// Loss and margin of the parts the job asks for. ITI has no tau: its loss is not defined, its margin is.
void add_pair_scores(const BlockInputs& in, FoldGround::Measured& pairs, const LaneEdits& edits,
                     const std::vector<LaneSpec>& specs, std::vector<TrialRecord>& records) {
  const at::Tensor tau = tau_of(specs, in.weights.device());
  const bool has_loss = in.plan.at(records.front().trial).edit != EditKind::iti;
  for (const SplitPart part : {SplitPart::val, SplitPart::test}) {
    const auto& batches = part == SplitPart::val ? pairs.validation : pairs.test;
    if (batches.empty()) continue;
    const PairScores scores = score_pairs(pairs.prefixes, batches, edits, tau, in.job.training.log_prob);
    for (std::size_t k = 0; k < records.size(); ++k) {
      Metrics& metrics = part == SplitPart::val ? records[k].validation : records[k].test;
      metrics.margin = value_at(scores.margin, k);
      if (has_loss) metrics.loss = value_at(scores.loss, k);
      if (has_loss && part == SplitPart::val) records[k].training.val_loss = metrics.loss;
    }
  }
}

void add_sizes(const BlockInputs& in, const PairBatch& batch, const Lanes& lanes, const LaneEdits& edits,
               std::vector<TrialRecord>& records) {
  const RelativeSize sizes = relative_size(in.weights, batch, edits);
  for (std::size_t k = 0; k < records.size(); ++k) {
    TrialRecord& record = records[k];
    record.edit = lanes.params.layers_of(static_cast<int>(k));
    record.norm_b = norm_of(record.edit, &EditLayer::b);
    if (!record.edit.empty() && !record.edit.front().a.empty())
      record.norm_a = norm_of(record.edit, &EditLayer::a);
    record.relative_size_prompt = value_at(sizes.prompt, k);
    record.relative_size_answer = value_at(sizes.answer, k);
  }
}

/// Says why an edit is no edit: a parameter or its effect on the sample that is not finite. Empty if all is
/// well.
std::string infinite_in(const TrialRecord& record) {
  for (const EditLayer& layer : record.edit)
    for (const auto* values : {&layer.a, &layer.b})
      for (const float value : *values)
        if (!std::isfinite(value)) return cat("a parameter at layer ", layer.layer, " is ", value);
  if (!std::isfinite(record.relative_size_prompt + record.relative_size_answer))
    return "the size of the edit is not finite";
  if (std::isinf(record.test.margin) || std::isinf(record.validation.margin)) return "the margin is infinite";
  return "";
}

/// A failed lane keeps its curve and no scores: what was measured of it is not what was asked for.
void mark_failed(const std::vector<std::string>& failed, std::vector<TrialRecord>& records) {
  for (std::size_t k = 0; k < records.size(); ++k) {
    TrialRecord& record = records[k];
    const std::string infinite = failed[k].empty() ? infinite_in(record) : "";
    if (failed[k].empty() && infinite.empty()) continue;
    record.status = TrialStatus::failed;
    record.stage = failed[k].empty() ? "evaluation" : "training";
    record.message = failed[k].empty() ? infinite : failed[k];
    record.validation = record.test = Metrics{};
    record.training.val_loss = record.relative_size_prompt = record.relative_size_answer = not_measured;
    record.norm_a = record.norm_b = not_measured;
    record.items.clear();
    record.edit.clear();
  }
}

}  // namespace

std::vector<TrialRecord> run_block(const BlockInputs& in, const Block& block,
                                   const std::function<void()>& tick) {
  const double begin = now_seconds();
  const Trial& first = in.plan.at(block.trials.front());
  const bool trained = first.edit != EditKind::iti;
  FoldGround& fold = in.ground.fold(first.fold);
  const std::vector<LaneSpec> specs = lanes_of(in, block);
  const Lanes lanes = make_lanes(in, first, specs, fold, tick);
  const LaneEdits edits = lanes.params.edits(in.weights);
  const EditFrom from = trained ? in.job.training.edit_from : in.job.iti.edit_from;
  const auto results = fold.evaluation().measure(edits, from, tick);

  std::vector<TrialRecord> records(block.trials.size());
  for (std::size_t k = 0; k < records.size(); ++k) {
    TrialRecord& record = records[k];
    record.trial = block.trials[k];
    record.trial_hash = in.plan.at(record.trial).hash;
    record.status = TrialStatus::done;
    record.rank = in.rank;
    record.training = lanes.trained.training[k];
    record.validation = results[k].validation;
    record.test = results[k].test;
    record.items = results[k].items;
  }
  FoldGround::Measured& pairs = fold.measured(from);
  add_pair_scores(in, pairs, edits, specs, records);
  add_sizes(in, pairs.sample, lanes, edits, records);
  mark_failed(lanes.trained.failed, records);
  for (TrialRecord& record : records)
    record.seconds = (now_seconds() - begin) / static_cast<double>(records.size());
  return records;
}

}  // namespace headsweep
