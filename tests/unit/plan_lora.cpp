// plan: lora of any rank: trials that are told apart, blocks, FLOPs and bytes of its adapters.
#include <gtest/gtest.h>

#include <set>

#include "unit/plan_job.hpp"

namespace headsweep {
namespace {

Plan plan_of(const JobSpec& job) { return make_plan(job, small_shape, small_data, nullptr); }

TEST(LoraPlan, TellsRanksTargetsAndRatesApart) {
  const auto hash = [](const std::string& more) {
    const Plan plan = plan_of(small_job("every: all", "lora: {at: [every], tau: [1]" + more + "}"));
    EXPECT_EQ(plan.trials.size(), 1U);
    return plan.trials.at(0).hash;
  };
  const std::string heads = "every L0.H0 L0.H1 L0.H2 L0.H3 L1.H0 L1.H1 L1.H2 L1.H3 L2.H0 L2.H1 L2.H2 L2.H3";
  EXPECT_EQ(hash(""), hash_hex(hash_hex(heads) + " lora 1 0 0")) << "as it always was";
  EXPECT_EQ(hash(", rank: 1, targets: [o_proj], learning_rate: 0"), hash(""));
  EXPECT_EQ(hash(", targets: [up_proj, q_proj]"), hash(", targets: [q_proj, up_proj]"));
  const std::set<std::string> hashes = {hash(""),
                                        hash(", rank: 2"),
                                        hash(", targets: [q_proj]"),
                                        hash(", targets: [q_proj, o_proj]"),
                                        hash(", rank: 2, targets: [q_proj]"),
                                        hash(", learning_rate: 1"),
                                        hash(", rank: 2, learning_rate: 1")};
  EXPECT_EQ(hashes.size(), 7U);
}

TEST(LoraPlan, BlocksHoldOneRankAndTargets) {
  const Plan plan =
      plan_of(small_job("every: all",
                        "lora: {at: [every], tau: [1, 2]}, lora: {at: [every], tau: [1, 2], rank: 2}, "
                        "lora: {at: [every], tau: [3], rank: 2, learning_rate: 0.5}, "
                        "lora: {at: [every], tau: [1], rank: 2, targets: [q_proj]}"));
  ASSERT_EQ(plan.blocks.size(), 3U);
  for (const Block& block : plan.blocks)
    for (const TrialId id : block.trials) {
      EXPECT_EQ(plan.at(id).lora.rank, plan.at(block.trials[0]).lora.rank);
      EXPECT_EQ(plan.at(id).lora.targets, plan.at(block.trials[0]).lora.targets);
    }
  EXPECT_EQ(edit_text("lora", 2, "q_proj"), "lora of rank 2 at q_proj");
  EXPECT_EQ(edit_text("lora", 1, "o_proj"), "lora");
  EXPECT_EQ(edit_text("iti", 0, "o_proj"), "iti");
}

TEST(LoraPlan, CountsFlopsByHand) {
  // One lane, no evaluation: 10 pairs x 2 epochs; nothing is shared. Of the last layer keys and values of all
  // tokens, the rest of 16 rows. Adapters forward, and twice as much backward.
  const double tokens = 16 + 2 * 8, rows = 16, width = 32;
  const double keys = 2 * (2 * 32 * width), queries = keys, scores = 4 * width * tokens,
               product = 2 * 32 * 64, words = 2 * 32 * 100;
  const double lane = 2 * tokens * (queries + keys + scores + 3 * product) + tokens * keys +
                      rows * (queries + scores + 3 * product + words);
  const double adapters = tokens * 3 * 2 * 5 * ((32 + 32) + (64 + 32));  // rank 5, q_proj and down_proj
  JobSpec job = small_job("a: all", "lora: {at: [a], tau: [1], rank: 5, targets: [down_proj, q_proj]}");
  EXPECT_DOUBLE_EQ(plan_of(job).blocks.at(0).cost, 20 * (2 * lane + 3 * adapters));
  job.run.prefixes = Prefixes::kept;
  EXPECT_DOUBLE_EQ(plan_of(job).blocks.at(0).cost, 20 * (2 * lane + 3 * adapters)) << "there is none to keep";
}

TEST(LoraPlan, MemoryCountsAsManyLanesAsHaveAdapters) {
  const auto account = [](const std::string& edits) {
    return account_memory(small_job("every: all", edits), small_shape, small_data, true);
  };
  const std::string optimal = "optimal: {at: [every], tau: [1]}";
  const MemoryAccount none = account(optimal + ", lora: {at: [every], tau: [1]}");
  EXPECT_EQ(none.adapted_lanes, 0);
  EXPECT_EQ(bytes_of_block(none, 5), none.block + 5 * none.lane);
  const std::string wide = ", targets: [q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj]}";
  const MemoryAccount one = account("lora: {at: [every], tau: [1, 2], rank: 100" + wide),
                      more = account(optimal + ", lora: {at: [every], tau: [1, 2], rank: 200" + wide);
  EXPECT_EQ(one.lane, none.lane);
  EXPECT_EQ(one.adapted_lanes, 2);
  // A, B and Adam's state: 12 bytes a value, and 4 of the A that a gain goes into; the gates of 7 targets at
  // 2 layers of 4 x 32 tokens and at the 4 x 16 rows of the last.
  const double values = 3 * (4 * 64 + 3 * 96), gained = 3 * 5 * 32, gates = 7 * (2 * 4 * 32 + 4 * 16);
  const MemoryAccount most = account("lora: {at: [every], tau: [1], rank: 300" + wide);
  EXPECT_DOUBLE_EQ(most.adapted_lane - more.adapted_lane, 100 * (12 * values + 4 * gained + 4 * gates));
  EXPECT_EQ(bytes_of_block(more, 8), more.block + std::max(8 * more.lane, 2 * more.adapted_lane));
  EXPECT_EQ(bytes_of_block(more, 1), more.block + more.adapted_lane);
  EXPECT_EQ(lanes_that_fit(more, more.block + 1.5 * more.adapted_lane), 1);
  EXPECT_EQ(lanes_that_fit(more, more.block + 2.5 * more.adapted_lane),
            static_cast<int>(2.5 * more.adapted_lane / more.lane))
      << "two such lanes fit, and as many others as there is room for";
}

}  // namespace
}  // namespace headsweep
