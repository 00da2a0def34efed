// edit: training: lanes beside each other, what stops alone, kept prefixes, the recorded loss traces.
#include <gtest/gtest.h>

#include <cmath>
#include <headsweep/json.hpp>
#include <limits>

#include "unit/edit_support.hpp"

namespace headsweep {
namespace {

using namespace edit_test;

TrainingData data_of(const std::vector<Pair>& pairs, const TrainingSpec& spec, at::Device device = at::kCPU) {
  return pack_training(weights(device), pairs, spec, 0, 0);
}
TrainedLanes train(
    const TrainingData& data, const std::vector<LaneSpec>& lanes, const TrainingSpec& spec,
    LaneParams& params, const std::function<void()>& tick = [] {}) {
  const Weights& there = weights(data.batches.front().reference.device());
  TrainingPrefixes prefixes(there, data);
  return train_lanes({there, data, prefixes, spec}, lanes, params, tick);
}

TEST(Training, LanesDoNotSeeTheirNeighbours) {
  const TrainingSpec spec{.batch = 4, .epochs = 3};
  const TrainingData data = data_of(some_pairs(16), spec);
  const std::vector<LaneSpec> all = {lane({{0, 4}}), lane({{2, 1}, {5, 5}}, 0.01),
                                     lane({{3, 3}}, 0.03, 0.5, 7)};
  LaneParams together = LaneParams::start(EditKind::optimal, all, spec, weights());
  train(data, all, spec, together);
  for (std::size_t k = 0; k < all.size(); ++k) {
    LaneParams alone = LaneParams::start(EditKind::optimal, {all[k]}, spec, weights());
    train(data, {all[k]}, spec, alone);
    const auto one = alone.layers_of(0), many = together.layers_of(static_cast<int>(k));
    ASSERT_EQ(one.size(), many.size());
    for (std::size_t i = 0; i < one.size(); ++i) {
      EXPECT_LT(largest_difference(at::tensor(one[i].a), at::tensor(many[i].a)), 2e-3) << k;
      EXPECT_LT(largest_difference(at::tensor(one[i].b), at::tensor(many[i].b)), 2e-3) << k;
    }
  }
}

void expect_to_fail_alone(at::Device device) {
  SCOPED_TRACE(device.str());
  const TrainingSpec spec{.batch = 4, .epochs = 2};
  const TrainingData data = data_of(some_pairs(12), spec, device);
  const std::vector<LaneSpec> all = {lane({{1, 1}}), lane({{1, 2}}), lane({{3, 0}})};
  LaneParams healthy = LaneParams::start(EditKind::optimal, all, spec, weights(device));
  const TrainedLanes sound = train(data, all, spec, healthy);
  LaneParams params = LaneParams::start(EditKind::optimal, all, spec, weights(device));
  params.layers().front().a[1].fill_(std::numeric_limits<float>::infinity());
  params.layers().front().b[1].narrow(0, 32, 16).fill_(1);
  const TrainedLanes trained = train(data, all, spec, params);
  EXPECT_EQ(trained.failed[0], "");
  EXPECT_EQ(trained.failed[2], "");
  EXPECT_EQ(trained.failed[1].substr(0, 12), "step 0 of 6:");
  for (const int k : {0, 2}) {
    const auto at_lane = static_cast<std::size_t>(k);
    EXPECT_EQ(trained.training[at_lane].curve, sound.training[at_lane].curve) << "lane " << k;
    for (std::size_t i = 0; i < healthy.layers_of(k).size(); ++i) {
      EXPECT_EQ(params.layers_of(k)[i].a, healthy.layers_of(k)[i].a) << "lane " << k;
      EXPECT_EQ(params.layers_of(k)[i].b, healthy.layers_of(k)[i].b) << "lane " << k;
    }
  }
}

TEST(Training, ALaneThatTurnsNanFailsAlone) {
  for (const at::Device device : devices_here()) expect_to_fail_alone(device);
}

TEST(Training, KeepsOrComputesPrefixesAlike) {
  const TrainingSpec spec{.batches = BatchKind::questions, .batch = 3, .epochs = 2};
  TrainingData data = data_of(some_pairs(9, 3), spec);
  const std::vector<LaneSpec> all = {lane({{2, 1}, {5, 5}}, 0.01), lane({{4, 4}}, 0.03)};
  std::vector<std::vector<float>> curves;
  for (const bool keeps : {true, false}) {
    data.keeps_prefixes = keeps;
    LaneParams params = LaneParams::start(EditKind::optimal, all, spec, weights());
    for (const Training& one : train(data, all, spec, params).training) curves.push_back(one.curve);
  }
  for (const std::size_t k : {0, 1})
    EXPECT_LT(largest_difference(at::tensor(curves[k]), at::tensor(curves[k + 2])), 2e-3) << "nats^2";
  EXPECT_GT(largest_difference(at::tensor(curves[0]), at::tensor(curves[1])), 0.1);
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
  const TrainedLanes trained = train(data, all, spec, params, [&] { ++ticks; });
  EXPECT_EQ(ticks, 48);
  EXPECT_EQ(trained.training[0].steps, 48);
  EXPECT_NEAR(trained.training[0].curve.front(), 25, 1e-3) << "a zero edit has the loss (1 / (2 tau))^2";
  EXPECT_LT(trained.training[0].train_loss, 12);
  PrefixMemo memo(weights());
  const std::vector<PairBatch> batches = pack_evaluation(weights(), pairs, spec);
  const PairScores scores =
      score_pairs(memo, batches, params.edits(weights()), tau_of(all, at::kCPU), LogProb::sum);
  EXPECT_LT(scores.loss.item<double>(), 12);
  EXPECT_GT(scores.margin.item<double>(), 1.5);
}

void follow_traces(const Json& recorded, at::Device device) {
  std::vector<Pair> pairs;
  for (const Json& row : recorded["pairs"])
    pairs.push_back(
        {.question = 0, .prompt = row["prompt"], .chosen = row["chosen"], .rejected = row["rejected"]});
  const TrainingSpec spec{.batch = recorded["batch"], .clip = 0};
  const std::vector<PairBatch> cycle = pack_evaluation(weights(device), pairs, spec);
  TrainingData data{.batches = {}, .texts = {}, .keeps_prefixes = false};
  const std::size_t steps = recorded["steps"];
  for (std::size_t step = 0; step < steps; ++step) data.batches.push_back(cycle[step % cycle.size()]);
  for (const Json& trace : recorded["traces"]) {
    std::vector<Head> heads;
    for (const Json& head : trace["heads"]) heads.push_back(parse_head(head.get<std::string>(), "trace"));
    const std::vector<LaneSpec> lanes = {lane(heads, recorded["learning_rate"], recorded["tau"])};
    LaneParams params = LaneParams::start(EditKind::optimal, lanes, spec, weights(device));
    for (auto& layer : params.layers())
      layer.a.copy_(at::tensor(trace["a"][cat(layer.layer)].get<std::vector<float>>()).unsqueeze(0));
    const TrainedLanes trained = train(data, lanes, spec, params);
    for (const char* method : {"lean_hook", "lean_peft"}) {
      double worst = 0;
      for (std::size_t step = 0; step < steps; ++step)
        worst =
            std::max(worst, std::abs(trained.training[0].curve[step] - trace[method][step].get<double>()));
      EXPECT_LT(worst, 2e-3) << method << " at " << trace["heads"].dump() << " on " << device;
      std::printf("largest difference of a loss from %s: %.2g nats^2\n", method, worst);
    }
  }
}

TEST(Training, FollowsTheRecordedTraces) {
  const Json recorded =
      read_json_file(std::filesystem::path(HEADSWEEP_ROOT) / "tests/parity/training_trace.json");
  for (const at::Device device : devices_here()) follow_traces(recorded, device);
}

}  // namespace
}  // namespace headsweep
