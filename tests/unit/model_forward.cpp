// model: the packed forward of many lanes against the plain one, text by text and lane by lane; every prefix;
// the bits.
#include <gtest/gtest.h>

#include <limits>

#include "unit/devices.hpp"
#include "unit/model_support.hpp"

namespace headsweep {
namespace {

using namespace model_test;

constexpr double tolerance = 1e-5;  // nats, or of states of size 1; a plain forward in float32 strays by 2e-6

class ModelForward : public testing::Test {
 protected:
  ModelForward() { at::set_num_threads(1); }
  const Weights weights_ = random_weights();
  const plain::Forward plain_{weights_};
  const std::vector<TokenTree> trees_ = random_trees(7);
  const TokenBatch batch_ = pack(trees_, Keep::answers, at::kCPU);
};

/// The parameter counts edit_sets().
class ModelForwardEdited : public ModelForward, public testing::WithParamInterface<int> {
 protected:
  const LaneEdits edits_ = edits_of_set(GetParam());
};

TEST_P(ModelForwardEdited, EqualsSeparateTextsAndLanes) {
  const at::Tensor entries = plain_.entries(trees_, plain::in_double(edits_)),
                   answers = plain_.answers(trees_, plain::in_double(edits_));
  for (const at::Device device : devices_here()) {
    const Weights weights = on(weights_, device);
    const TokenBatch batch = pack(trees_, Keep::answers, device);
    const at::Tensor states = states_of(weights, batch, on(edits_, device));
    ASSERT_EQ(states.sizes(), (std::vector<std::int64_t>{edits_.lanes, batch.kept.size(0), 20}));
    EXPECT_LT(largest_difference(entry_log_probs(weights, batch, states).cpu(), entries), tolerance);
    EXPECT_LT(largest_difference(answer_log_probs(weights, batch, states).cpu(), answers), 2 * tolerance);
    EXPECT_GT(largest_difference(states, states_of(weights, batch, {edits_.lanes, {}})), 0.1);
  }
}

TEST_P(ModelForwardEdited, EveryPrefixGivesTheSame) {
  const int first = edits_.first_layer(4);
  const at::Tensor states = states_of(weights_, batch_, edits_);
  for (int layer = 0; layer < first; ++layer)
    EXPECT_LT(largest_difference(states, states_of(weights_, batch_, edits_, layer)), tolerance) << layer;
  EXPECT_LT(largest_difference(states, run_lanes(weights_, batch_, {}, edits_)), tolerance);
  EXPECT_THROW(states_of(weights_, batch_, edits_, first + 1), std::logic_error);
}

TEST_P(ModelForwardEdited, LanesEqualOneAtATime) {
  const at::Tensor together = states_of(weights_, batch_, edits_);
  for (int lane = 0; lane < edits_.lanes; ++lane)
    EXPECT_LT(largest_difference(together[lane], states_of(weights_, batch_, lane_of(edits_, lane))[0]),
              tolerance);
}

INSTANTIATE_TEST_SUITE_P(Sets, ModelForwardEdited, testing::Range(0, static_cast<int>(edit_sets().size())),
                         [](const auto& set) { return set_name(set.param); });

TEST(ModelForwardShapes, EqualThePlainForward) {
  at::set_num_threads(1);
  const std::vector<TokenTree> trees = random_trees(5, 3);
  for (const auto& [name, weights, edits] : odd_shapes()) {
    const at::Tensor expected = plain::Forward(weights).entries(trees, plain::in_double(edits));
    for (const at::Device device : devices_here()) {
      const Weights there = on(weights, device);
      const TokenBatch batch = pack(trees, Keep::answers, device);
      const at::Tensor states = states_of(there, batch, on(edits, device));
      EXPECT_LT(largest_difference(entry_log_probs(there, batch, states).cpu(), expected), tolerance)
          << name << " on " << device;
    }
  }
}

TEST_F(ModelForward, RunningTextEqualsAnswersOfEveryToken) {
  Random random(0, "text");
  const LaneEdits edits = mixed_edits();
  std::vector<TokenTree> texts, answers;
  for (const int tokens : {9, 2, 31}) {
    const std::vector<int> ids = random_ids(tokens, random);
    texts.push_back({ids, {}, 0});
    answers.push_back({{ids[0]}, {{ids.begin() + 1, ids.end()}}, 0});
  }
  const TokenBatch batch = pack(texts, Keep::all, at::kCPU);
  EXPECT_LT(largest_difference(entry_log_probs(weights_, batch, states_of(weights_, batch, edits)),
                               plain_.entries(answers, plain::in_double(edits))),
            tolerance);
}

TEST_F(ModelForward, UneditedLanesAreTheModel) {
  const LaneEdits none{3, {}};
  const at::Tensor expected = plain_.entries(trees_);
  for (int layer = 0; layer <= 4; ++layer) {
    const at::Tensor states = states_of(weights_, batch_, none, layer);
    ASSERT_EQ(states.size(0), 3);
    EXPECT_LT(largest_difference(entry_log_probs(weights_, batch_, states), expected), tolerance) << layer;
  }
}

TEST_F(ModelForward, EditsActFromTheirStartOn) {
  std::vector<TokenTree> shifted = trees_;
  for (TokenTree& tree : shifted) tree.edit_start = 1000;
  const TokenBatch never = pack(shifted, Keep::answers, at::kCPU);
  EXPECT_LT(
      largest_difference(states_of(weights_, never, mixed_edits()), states_of(weights_, never, {3, {}})),
      tolerance);
}

TEST_F(ModelForward, HeadOutputsAreWhatOProjReads) {
  const std::vector<TokenTree> texts = without_answers(trees_);
  const TokenBatch batch = pack(texts, Keep::last, at::kCPU);
  const at::Tensor outputs = head_outputs(weights_, batch);
  ASSERT_EQ(outputs.sizes(), (std::vector<std::int64_t>{7, 4, 24}));
  std::vector<Prefix> prefixes;
  for (int layer = 0; layer < 4; ++layer) prefixes.push_back(run_prefix(weights_, batch, layer));
  for (std::size_t tree = 0; tree < texts.size(); ++tree) {
    const auto row = static_cast<std::int64_t>(tree);
    std::vector<at::Tensor> expected;
    plain_.states({texts[tree].prompt}, {}, 0, &expected);
    for (std::size_t layer = 0; layer < 4; ++layer) {
      EXPECT_LT(largest_difference(outputs[row][static_cast<std::int64_t>(layer)], expected[layer][-1]),
                tolerance);
      EXPECT_LT(largest_difference(prefixes[layer].outputs[batch.kept[row].item<std::int64_t>()],
                                   expected[layer][-1]),
                tolerance);
    }
  }
}

TEST_F(ModelForward, AMemoGivesThePrefixesOfOneLayerAtATime) {
  const TokenBatch other = pack(random_trees(3, 1), Keep::answers, at::kCPU);
  const auto same = [](const Prefix& a, const Prefix& b) {
    const bool outputs = a.outputs.defined() ? at::equal(a.outputs, b.outputs) : !b.outputs.defined();
    return a.layer == b.layer && outputs && at::equal(a.residual, b.residual);
  };
  PrefixMemo memo(weights_), forgetful(weights_, false);
  for (const int layer : {1, 1, 3, 4, 1, 0})
    for (const TokenBatch* batch : {&batch_, &other}) {
      const Prefix expected = run_prefix(weights_, *batch, layer), known = memo.at(*batch, layer);
      EXPECT_TRUE(same(known, expected));
      EXPECT_TRUE(same(forgetful.at(*batch, layer), expected));
      EXPECT_TRUE(known.residual.is_same(memo.at(*batch, layer).residual)) << "computed once";
    }
  EXPECT_FALSE(forgetful.at(other, 0).residual.is_same(forgetful.at(other, 0).residual));
  const at::Tensor kept = memo.at(batch_, 2).residual;
  static_cast<void>(memo.at(batch_, 3));
  EXPECT_FALSE(kept.is_same(memo.at(batch_, 2).residual)) << "the memory of another layer is given up";
}

}  // namespace
}  // namespace headsweep
