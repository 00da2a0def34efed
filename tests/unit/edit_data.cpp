// edit: what training is packed into: batches of pairs and of questions, their weights, prefixes kept and
// computed again.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "unit/edit_support.hpp"

namespace headsweep {
namespace {

using namespace edit_test;

/// All pairs of five questions, of which some are left out so that questions differ in their number.
std::vector<Pair> uneven_pairs() {
  std::vector<Pair> pairs = some_pairs(5, 0), uneven;
  for (std::size_t i = 0; i < pairs.size(); ++i)
    if (i % 5 != 2 && (pairs[i].question != pairs.front().question || i == 0)) uneven.push_back(pairs[i]);
  return uneven;
}

LaneEdits two_lanes(const TrainingSpec& spec) {
  LaneParams params =
      LaneParams::start(EditKind::optimal, {lane({{2, 1}, {5, 5}}), lane({{3, 3}})}, spec, weights());
  fill(params, 2, 0.1);
  return params.edits(weights());
}
const at::Tensor& tau() {
  static const at::Tensor both = at::tensor({0.1F, 0.4F});
  return both;
}

LossGradient loss_gradient_of(const PairBatch& batch, const LaneEdits& edits, LogProb log_prob) {
  return loss_gradient(weights(), batch, prefix_of(batch, edits), edits, tau(), log_prob);
}

/// The loss of each pair alone: [K, pairs].
at::Tensor losses_one_by_one(const std::vector<Pair>& pairs, const TrainingSpec& spec,
                             const LaneEdits& edits) {
  std::vector<at::Tensor> losses;
  for (const Pair& pair : pairs) {
    const PairBatch one = pack_pairs(weights(), {pair}, spec);
    losses.push_back(
        ipo_loss(pair_deltas(weights(), one, prefix_of(one, edits), edits, spec.log_prob), tau()));
  }
  return at::stack(losses, 1);
}

class TrainingBatches : public testing::TestWithParam<std::pair<BatchKind, LogProb>> {
 protected:
  TrainingBatches() { at::set_num_threads(1); }
  const TrainingSpec spec_{
      .log_prob = GetParam().second, .batches = GetParam().first, .batch = 2, .epochs = 2};
  const std::vector<Pair> pairs_ = uneven_pairs();
  const TrainingData data_ = pack_training(weights(), pairs_, spec_, 3, 1);
  const LaneEdits edits_ = two_lanes(spec_);
};

TEST_P(TrainingBatches, EveryEpochSeesEveryPairOnce) {
  const bool questions = spec_.batches == BatchKind::questions;
  const std::size_t steps = questions ? 3 : (pairs_.size() + 1) / 2;
  ASSERT_EQ(data_.batches.size(), 2 * steps);
  const at::Tensor expected = losses_one_by_one(pairs_, spec_, edits_);  // [K, pairs]
  for (std::size_t epoch = 0; epoch < 2; ++epoch) {
    at::Tensor weighted = at::zeros({2});
    std::vector<at::Tensor> deltas;
    double counted = 0;
    for (std::size_t step = 0; step < steps; ++step) {
      const PairBatch& batch = data_.batches[epoch * steps + step];
      const auto pairs = static_cast<double>(batch.chosen.size(0));
      deltas.push_back(pair_deltas(weights(), batch, prefix_of(batch, edits_), edits_, spec_.log_prob));
      const at::Tensor losses = loss_gradient_of(batch, edits_, spec_.log_prob).losses;
      EXPECT_LT(relative_difference(losses, ipo_loss(deltas.back(), tau())), 1e-6) << "without the weight";
      weighted += batch.weight * losses / static_cast<double>(steps);
      counted += pairs;
      if (!questions) EXPECT_EQ(batch.weight, 1);
    }
    EXPECT_EQ(counted, static_cast<double>(pairs_.size()));
    const at::Tensor seen = at::cat(deltas, 1) - 0.5 / tau().unsqueeze(1);
    EXPECT_LT(largest_difference(std::get<0>(seen.square().sort(1)), std::get<0>(expected.sort(1))), 2e-3)
        << "the same pairs in another order";
    if (questions) EXPECT_LT(relative_difference(weighted, expected.mean(1)), 1e-5);
  }
  const auto first = data_.batches[0].tokens.ids, second = data_.batches[steps].tokens.ids;
  EXPECT_FALSE(at::equal(first, second)) << "epochs have orders of their own";
}

/// The gradient of a step is that of its pairs, one by one, together.
TEST_P(TrainingBatches, AStepsGradientIsTheMeanOfItsPairs) {
  for (const std::size_t step : {std::size_t{0}, data_.batches.size() / 2 - 1}) {
    const PairBatch& batch = data_.batches[step];
    // Which pairs these are is read off the order that packing promises.
    const bool questions = spec_.batches == BatchKind::questions;
    std::vector<std::vector<Pair>> texts;
    for (const Pair& pair : pairs_)
      if (questions && !texts.empty() && texts.back().front().question == pair.question)
        texts.back().push_back(pair);
      else
        texts.push_back({pair});
    const std::vector<int> order = pair_order(static_cast<int>(texts.size()), 3, 1, 0);
    std::vector<Pair> own;
    for (std::size_t i = 2 * step; i < std::min(texts.size(), 2 * step + 2); ++i) {
      const auto& text = texts[static_cast<std::size_t>(order[i])];
      own.insert(own.end(), text.begin(), text.end());
    }
    ASSERT_EQ(batch.chosen.size(0), static_cast<std::int64_t>(own.size()));
    LaneEdits total;
    for (const Pair& pair : own) {
      const LaneEdits one =
          loss_gradient_of(pack_pairs(weights(), {pair}, spec_), edits_, spec_.log_prob).gradients;
      for (const auto& [layer, edit] : one.layers) {
        LayerEdit& sum = total.layers[layer];
        const double share = batch.weight / static_cast<double>(own.size());
        sum.read = sum.read.defined() ? sum.read + share * edit.read : share * edit.read;
        sum.write = sum.write.defined() ? sum.write + share * edit.write : share * edit.write;
      }
    }
    const LaneEdits found = loss_gradient_of(batch, edits_, spec_.log_prob).gradients;
    ASSERT_EQ(found.layers.size(), 3U);
    for (const auto& [layer, edit] : found.layers) {
      EXPECT_LT(relative_difference(edit.read, total.layers.at(layer).read), 3e-5) << "layer " << layer;
      EXPECT_LT(relative_difference(edit.write, total.layers.at(layer).write), 3e-5) << "layer " << layer;
    }
  }
}

/// States below an edit, taken from the table of all texts, are those of the batch itself.
TEST_P(TrainingBatches, KeptPrefixesAreTheBatchesOwn) {
  TrainingPrefixes kept(weights(), data_);
  TrainingData forgetful = data_;
  forgetful.keeps_prefixes = false;
  TrainingPrefixes anew(weights(), forgetful);
  for (const int layer : {0, 3, 7, 2})
    for (const PairBatch& batch : data_.batches) {
      const Prefix found = kept.at(batch, layer), expected = run_prefix(weights(), batch.tokens, layer);
      EXPECT_EQ(found.layer, layer);
      EXPECT_LT(relative_difference(found.outputs, expected.outputs), 3e-6);
      EXPECT_LT(relative_difference(found.residual, expected.residual), 3e-6);
      EXPECT_TRUE(at::equal(anew.at(batch, layer).residual, expected.residual)) << "to the bit";
    }
}

INSTANTIATE_TEST_SUITE_P(Kinds, TrainingBatches,
                         testing::Values(std::pair{BatchKind::pairs, LogProb::sum},
                                         std::pair{BatchKind::questions, LogProb::sum},
                                         std::pair{BatchKind::questions, LogProb::mean}));

TEST(TrainingData, AQuestionsAnswersStandOnce) {
  const TrainingSpec spec{.batches = BatchKind::questions, .batch = 5, .epochs = 1};
  const std::vector<Pair> pairs = uneven_pairs();
  const TrainingData data = pack_training(weights(), pairs, spec, 0, 0);
  ASSERT_EQ(data.batches.size(), 1U);
  std::set<std::pair<int, std::vector<int>>> answers;
  for (const Pair& pair : pairs) {
    answers.insert({pair.question, pair.chosen});
    answers.insert({pair.question, pair.rejected});
  }
  EXPECT_EQ(data.batches[0].tokens.trees, 5);
  EXPECT_EQ(data.batches[0].tokens.answers, static_cast<int>(answers.size()));
  EXPECT_LT(answers.size(), 2 * pairs.size()) << "no pair shares an answer: nothing is tested";
  EXPECT_EQ(data.batches[0].weight, 1);
}

/// An answer may be preferred in one pair and not in another.
TEST(TrainingData, PairsOfAQuestionMayChain) {
  const std::vector<int> prompt{1, 20, 21}, a{30, 31}, b{30, 40, 41}, c{50};
  const std::vector<Pair> pairs{{0, prompt, a, b}, {0, prompt, b, c}, {0, prompt, c, a}};
  const TrainingSpec spec{.batches = BatchKind::questions, .batch = 4, .epochs = 1};
  const LaneEdits edits = two_lanes(spec);
  const PairBatch batch = pack_training(weights(), pairs, spec, 0, 0).batches.at(0);
  EXPECT_EQ(batch.tokens.answers, 3);
  const at::Tensor deltas = pair_deltas(weights(), batch, prefix_of(batch, edits), edits, spec.log_prob);
  EXPECT_LT(largest_difference(deltas, plain_deltas(pairs, spec, plain::in_double(edits))), 2e-5);
  EXPECT_LT(deltas.sum(1).abs().max().item<double>(), 2e-5);
}

TEST(TrainingData, OfNoPairsIsEmpty) { EXPECT_TRUE(pack_training(weights(), {}, {}, 0, 0).batches.empty()); }

/// Means are over pairs, not over batches of several sizes.
TEST(ScorePairs, EqualSeparateTexts) {
  std::vector<Pair> pairs;  // of five questions
  for (const Pair& pair : uneven_pairs())
    if (pairs.empty() || pair.question != pairs.back().question || pair.chosen != pairs.back().chosen)
      pairs.push_back(pair);
  const LaneEdits edits = two_lanes({});
  const at::Tensor deltas = plain_deltas(pairs, {}, plain::in_double(edits));
  for (const BatchKind kind : {BatchKind::pairs, BatchKind::questions}) {
    const TrainingSpec spec{.batches = kind, .batch = kind == BatchKind::pairs ? 4 : 2};
    const std::vector<PairBatch> batches = pack_evaluation(weights(), pairs, spec);
    ASSERT_EQ(batches.size(), kind == BatchKind::pairs ? (pairs.size() + 3) / 4 : 3U);
    ASSERT_NE(batches.front().chosen.size(0), batches.back().chosen.size(0));
    PrefixMemo memo(weights());
    const PairScores scores = score_pairs(memo, batches, edits, tau(), spec.log_prob);
    EXPECT_LT(largest_difference(scores.margin, deltas.mean(1)), 2e-5);
    EXPECT_LT(relative_difference(scores.loss, ipo_loss(deltas, tau().to(at::kDouble))), 1e-5);
  }
}

}  // namespace
}  // namespace headsweep
