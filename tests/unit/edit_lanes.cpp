// edit: masks, starts, shifts, what is stored, the checks before a sweep, the size of an edit.
#include <gtest/gtest.h>

#include <cmath>

#include "unit/edit_support.hpp"

namespace headsweep {
namespace {

using namespace edit_test;

TEST(LaneParams, StartAtTheUneditedModelWithCommonRandomNumbers) {
  const TrainingSpec spec;
  const LaneParams params =
      LaneParams::start(EditKind::optimal, {lane({{2, 1}}), lane({{2, 5}, {6, 0}})}, spec, weights());
  ASSERT_EQ(params.layers().size(), 2U);
  const auto& second = params.layers().front();
  EXPECT_TRUE(at::equal(second.a[0], second.a[1])) << "the start of a hangs on (seed, layer) only";
  EXPECT_LE(second.a.abs().max().item<double>(), 1 / std::sqrt(128.0));
  EXPECT_GT(second.a.abs().max().item<double>(), 0.9 / std::sqrt(128.0));
  EXPECT_EQ(second.b.abs().sum().item<double>(), 0);
  EXPECT_FALSE(at::equal(second.a[0], params.layers().back().a[0]));
  const LaneParams other =
      LaneParams::start(EditKind::optimal, {lane({{2, 1}}, 0.02, 0.1, 9)}, spec, weights());
  EXPECT_FALSE(at::equal(second.a[0], other.layers().front().a[0]));
}

TEST(LaneParams, WriteOnlyThroughTheChosenHeads) {
  TrainingSpec spec{.read = EditRead::heads, .start_b = 1};
  const LaneParams params = LaneParams::start(EditKind::optimal, {lane({{3, 2}, {3, 7}})}, spec, weights());
  const LaneEdits edits = params.edits(weights());
  const LayerEdit& edit = edits.layers.at(3);
  const at::Tensor& b = params.layers().front().b;
  at::Tensor expected = at::zeros({128}), read = at::zeros({128});
  for (const int head : {2, 7}) {
    expected += at::matmul(weights().layers[3].o.narrow(1, head * 16, 16), b[0].narrow(0, head * 16, 16));
    read.narrow(0, head * 16, 16).copy_(params.layers().front().a[0].narrow(0, head * 16, 16));
  }
  EXPECT_LT(largest_difference(edit.write[0], expected), 1e-5);
  EXPECT_TRUE(at::equal(edit.read[0], read));
}

TEST(LaneParams, StoredLayersRestoreTheSameEdit) {
  const TrainingSpec spec{.start_b = 0.3};
  std::vector<Head> all;
  for (int layer = 0; layer < 8; ++layer)
    for (int head = 0; head < 8; ++head) all.push_back({layer, head});
  for (const EditKind kind : {EditKind::optimal, EditKind::lora}) {
    const std::vector<LaneSpec> lanes = {lane({{1, 1}, {4, 4}}), lane({{4, 0}})};
    const LaneParams params =
        LaneParams::start(kind, kind == EditKind::lora ? std::vector{lane(all)} : lanes, spec, weights());
    const LaneEdits one =
        LaneParams::restore(kind, {params.layers_of(params.count() - 1)}, weights()).edits(weights());
    const LaneEdits whole = params.edits(weights());
    for (const auto& [layer, edit] : one.layers) {
      EXPECT_TRUE(at::equal(edit.read[0], whole.layers.at(layer).read[-1]));
      EXPECT_LT(largest_difference(edit.write[0], whole.layers.at(layer).write[-1]), 1e-6);
    }
  }
}

TEST(LaneParams, ItiAddsAlphaSigmaDirectionAtTheHeads) {
  HeadTable table;
  table.direction = at::randn({64, 16});
  table.direction /= table.direction.norm(2, -1, true);
  table.sigma = at::rand({64}) + 0.5;
  const LaneParams params = LaneParams::iti({lane({{5, 3}}, 0, 7.0)}, table, weights());
  const LaneEdits edits = params.edits(weights());
  const LayerEdit& edit = edits.layers.at(5);
  EXPECT_FALSE(edit.read.defined());
  const at::Tensor shift = 7.0 * table.sigma[43] * table.direction[43];
  EXPECT_LT(largest_difference(edit.write[0], at::matmul(weights().layers[5].o.narrow(1, 48, 16), shift)),
            1e-5);
}

TEST(Checks, PassOnTheBuiltInModelAndNoticeABrokenOne) {
  const PairBatch batch = pack_pairs(weights(), some_pairs(4), TrainingSpec{});
  EXPECT_NO_THROW(check_edits(weights(), batch));
  Weights dead = weights();
  dead.layers[3].o = at::zeros_like(dead.layers[3].o);
  EXPECT_THROW(check_edits(dead, batch), std::logic_error) << "an edit that changes nothing is no edit";
}

TEST(RelativeSize, EqualsItsDefinitionAtOneToken) {
  const TrainingSpec spec{.start_b = 0.5};
  const LaneParams params = LaneParams::start(EditKind::optimal, {lane({{2, 3}})}, spec, weights());
  const LaneEdits edits = params.edits(weights());
  const PairBatch batch = pack_pairs(weights(), some_pairs(3), spec);
  const Prefix prefix = run_prefix(weights(), batch.tokens, 2);
  double prompt = 0, answer = 0;
  int prompt_tokens = 0, answer_tokens = 0;
  for (std::int64_t t = 0; t < batch.tokens.tokens; ++t) {
    const double gate = std::abs((prefix.outputs[t] * edits.layers.at(2).read[0]).sum().item<double>());
    const double size =
        gate * edits.layers.at(2).write[0].norm().item<double>() / prefix.residual[t].norm().item<double>();
    const bool in_prompt =
        batch.tokens.positions[t].item<int>() < 12;  // every prompt of the built-in world has 12 tokens
    (in_prompt ? prompt : answer) += size;
    ++(in_prompt ? prompt_tokens : answer_tokens);
  }
  const RelativeSize sizes = relative_size(weights(), batch, edits);
  EXPECT_NEAR(sizes.prompt.item<double>(), prompt / prompt_tokens, 1e-5);
  EXPECT_NEAR(sizes.answer.item<double>(), answer / answer_tokens, 1e-5);
}

}  // namespace
}  // namespace headsweep
