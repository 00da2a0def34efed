// edit against peft: LoRA of rank 4 at all linear layers and at some, as tests/parity/make_lora.py has
// written it to the folder HEADSWEEP_LORA_PARITY. Skipped without it. The lanes of a case are trained beside
// each other.
#include <gtest/gtest.h>

#include <cstdlib>
#include <headsweep/edit.hpp>
#include <headsweep/json.hpp>

namespace headsweep {
namespace {

namespace fs = std::filesystem;
using Rows = std::vector<EditLayer>;

EditTarget target_of(const std::string& name) {
  for (const EditTarget target : edit_targets)
    if (to_text(target) == name) return target;
  throw std::logic_error(name);
}

Rows rows_of(const Json& stored) {
  Rows rows;
  for (const Json& row : stored)
    rows.push_back({.layer = row["layer"], .target = target_of(row["target"]), .a = row["a"], .b = row["b"]});
  return rows;
}

/// |found - expected| / |expected| of all values, row by row of the same layer, target and rank.
double difference(Rows found, Rows expected) {
  const auto before = [](const EditLayer& one, const EditLayer& other) {
    return std::pair(one.layer, one.target) < std::pair(other.layer, other.target);
  };
  std::stable_sort(expected.begin(), expected.end(), before);
  EXPECT_TRUE(std::is_sorted(found.begin(), found.end(), before));
  EXPECT_EQ(found.size(), expected.size());
  double squares = 0, all = 0;
  for (std::size_t i = 0; i < found.size(); ++i)
    for (const auto member : {&EditLayer::a, &EditLayer::b}) {
      const at::Tensor one = at::tensor(found[i].*member), other = at::tensor(expected[i].*member);
      squares += (one - other).square().sum().item<double>();
      all += other.square().sum().item<double>();
    }
  return std::sqrt(squares / all);
}

/// A model with adapters, and what peft says of them.
struct Case {
  std::string name;
  Json expected;
  Weights weights;
  std::vector<Pair> pairs;
  std::vector<LaneSpec> lanes;
  TrainingSpec spec;

  [[nodiscard]] LaneParams params(const char* which) const {
    std::vector<Rows> rows;
    for (const Json& lane : expected["lanes"]) rows.push_back(rows_of(lane[which]));
    return LaneParams::restore(EditKind::lora, rows, weights);
  }
};

std::vector<Case> read_cases() {
  std::vector<Case> cases;
  for (const auto& entry : fs::directory_iterator(std::getenv("HEADSWEEP_LORA_PARITY"))) {
    if (entry.path().extension() != ".json") continue;
    Case found{.name = entry.path().stem(), .expected = read_json_file(entry.path())};
    const fs::path folder = entry.path().parent_path() / found.expected["model"].get<std::string>();
    found.weights = load_weights(folder, read_config(folder), {});
    for (const Json& pair : found.expected["pairs"])
      found.pairs.push_back(
          {.question = 0, .prompt = pair["prompt"], .chosen = pair["chosen"], .rejected = pair["rejected"]});
    for (const Json& lane : found.expected["lanes"])
      found.lanes.push_back({.heads = {}, .strength = lane["tau"], .learning_rate = lane["learning_rate"]});
    found.spec.batch = found.expected["batch"];
    cases.push_back(std::move(found));
  }
  return cases;
}

class LoraParity : public testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("HEADSWEEP_LORA_PARITY") == nullptr)
      GTEST_SKIP() << "HEADSWEEP_LORA_PARITY names no folder";
    cases_ = read_cases();
    ASSERT_EQ(cases_.size(), 6U);
  }
  static void report(const Case& one, const char* what, double difference) {
    std::printf("%-14s %-24s %.2g\n", one.name.c_str(), what, difference);
  }
  std::vector<Case> cases_;
};

TEST_F(LoraParity, LogProbabilities) {
  for (const Case& one : cases_) {
    std::vector<TokenTree> trees;
    for (const Pair& pair : one.pairs) trees.push_back({pair.prompt, {pair.chosen, pair.rejected}, 0});
    const TokenBatch batch = pack(trees, Keep::answers, at::kCPU);
    const LaneEdits edits = one.params("edit").edits(one.weights);
    const Prefix prefix = run_prefix(one.weights, batch, edits.first_layer(one.weights.config.layers));
    const at::Tensor found =
        answer_log_probs(one.weights, batch, run_lanes(one.weights, batch, prefix, edits));
    double worst = 0;
    for (std::size_t lane = 0; lane < one.lanes.size(); ++lane) {
      std::vector<float> expected;
      for (const Json& pair : one.expected["lanes"][lane]["scores"])
        for (const float score : pair) expected.push_back(score);
      const at::Tensor of_lane = found[static_cast<std::int64_t>(lane)];
      worst = std::max(worst, (of_lane - at::tensor(expected)).abs().max().item<double>());
    }
    EXPECT_LT(worst, 2e-5) << one.name;
    report(one, "log-probabilities", worst);
  }
}

