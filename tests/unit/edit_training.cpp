// edit: gradients by finite differences, lanes beside each other, what stops alone, the recorded loss traces.
#include <gtest/gtest.h>

#include <cmath>
#include <headsweep/json.hpp>
#include <limits>

#include "unit/edit_support.hpp"

namespace headsweep {
namespace {

using namespace edit_test;

at::Tensor losses_of(const LaneParams& params, const PairBatch& batch, const at::Tensor& tau,
                     LogProb log_prob) {
  const LaneEdits edits = params.edits(weights());
  const Prefix prefix = run_prefix(weights(), batch.tokens, edits.first_layer(weights().config.layers));
  return ipo_loss(pair_deltas(weights(), batch, prefix, edits, log_prob), tau);
}

void fill(LaneParams& params, std::uint64_t seed, double size) {
  for (auto& layer : params.layers())
    for (at::Tensor* values : {&layer.a, &layer.b}) {
      if (!values->defined()) continue;
      Random random(seed, layer.layer, values == &layer.a);
      for (std::int64_t i = 0; i < values->numel(); ++i)
        values->data_ptr<float>()[i] = static_cast<float>(size * (2 * random.uniform() - 1));
    }
}

class Gradient : public testing::TestWithParam<std::tuple<EditRead, LogProb, EditFrom>> {};

/// Along a random direction in all parameters: (f(x + h d) - f(x - h d)) / 2h against <gradient, d>.
TEST_P(Gradient, FiniteDifferences) {
  const auto [read, log_prob, from] = GetParam();
  TrainingSpec spec{.log_prob = log_prob, .read = read, .edit_from = from};
  const std::vector<LaneSpec> lanes = {lane({{1, 2}, {4, 0}, {4, 6}}), lane({{4, 1}}, 0.02, 0.3)};
  LaneParams params = LaneParams::start(EditKind::optimal, lanes, spec, weights());
  fill(params, 1, 0.1);
  const PairBatch batch = pack_pairs(weights(), some_pairs(6), spec);
  const at::Tensor tau = tau_of(lanes, at::kCPU);
  std::vector<at::Tensor*> values;
  for (auto& layer : params.layers())
    for (at::Tensor* value : {&layer.a, &layer.b})
      if (value->defined()) values.push_back(value);
  for (at::Tensor* value : values) value->requires_grad_(true);
  losses_of(params, batch, tau, log_prob).sum().backward();
  std::vector<at::Tensor> at_point, gradients, directions;
  double expected = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    at_point.push_back(values[i]->detach().clone());
    gradients.push_back(values[i]->grad().clone());
    directions.push_back(gradients[i] / (gradients[i].norm() + 1e-12));
    expected += (gradients[i] * directions[i]).sum().item<double>();
    values[i]->requires_grad_(false);
  }
  const auto at_step = [&](double h) {
    for (std::size_t i = 0; i < values.size(); ++i) *values[i] = at_point[i] + h * directions[i];
    return losses_of(params, batch, tau, log_prob).sum().item<double>();
  };
  const auto difference = [&](double h) { return (at_step(h) - at_step(-h)) / (2 * h); };
  const double measured = (4 * difference(1e-2) - difference(2e-2)) / 3;  // the error of third order cancels
  EXPECT_GT(expected, 1e-3);
  EXPECT_NEAR(measured / expected, 1.0, 5e-3);
}

INSTANTIATE_TEST_SUITE_P(Edits, Gradient,
                         testing::Values(std::tuple{EditRead::layer, LogProb::sum, EditFrom::all},
                                         std::tuple{EditRead::heads, LogProb::mean, EditFrom::all},
                                         std::tuple{EditRead::constant, LogProb::sum, EditFrom::last_prompt},
                                         std::tuple{EditRead::layer, LogProb::mean, EditFrom::iti_code}));

TEST(Objective, SumAndMeanAgreeWithTheirDefinitions) {
  const std::vector<Pair> pairs = some_pairs(5);
  for (const LogProb log_prob : {LogProb::sum, LogProb::mean}) {
    TrainingSpec spec{.log_prob = log_prob};
    std::vector<double> expected;
    for (const Pair& pair : pairs) {
      const TokenBatch plain = pack({{.prompt = pair.prompt, .answers = {pair.chosen}},
                                     {.prompt = pair.prompt, .answers = {pair.rejected}}},
                                    Keep::answers, at::kCPU);
      const at::Tensor sums = answer_log_probs(
          weights(), plain, run_lanes(weights(), plain, run_prefix(weights(), plain, 8), {}))[0];
      const auto length = [&](const std::vector<int>& ids) {
        return log_prob == LogProb::mean ? static_cast<double>(ids.size()) : 1.0;
      };
      expected.push_back(sums[0].item<double>() / length(pair.chosen) -
                         sums[1].item<double>() / length(pair.rejected));
    }
    const at::Tensor reference = pack_pairs(weights(), pairs, spec).reference;
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(reference[static_cast<std::int64_t>(i)].item<double>(), expected[i], 2e-5);
  }
}

/// An edit far from zero gives one delta per lane by packed trees, and the same by two plain sequences.
TEST(Objective, PackedPairsEqualSeparateSequences) {
  const std::vector<Pair> pairs = some_pairs(4);
  const TrainingSpec spec;
  LaneParams params = LaneParams::start(EditKind::optimal, {lane({{2, 3}})}, spec, weights());
  fill(params, 3, 0.4);
  const LaneEdits edits = params.edits(weights());
  const PairBatch batch = pack_pairs(weights(), pairs, spec);
  const at::Tensor deltas =
      pair_deltas(weights(), batch, run_prefix(weights(), batch.tokens, 2), edits, LogProb::sum)[0];
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    double delta = 0;
    for (const auto& [answer, sign] :
         {std::pair{&pairs[i].chosen, 1.0}, std::pair{&pairs[i].rejected, -1.0}}) {
      const TokenBatch plain =
          pack({{.prompt = pairs[i].prompt, .answers = {*answer}}}, Keep::answers, at::kCPU);
      const auto total = [&](const LaneEdits& with) {
        return answer_log_probs(weights(), plain,
                                run_lanes(weights(), plain, run_prefix(weights(), plain, 0), with))
            .item<double>();
      };
      delta += sign * (total(edits) - total({}));
    }
    EXPECT_NEAR(deltas[static_cast<std::int64_t>(i)].item<double>(), delta, 1e-4);
  }
}

