// model: lanes beside each other, to the bit: a lane that fails fails alone, forward and backward; what other
// lanes hold changes nothing.
#include <gtest/gtest.h>

#include <limits>

#include "unit/devices.hpp"
#include "unit/model_support.hpp"

namespace headsweep {
namespace {

using namespace model_test;

constexpr int adapted = 11;  ///< of edit_sets(): adapters everywhere

/// Where lanes and other bits must not meet: one call with a tape.
struct Seen {
  at::Tensor states, log_probs;
  LaneEdits gradients;
};

/// The parameters: the number of the products' operands, and where.
class ModelLanes : public testing::TestWithParam<std::tuple<at::ScalarType, at::Device>> {
 protected:
  ModelLanes() { at::set_num_threads(1); }
  [[nodiscard]] Seen see(const LaneEdits& edits) const {
    const LaneEdits there = on(edits, device_);
    const at::Tensor states = states_of(weights_, batch_, there);
    return {states.cpu(), answer_log_probs(weights_, batch_, states).cpu(),
            on(gradients_of(weights_, batch_, there), at::kCPU)};
  }
  const bool exact_ = std::get<0>(GetParam()) == at::kFloat;
  const at::Device device_ = std::get<1>(GetParam());
  const Weights weights_ = on(exact_ ? random_weights() : in_bfloat16(random_weights()), device_);
  const TokenBatch batch_ = pack(random_trees(7), Keep::answers, device_);
};

/// Every bit of one lane.
void expect_same(const Seen& found, const Seen& expected, std::int64_t lane, const std::string& what) {
  EXPECT_TRUE(at::equal(found.states[lane], expected.states[lane])) << what;
  EXPECT_TRUE(at::equal(found.log_probs[lane], expected.log_probs[lane])) << what;
  for (const auto& [layer, edit] : expected.gradients.layers) {
    const plain::Row own = plain::row_of(found.gradients, layer, lane),
                     other = plain::row_of(expected.gradients, layer, lane);
    ASSERT_EQ(own.write.defined(), other.write.defined());
    if (own.write.defined())
      EXPECT_TRUE(at::equal(own.write, other.write)) << what << ", write at layer " << layer;
    if (own.read.defined())
      EXPECT_TRUE(at::equal(own.read, other.read)) << what << ", read at layer " << layer;
  }
  for (const auto& [layer, adapters] : expected.gradients.adapters)
    for (const auto& [target, adapter] : adapters) {
      const Adapter& own = found.gradients.adapters.at(layer).at(target);
      EXPECT_TRUE(at::equal(own.a[lane], adapter.a[lane]))
          << what << ", A of " << to_text(target) << ", layer " << layer;
      EXPECT_TRUE(at::equal(own.b[lane], adapter.b[lane]))
          << what << ", B of " << to_text(target) << ", layer " << layer;
    }
}

/// The same edits with numbers of one lane filled in at one layer.
LaneEdits with_lane(const LaneEdits& edits, int layer, std::int64_t lane, double value, bool in_write) {
  LaneEdits changed = edits;
  LayerEdit& edit = changed.layers.at(layer);
  edit.write = edit.write.clone();
  if (edit.read.defined()) edit.read = edit.read.clone();
  const plain::Row row = plain::row_of(changed, layer, lane);
  (in_write ? row.write : row.read).fill_(value);
  return changed;
}

TEST_P(ModelLanes, ALaneThatFailsFailsAlone) {
  struct Place {
    int set, layer;
    std::int64_t lane;
    bool in_write;
  };
  constexpr int mixed = 0, all_layers = 4, late = 5, many = 10;
  for (const double poison :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 3e38})
    for (const auto& [set, layer, lane, in_write] :
         {Place{mixed, 1, 1, true}, Place{mixed, 1, 1, false}, Place{mixed, 2, 2, true},
          Place{mixed, 3, 1, true}, Place{mixed, 3, 1, false}, Place{all_layers, 0, 0, true},
          Place{all_layers, 3, 2, false}, Place{late, 1, 1, true}, Place{late, 2, 0, false},
          Place{many, 1, 7, true}, Place{many, 3, 18, true}}) {
      const LaneEdits edits = edits_of_set(set);
      const Seen sound = see(edits), hurt = see(with_lane(edits, layer, lane, poison, in_write));
      const std::string what = cat(set_name(set), ": ", poison, " at layer ", layer, " in lane ", lane);
      for (std::int64_t other = 0; other < edits.lanes; ++other)
        if (other != lane) expect_same(hurt, sound, other, what);
      if (std::isfinite(poison)) continue;  // a norm may bring it back to finite numbers
      EXPECT_FALSE(hurt.log_probs[lane].isfinite().all().item<bool>()) << what;
      const plain::Row gradient = plain::row_of(hurt.gradients, layer, lane);
      EXPECT_FALSE(gradient.write.isfinite().all().item<bool>()) << what;
    }
}

TEST_P(ModelLanes, AnAdapterThatFailsFailsAlone) {
  const LaneEdits edits = of_number(edits_of_set(adapted), weights_.number);
  const Seen sound = see(edits);
  for (const EditTarget target : edit_targets)
    for (const bool in_b : {false, true}) {
      LaneEdits broken = edits;
      Adapter& adapter = broken.adapters.at(1).at(target);
      at::Tensor& values = in_b ? adapter.b : adapter.a;
      values = values.clone();
      values[1].fill_(std::numeric_limits<double>::quiet_NaN());
      const Seen hurt = see(broken);
      for (const int other : {0, 2}) expect_same(hurt, sound, other, to_text(target));
      EXPECT_FALSE(hurt.log_probs[1].isfinite().all().item<bool>()) << to_text(target);
      EXPECT_FALSE(hurt.gradients.adapters.at(1).at(target).b[1].isfinite().all().item<bool>()) << to_text(target);
    }
}

TEST_P(ModelLanes, HoldNothingOfTheirNeighbours) {
  for (const int set : {0, 4, 5, 10}) {
    const LaneEdits edits = edits_of_set(set);
    LaneEdits others = edits;
    for (auto& [layer, edit] : others.layers) {
      const at::Tensor lanes = edit.lanes.defined() ? edit.lanes : at::arange(edits.lanes);
      const at::Tensor own = lanes.eq(0).unsqueeze(1);
      edit.write = at::where(own, edit.write, -0.5 * edit.write);
      if (edit.read.defined()) edit.read = at::where(own, edit.read, -0.3 * edit.read);
    }
    expect_same(see(others), see(edits), 0, set_name(set));
  }
}

TEST_P(ModelLanes, TheSameCallGivesTheSameBits) {
  const LaneEdits edits = mixed_edits();
  const Seen first = see(edits), second = see(edits);
  for (std::int64_t lane = 0; lane < 3; ++lane) expect_same(second, first, lane, "again");
}

TEST_P(ModelLanes, AZeroEditChangesNoBit) {
  LaneEdits zero = mixed_edits();
  for (auto& [layer, edit] : zero.layers) edit.write = at::zeros_like(edit.write);
  LaneEdits nothing_read = zero;
  for (auto& [layer, edit] : nothing_read.layers)
    if (edit.read.defined()) edit.read = at::zeros_like(edit.read);
  EXPECT_TRUE(at::equal(see(zero).states, see(nothing_read).states));
  // Above the first edited layer, not even the presence of zero edits can be told.
  LaneEdits ends = mixed_edits();
  ends.layers.erase(2);
  ends.layers.erase(3);
  LaneEdits longer = ends;
  for (const int layer : {2, 3}) longer.layers[layer] = zero.layers.at(layer);
  EXPECT_TRUE(at::equal(see(ends).states, see(longer).states));
}

INSTANTIATE_TEST_SUITE_P(Numbers, ModelLanes,
                         testing::Combine(testing::Values(at::kFloat, at::kBFloat16),
                                          testing::ValuesIn(devices_here())),
                         [](const auto& one) {
                           return cat(std::get<0>(one.param) == at::kFloat ? "Float32" : "Bfloat16",
                                      std::get<1>(one.param).is_cpu() ? "" : "OnGpu");
                         });

/// Products of all lanes at once differ in rounding with the number of lanes, in nothing else.
TEST(ModelLanesAlone, HaveTheSameGradients) {
  at::set_num_threads(1);
  const Weights weights = random_weights();
  const TokenBatch batch = pack(random_trees(7), Keep::answers, at::kCPU);
  for (const int set : {0, 4, 5, 10}) {
    const LaneEdits edits = edits_of_set(set);
    const LaneEdits together = gradients_of(weights, batch, edits);
    const at::Tensor factors = loss_weights(edits.lanes, batch.answers).to(at::kFloat);
    for (std::int64_t lane = 0; lane < edits.lanes; ++lane) {
      const LaneEdits one = lane_of(edits, lane);
      if (one.layers.empty()) continue;
      Tape tape;
      const at::Tensor states =
          run_lanes(weights, batch, run_prefix(weights, batch, one.first_layer(4)), one, &tape);
      const at::Tensor gradient =
          answer_gradient(weights, batch, states,
                          [&](const at::Tensor&, std::int64_t) { return factors.narrow(0, lane, 1); });
      const LaneEdits alone = run_backward(weights, batch, one, tape, gradient);
      for (const auto& [layer, expected] : alone.layers) {
        const plain::Row found = plain::row_of(together, layer, lane);
        EXPECT_LT(relative_difference(found.write, expected.write[0]), 1e-5)
            << set_name(set) << " lane " << lane;
        if (found.read.defined())
          EXPECT_LT(relative_difference(found.read, expected.read[0]), 1e-5)
              << set_name(set) << " lane " << lane;
      }
    }
  }
}

TEST(ModelLanesAlone, MeasureTheSameWherePromptsShareTheirStart) {
  at::set_num_threads(1);
  const Weights weights = random_weights();
  for (const bool edited_start : {false, true})
    for (int set = 0; set < static_cast<int>(edit_sets().size()); ++set) {
      SCOPED_TRACE(set_name(set));
      const LaneEdits edits = edits_of_set(set);
      const std::vector<TokenTree> trees = trees_with_common_start(6, edited_start);
      const TokenBatch apart = pack(trees, Keep::answers, at::kCPU),
                       joined = pack(trees, Keep::answers, at::kCPU, Starts::joined);
      ASSERT_EQ(joined.tokens, apart.tokens - 5 * 17);
      const at::Tensor expected = states_of(weights, apart, edits), found = states_of(weights, joined, edits);
      EXPECT_LT(largest_difference(found, expected), 1e-4);
      EXPECT_LT(largest_difference(answer_log_probs(weights, joined, found),
                                   answer_log_probs(weights, apart, expected)),
                1e-4);
    }
}

}  // namespace
}  // namespace headsweep