TEST_F(LoraParity, GradientsOfAStep) {
  for (const Case& one : cases_) {
    const LaneParams params = one.params("edit");
    const LaneEdits edits = params.edits(one.weights);
    TrainingSpec whole = one.spec;
    whole.batch = static_cast<int>(one.pairs.size());
    const PairBatch batch = pack_evaluation(one.weights, one.pairs, whole).front();
    const LossGradient loss = loss_gradient(one.weights, batch, run_prefix(one.weights, batch.tokens, -1),
                                            edits, tau_of(one.lanes, at::kCPU), LogProb::sum);
    LaneParams gradients = params;  // of the same shape, to be read as rows
    const auto found = params.gradients(one.weights, loss.gradients);
    for (std::size_t i = 0; i < found.size(); ++i) {
      gradients.layers()[i].a = found[i].a;
      gradients.layers()[i].b = found[i].b;
    }
    double worst = 0;
    for (std::size_t lane = 0; lane < one.lanes.size(); ++lane) {
      const Json& expected = one.expected["lanes"][lane];
      EXPECT_NEAR(loss.losses[static_cast<std::int64_t>(lane)].item<double>(), expected["loss"].get<double>(),
                  1e-4 * expected["loss"].get<double>());
      worst = std::max(
          worst, difference(gradients.layers_of(static_cast<int>(lane)), rows_of(expected["gradient"])));
    }
    EXPECT_LT(worst, 2e-5) << one.name;
    report(one, "gradients", worst);
  }
}

TEST_F(LoraParity, ATrainingStepByStep) {
  for (const Case& one : cases_) {
    const std::vector<PairBatch> cycle = pack_evaluation(one.weights, one.pairs, one.spec);
    TrainingData data{.batches = {}, .texts = {}, .keeps_prefixes = true};
    const std::size_t steps = one.expected["steps"];
    for (std::size_t step = 0; step < steps; ++step) data.batches.push_back(cycle[step % cycle.size()]);
    TrainingPrefixes prefixes(one.weights, data);
    LaneParams params = one.params("start");
    const TrainedLanes trained =
        train_lanes({.weights = one.weights, .data = data, .prefixes = prefixes, .spec = one.spec}, one.lanes,
                    params, [] {});
    double worst = 0, moved = 0;
    for (std::size_t lane = 0; lane < one.lanes.size(); ++lane) {
      const Json& expected = one.expected["lanes"][lane];
      for (std::size_t step = 0; step < steps; ++step) {
        const double due = expected["curve"][step];
        worst = std::max(worst, std::abs(trained.training[lane].curve[step] - due));
      }
      EXPECT_NEAR(trained.training[lane].gradient_norm, expected["last_norm"].get<double>(),
                  1e-3 * expected["last_norm"].get<double>());
      EXPECT_LT(expected["curve"].back().get<double>(), 0.9 * expected["curve"][1].get<double>())
          << "a training that learns";
      moved = std::max(moved, difference(params.layers_of(static_cast<int>(lane)), rows_of(expected["end"])));
    }
    EXPECT_LT(worst, 1e-4) << one.name << ", nats^2";
    EXPECT_LT(moved, 1e-3) << one.name;
    report(one, "losses of a training", worst);
    report(one, "A and B at its end", moved);
  }
}

TEST_F(LoraParity, GreedyAnswers) {
  for (const Case& one : cases_) {
    const Json& lanes = one.expected["lanes"];
    std::vector<TokenTree> prompts;
    for (const Pair& pair : one.pairs) prompts.push_back({pair.prompt, {}, 0});
    const auto room = static_cast<int>(lanes[0]["greedy"][0].size());
    const TokenBatch packed = pack(prompts, Keep::last, at::kCPU);
    Decoder decoder(one.weights, packed, one.params("edit").edits(one.weights), room);
    for (int token = 0; token < room; ++token) {
      const at::Tensor ids = decoder.logits().argmax(-1);
      for (std::size_t row = 0; row < lanes.size() * prompts.size(); ++row) {
        const Json& answer = lanes[row / prompts.size()]["greedy"][row % prompts.size()];
        EXPECT_EQ(ids[static_cast<std::int64_t>(row)].item<int>(), answer[static_cast<std::size_t>(token)])
            << one.name << " row " << row << " token " << token;
      }
      decoder.step(ids);
    }
  }
}

}  // namespace
}  // namespace headsweep
