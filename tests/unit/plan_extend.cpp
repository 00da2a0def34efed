// plan: more of a plan keeps what is there, row for row.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "unit/plan_job.hpp"

namespace headsweep {
namespace {

/// All 12 heads, the middle layer first.
const Ranking ranking(
    1, {{1, 1}, {1, 2}, {0, 3}, {1, 0}, {2, 1}, {0, 0}, {0, 1}, {0, 2}, {1, 3}, {2, 0}, {2, 2}, {2, 3}});

JobSpec job_of(int draws, const std::string& taus, const std::string& seeds) {
  return small_job(
      cat("some: {random: {size: 2, draws: ", draws, "}}, best: {top: {size: 2}}, one: {single: all}"),
      "optimal: {at: [best, some], tau: [" + taus + "]}, iti: {at: [some], alpha: [3]}" +
          (seeds == "4" ? "" : ", optimal: {at: [one], tau: [0.1]}"),
      "run: {seeds: [" + seeds + "], lanes: 3}\n");
}

TEST(Extend, KeepsRowsAndBlocksAndAddsTheRest) {
  const Plan there = make_plan(job_of(10, "0.1", "4"), small_shape, small_data, &ranking);
  const JobSpec larger = job_of(25, "0.05, 0.1", "4, 5");
  const Plan plan = extend_plan(there, larger, small_data, ranking);
  const Plan fresh = make_plan(larger, small_shape, small_data, &ranking);

  for (std::size_t i = 0; i < there.trials.size(); ++i) {
    EXPECT_EQ(plan.trials[i].hash, there.trials[i].hash);
    EXPECT_EQ(plan.at(plan.trials[i].location).heads, there.at(there.trials[i].location).heads);
  }
  std::map<std::string, const Trial*> due;
  for (const Trial& trial : fresh.trials) due[trial.hash] = &trial;
  ASSERT_EQ(plan.trials.size(), due.size());
  std::set<std::string> names;
  for (const Location& location : plan.locations)
    EXPECT_TRUE(names.insert(location.name).second) << location.name;
  for (const Trial& trial : plan.trials) {
    ASSERT_TRUE(due.contains(trial.hash));
    EXPECT_EQ(plan.at(trial.location).name, fresh.at(due[trial.hash]->location).name);
    EXPECT_EQ(plan.at(trial.location).heads, fresh.at(due[trial.hash]->location).heads);
    EXPECT_EQ(trial.id.value, &trial - plan.trials.data());
  }

  std::map<std::string, std::vector<TrialId>> blocks;
  std::set<TrialId> seen;
  for (const Block& block : plan.blocks) {
    blocks[block.name] = block.trials;
    for (const TrialId trial : block.trials) EXPECT_TRUE(seen.insert(trial).second);
  }
  EXPECT_EQ(seen.size(), plan.trials.size());
  for (const Block& block : there.blocks) EXPECT_EQ(blocks[block.name], block.trials);
  for (std::size_t i = 1; i < plan.blocks.size(); ++i)
    EXPECT_GE(plan.blocks[i - 1].cost, plan.blocks[i].cost);
}

TEST(Extend, RefusesLess) {
  const Plan there = make_plan(job_of(10, "0.1", "4"), small_shape, small_data, &ranking);
  try {
    extend_plan(there, job_of(9, "0.1", "4"), small_data, ranking);
    FAIL();
  } catch (const BadInput& error) {
    EXPECT_THAT(error.what(),
                testing::HasSubstr("some[9], optimal 0.1, seed 4, fold 0; a sweep can be given more"));
  }
}

}  // namespace
}  // namespace headsweep
