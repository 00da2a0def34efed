// model against transformers: log-probabilities, edits, gradients and greedy answers that
// tests/parity/make_models.py has written to the folder HEADSWEEP_PARITY. Skipped without it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <headsweep/json.hpp>
#include <headsweep/model.hpp>

namespace headsweep {
namespace {

namespace fs = std::filesystem;

/// A list of numbers, or of lists of numbers.
at::Tensor tensor_of(const Json& rows) {
  if (rows.is_null()) return {};
  if (!rows[0].is_array()) return at::tensor(rows.get<std::vector<float>>());
  std::vector<at::Tensor> stacked;
  for (const Json& row : rows) stacked.push_back(tensor_of(row));
  return at::stack(stacked);
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

/// A model with what is expected of it.
struct Case {
  std::string name;
  Json expected;
  Weights weights;
  std::vector<TokenTree> trees;
  LaneEdits edits;
};

std::vector<Case> read_cases() {
  std::vector<Case> cases;
  for (const auto& entry : fs::directory_iterator(std::getenv("HEADSWEEP_PARITY"))) {
    if (entry.path().extension() != ".json") continue;
    const fs::path folder = entry.path().parent_path() / entry.path().stem();
    Case found{folder.filename(),
               read_json_file(entry.path()),
               load_weights(folder, read_config(folder), {}),
               {},
               {}};
    for (const Json& tree : found.expected["trees"])
      found.trees.push_back({tree["prompt"], tree["answers"], tree["edit_start"]});
    found.edits.lanes = static_cast<int>(found.expected["answers"].size());
    for (const Json& edit : found.expected["edits"]) {
      const auto lanes = edit["lanes"].get<std::vector<std::int64_t>>();
      const bool all = static_cast<int>(lanes.size()) == found.edits.lanes;
      found.edits.layers[edit["layer"]] = {all ? at::Tensor() : at::tensor(lanes), tensor_of(edit["read"]),
                                           tensor_of(edit["write"])};
    }
    cases.push_back(std::move(found));
  }
  return cases;
}

class ModelParity : public testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("HEADSWEEP_PARITY") == nullptr) GTEST_SKIP() << "HEADSWEEP_PARITY names no folder";
    cases_ = read_cases();
    ASSERT_GE(cases_.size(), 5U);
  }
  void report(const Case& model, const char* what, double difference) {
    std::printf("%-12s %-14s %.2g\n", model.name.c_str(), what, difference);
  }
  std::vector<Case> cases_;
};

TEST_F(ModelParity, LogProbabilities) {
  for (const Case& model : cases_) {
    const TokenBatch batch = pack(model.trees, Keep::answers, at::kCPU);
    const int layers = model.weights.config.layers;
    const auto states = run_lanes(model.weights, batch, run_prefix(model.weights, batch, layers), {});
    std::vector<at::Tensor> expected;
    for (const Json& answer : model.expected["entries"]) expected.push_back(tensor_of(answer));
    const double difference =
        largest_difference(entry_log_probs(model.weights, batch, states)[0], at::cat(expected));
    EXPECT_LT(difference, 1e-4) << model.name;
    report(model, "entries", difference);
  }
}

TEST_F(ModelParity, EditsAndTheirGradients) {
  for (Case& model : cases_) {
    const TokenBatch batch = pack(model.trees, Keep::answers, at::kCPU);
    const int first = model.edits.first_layer(model.weights.config.layers);
    Tape tape;
    const at::Tensor states =
        run_lanes(model.weights, batch, run_prefix(model.weights, batch, first), model.edits, &tape);
    const at::Tensor sums = answer_log_probs(model.weights, batch, states);
    const double difference = largest_difference(sums, tensor_of(model.expected["answers"]));
    EXPECT_LT(difference, 1e-4) << model.name;
    report(model, "answers", difference);

    const at::Tensor loss_weights = tensor_of(model.expected["loss_weights"]).expand_as(sums);
    const auto objective = [&](const at::Tensor& log_probs, std::int64_t lane) {
      return loss_weights.narrow(0, lane, log_probs.size(0));
    };
    const LaneEdits gradients = run_backward(model.weights, batch, model.edits, tape,
                                             answer_gradient(model.weights, batch, states, objective));
    double worst = 0;
    for (const Json& edit : model.expected["edits"]) {
      const LayerEdit& found = gradients.layers.at(edit["layer"]);
      for (const auto& [tensor, key] :
           {std::pair{found.read, "read_gradient"}, {found.write, "write_gradient"}}) {
        if (!tensor.defined()) continue;
        const at::Tensor expected = tensor_of(edit[key]);
        worst = std::max(worst, ((tensor - expected).norm() / expected.norm()).item<double>());
      }
    }
    EXPECT_LT(worst, 1e-4) << model.name;
    report(model, "gradients", worst);
  }
}

TEST_F(ModelParity, GreedyAnswers) {
  for (Case& model : cases_) {
    std::vector<TokenTree> prompts = model.trees;
    for (TokenTree& prompt : prompts) prompt.answers.clear();
    const auto& expected = model.expected["greedy"];  // [K][N][room]
    const auto room = static_cast<int>(expected[0][0].size());
    const TokenBatch packed = pack(prompts, Keep::last, at::kCPU);
    Decoder decoder(model.weights, packed, model.edits, room);
    for (int token = 0; token < room; ++token) {
      const at::Tensor ids = decoder.logits().argmax(-1).view({model.edits.lanes, -1});  // [K, N]
      for (std::size_t lane = 0; lane < expected.size(); ++lane)
        for (std::size_t prompt = 0; prompt < prompts.size(); ++prompt) {
          const auto at_lane = static_cast<std::int64_t>(lane), at_prompt = static_cast<std::int64_t>(prompt);
          EXPECT_EQ(ids[at_lane][at_prompt].item<int>(),
                    expected[lane][prompt][static_cast<std::size_t>(token)])
              << model.name << " lane " << lane << " prompt " << prompt << " token " << token;
        }
      decoder.step(ids.flatten());
    }
  }
}

}  // namespace
}  // namespace headsweep
