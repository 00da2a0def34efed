// model: the packed forward of many lanes against plainer ways to the same numbers: one sequence at a time,
// one lane at a time, every prefix, finite differences.
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>

#include "unit/model_support.hpp"

namespace headsweep {
namespace {

using namespace model_test;

constexpr double tolerance = 1e-11;  // float64 sums in another order

/// Where bits are compared, they are those of float32.
class ModelBits : public testing::Test {
 protected:
  ModelBits() { at::set_num_threads(1); }
  const Weights weights_ = as(at::kFloat, random_weights());
  const TokenBatch batch_ = pack(random_trees(7), Keep::answers, at::kCPU);
  const LaneEdits edits_ = as(at::kFloat, random_edits());
};

class ModelForward : public testing::Test {
 protected:
  ModelForward() { at::set_num_threads(1); }
  const Weights weights_ = random_weights();
  const std::vector<TokenTree> trees_ = random_trees(7);
  const TokenBatch batch_ = pack_double(trees_, Keep::answers);
  const LaneEdits edits_ = random_edits();
};

TEST_F(ModelForward, TreesEqualSeparateSequences) {
  const at::Tensor together = answer_log_probs(weights_, batch_, states_of(weights_, batch_, edits_));
  std::int64_t answer_index = 0;
  for (const TokenTree& tree : trees_) {
    for (const auto& answer : tree.answers) {
      const TokenBatch alone = pack_double({{tree.prompt, {answer}, tree.edit_start}}, Keep::answers);
      const at::Tensor sums = answer_log_probs(weights_, alone, states_of(weights_, alone, edits_));
      EXPECT_LT(largest_difference(together.select(1, answer_index++), sums.select(1, 0)), tolerance);
    }
  }
  EXPECT_EQ(answer_index, batch_.answers);
}

TEST_F(ModelForward, RunningTextEqualsAnswersOfEveryToken) {
  Random random(0, "text");
  const std::vector<int> ids = random_ids(9, random);
  const TokenBatch texts = pack_double({{ids, {}, 0}}, Keep::all);
  const at::Tensor all = entry_log_probs(weights_, texts, states_of(weights_, texts, edits_));
  const TokenBatch answer = pack_double({{{ids[0]}, {{ids.begin() + 1, ids.end()}}, 0}}, Keep::answers);
  EXPECT_LT(largest_difference(all, entry_log_probs(weights_, answer, states_of(weights_, answer, edits_))),
            tolerance);
}

TEST_F(ModelForward, LanesEqualOneAtATime) {
  const at::Tensor together = states_of(weights_, batch_, edits_);
  ASSERT_EQ(together.sizes(), (std::vector<std::int64_t>{3, batch_.kept.size(0), 20}));
  for (int lane = 0; lane < edits_.lanes; ++lane)
    EXPECT_LT(largest_difference(together[lane], states_of(weights_, batch_, lane_of(edits_, lane))[0]),
              tolerance);
}

TEST_F(ModelForward, EveryPrefixGivesTheSame) {
  LaneEdits late = edits_;
  late.layers.erase(1);
  late.layers.erase(2);
  const at::Tensor whole = states_of(weights_, batch_, late, 0);
  for (int layer = 1; layer <= 3; ++layer)
    EXPECT_LT(largest_difference(whole, states_of(weights_, batch_, late, layer)), tolerance) << layer;
  const LaneEdits none{3, {}};
  const at::Tensor unedited = states_of(weights_, batch_, none, 4);
  EXPECT_EQ(unedited.size(0), 3);
  for (int layer = 0; layer <= 3; ++layer)
    EXPECT_LT(largest_difference(unedited, states_of(weights_, batch_, none, layer)), tolerance) << layer;
  EXPECT_THROW(states_of(weights_, batch_, late, 4), std::logic_error);
}

TEST_F(ModelForward, EditsActFromTheirStartOn) {
  std::vector<TokenTree> shifted = trees_;
  for (TokenTree& tree : shifted) tree.edit_start = 1000;
  const TokenBatch never = pack_double(shifted, Keep::answers);
  EXPECT_LT(largest_difference(states_of(weights_, never, edits_), states_of(weights_, never, {3, {}})),
            tolerance);
  EXPECT_GT(largest_difference(states_of(weights_, batch_, edits_), states_of(weights_, batch_, {3, {}})),
            0.1);
}

TEST_F(ModelBits, AZeroEditChangesNoBit) {
  LaneEdits zero = edits_;
  for (auto& [layer, edit] : zero.layers) edit.write = at::zeros_like(edit.write);
  LaneEdits nothing_read = zero;
  for (auto& [layer, edit] : nothing_read.layers)
    if (edit.read.defined()) edit.read = at::zeros_like(edit.read);
  EXPECT_TRUE(at::equal(states_of(weights_, batch_, zero), states_of(weights_, batch_, nothing_read)));
  // At one K and one prefix, not even the presence of the edits can be told.
  LaneEdits ends = edits_;
  ends.layers.erase(2);
  ends.layers.erase(3);
  LaneEdits longer = ends;
  for (const int layer : {2, 3}) longer.layers[layer] = zero.layers.at(layer);
  EXPECT_TRUE(at::equal(states_of(weights_, batch_, ends), states_of(weights_, batch_, longer)));
}

TEST_F(ModelBits, ALaneThatFailsFailsAlone) {
  const at::Tensor sound = states_of(weights_, batch_, edits_);
  for (const double poison :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    LaneEdits broken = edits_;
    broken.layers[1].write = edits_.layers.at(1).write.clone();
    broken.layers[1].write[1].fill_(poison);
    const at::Tensor states = states_of(weights_, batch_, broken);
    EXPECT_TRUE(at::equal(states[0], sound[0]));
    EXPECT_TRUE(at::equal(states[2], sound[2]));
    EXPECT_TRUE(states[1].isnan().any().item<bool>());
  }
}

TEST_F(ModelBits, TheSameCallGivesTheSameBits) {
  EXPECT_TRUE(at::equal(states_of(weights_, batch_, edits_), states_of(weights_, batch_, edits_)));
}

TEST_F(ModelForward, HeadOutputsAreWhatOProjReads) {
  const at::Tensor outputs = head_outputs(weights_, batch_);
  ASSERT_EQ(outputs.sizes(), (std::vector<std::int64_t>{batch_.kept.size(0), 4, 24}));
  for (int layer = 0; layer < 4; ++layer) {
    const Prefix prefix = run_prefix(weights_, batch_, layer);
    EXPECT_LT(largest_difference(outputs.select(1, layer), prefix.outputs.index_select(0, batch_.kept)),
              tolerance);
  }
}

TEST_F(ModelForward, GradientsEqualFiniteDifferences) {
  LaneEdits edits = edits_;
  std::vector<at::Tensor> inputs;
  for (auto& [layer, edit] : edits.layers)
    for (at::Tensor* tensor : {&edit.read, &edit.write})
      if (tensor->defined()) inputs.push_back((*tensor = (*tensor * 0.3).requires_grad_()));
  const auto loss = [&] {
    const at::Tensor sums = answer_log_probs(weights_, batch_, states_of(weights_, batch_, edits));
    return (sums * at::arange(1, sums.numel() + 1, at::kDouble).sin().view_as(sums)).sum();
  };
  const auto gradients = torch::autograd::grad({loss()}, inputs);
  Random random(1, "directions");
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const at::Tensor direction = draw({inputs[i].size(0), inputs[i].size(1)}, random);
    const double step = 1e-5, slope = (gradients[i] * direction).sum().item<double>();
    inputs[i].add_(direction, step);
    const double above = loss().item<double>();
    inputs[i].add_(direction, -2 * step);
    const double below = loss().item<double>();
    inputs[i].add_(direction, step);
    EXPECT_NEAR((above - below) / (2 * step) / slope, 1.0, 1e-6) << i;
  }
}

}  // namespace
}  // namespace headsweep