TrainingData data_of(const std::vector<Pair>& pairs, const TrainingSpec& spec) {
  return pack_training(weights(), pairs, spec, 0, 0);
}

TEST(Training, LanesDoNotSeeTheirNeighbours) {
  const TrainingSpec spec{.batch = 4, .epochs = 3};
  const TrainingData data = data_of(some_pairs(16), spec);
  const std::vector<LaneSpec> all = {lane({{0, 4}}), lane({{2, 1}, {5, 5}}, 0.01),
                                     lane({{3, 3}}, 0.03, 0.5, 7)};
  LaneParams together = LaneParams::start(EditKind::optimal, all, spec, weights());
  train_lanes(weights(), data, all, spec, together, [] {});
  for (std::size_t k = 0; k < all.size(); ++k) {
    LaneParams alone = LaneParams::start(EditKind::optimal, {all[k]}, spec, weights());
    train_lanes(weights(), data, {all[k]}, spec, alone, [] {});
    const auto one = alone.layers_of(0), many = together.layers_of(static_cast<int>(k));
    ASSERT_EQ(one.size(), many.size());
    for (std::size_t i = 0; i < one.size(); ++i) {
      EXPECT_LT(largest_difference(at::tensor(one[i].a), at::tensor(many[i].a)), 2e-3) << k;
      EXPECT_LT(largest_difference(at::tensor(one[i].b), at::tensor(many[i].b)), 2e-3) << k;
    }
  }
}

TEST(Training, ALaneThatTurnsNanFailsAlone) {
  const TrainingSpec spec{.batch = 4, .epochs = 2};
  const TrainingData data = data_of(some_pairs(12), spec);
  const std::vector<LaneSpec> all = {lane({{1, 1}}), lane({{1, 2}}), lane({{3, 0}})};
  LaneParams healthy = LaneParams::start(EditKind::optimal, all, spec, weights());
  train_lanes(weights(), data, all, spec, healthy, [] {});
  LaneParams params = LaneParams::start(EditKind::optimal, all, spec, weights());
  params.layers().front().a[1].fill_(std::numeric_limits<float>::infinity());
  params.layers().front().b[1].narrow(0, 32, 16).fill_(1);
  const TrainedLanes trained = train_lanes(weights(), data, all, spec, params, [] {});
  EXPECT_EQ(trained.failed[0], "");
  EXPECT_EQ(trained.failed[2], "");
  EXPECT_EQ(trained.failed[1].substr(0, 12), "step 0 of 6:");
  for (const int k : {0, 2})
    for (std::size_t i = 0; i < healthy.layers_of(k).size(); ++i)
      EXPECT_EQ(params.layers_of(k)[i].b, healthy.layers_of(k)[i].b) << "lane " << k;
}

TEST(Training, LowersTheLossAndTellsOfIt) {
  const TrainingSpec spec{.batch = 8, .epochs = 12, .converged_slope = 0.05};
  const std::vector<Pair> pairs = some_pairs(32);
  const TrainingData data = data_of(pairs, spec);
  std::vector<LaneSpec> all = {lane({}, 0.005)};
  for (int layer = 0; layer < 8; ++layer)
    for (int head = 0; head < 8; ++head) all[0].heads.push_back({layer, head});
  LaneParams params = LaneParams::start(EditKind::optimal, all, spec, weights());
  int ticks = 0;
  const TrainedLanes trained = train_lanes(weights(), data, all, spec, params, [&] { ++ticks; });
  EXPECT_EQ(ticks, 48);
  EXPECT_EQ(trained.training[0].steps, 48);
  EXPECT_NEAR(trained.training[0].curve.front(), 25, 1e-3) << "a zero edit has the loss (1 / (2 tau))^2";
  EXPECT_LT(trained.training[0].train_loss, 12);
  const PairScores scores = score_pairs(weights(), pack_evaluation(weights(), pairs, spec),
                                        params.edits(weights()), tau_of(all, at::kCPU), LogProb::sum);
  EXPECT_LT(scores.loss.item<double>(), 12);
  EXPECT_GT(scores.margin.item<double>(), 1.5);
}

TEST(Training, FollowsTheRecordedTraces) {
  const Json recorded =
      read_json_file(std::filesystem::path(HEADSWEEP_ROOT) / "tests/parity/training_trace.json");
  std::vector<Pair> pairs;
  for (const Json& row : recorded["pairs"])
    pairs.push_back(
        {.question = 0, .prompt = row["prompt"], .chosen = row["chosen"], .rejected = row["rejected"]});
  const TrainingSpec spec{.batch = recorded["batch"], .clip = 0};
  const std::vector<PairBatch> cycle = pack_evaluation(weights(), pairs, spec);
  TrainingData data;
  const std::size_t steps = recorded["steps"];
  for (std::size_t step = 0; step < steps; ++step) data.batches.push_back(cycle[step % cycle.size()]);
  for (const Json& trace : recorded["traces"]) {
    std::vector<Head> heads;
    for (const Json& head : trace["heads"]) heads.push_back(parse_head(head.get<std::string>(), "trace"));
    const std::vector<LaneSpec> lanes = {lane(heads, recorded["learning_rate"], recorded["tau"])};
    LaneParams params = LaneParams::start(EditKind::optimal, lanes, spec, weights());
    for (auto& layer : params.layers())
      layer.a = at::tensor(trace["a"][cat(layer.layer)].get<std::vector<float>>()).unsqueeze(0);
    const TrainedLanes trained = train_lanes(weights(), data, lanes, spec, params, [] {});
    for (const char* method : {"lean_hook", "lean_peft"}) {
      double worst = 0;
      for (std::size_t step = 0; step < steps; ++step)
        worst =
            std::max(worst, std::abs(trained.training[0].curve[step] - trace[method][step].get<double>()));
      EXPECT_LT(worst, 2e-3) << method << " at " << trace["heads"].dump();
      std::printf("largest difference of a loss from %s: %.2g nats^2\n", method, worst);
    }
  }
}

}  // namespace
}  // namespace headsweep
