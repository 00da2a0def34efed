// comm: tasks that do not see each other are refused with the right command, whoever started them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <headsweep/base.hpp>
#include <map>

#include "comm/launch.hpp"

namespace headsweep {
namespace {

Launch launch(std::map<std::string, std::string> variables) {
  return launch_of([&](const char* name) { return variables[name]; });
}

TEST(Launch, IsReadFromTheLaunchersWords) {
  EXPECT_EQ(launch({}).tasks, 1);
  // A step of srun; with PMIx it joins its tasks.
  const Launch alone = launch({{"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_PROCID", "2"}});
  EXPECT_EQ(std::tuple(alone.tasks, alone.task, alone.joins), std::tuple(4, 2, false));
  EXPECT_TRUE(launch({{"SLURM_STEP_NUM_TASKS", "4"}, {"PMIX_NAMESPACE", "slurm.1.0"}}).joins);
  // mpirun inside an allocation: what Slurm counts are its daemons.
  const Launch daemons =
      launch({{"SLURM_STEP_NUM_TASKS", "8"}, {"OMPI_COMM_WORLD_SIZE", "1"}, {"OMPI_COMM_WORLD_RANK", "0"}});
  EXPECT_EQ(daemons.tasks, 1);
  EXPECT_TRUE(daemons.joins);
  // Another MPI's launcher.
  EXPECT_EQ(launch({{"PMI_SIZE", "3"}, {"PMI_RANK", "1"}}).task, 1);
  // A batch script's own task, outside any step.
  EXPECT_EQ(launch({{"SLURM_NTASKS", "16"}, {"SLURM_PROCID", "0"}}).tasks, 1);
}

TEST(Launch, OfManySingleWorldsIsRefused) {
  const Launch four{.tasks = 4};
  EXPECT_NO_THROW(require_one_world(four, 4));
  EXPECT_NO_THROW(require_one_world({.tasks = 1}, 1));
  try {
    require_one_world(four, 1);
    FAIL();
  } catch (const BadUsage& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("4 tasks were started that do not see each other"));
    EXPECT_THAT(error.what(), testing::HasSubstr("srun --mpi=pmix"));
  }
}

TEST(Launch, KnowsSettingsThatRuleOutWindowsOverTcp) {
  EXPECT_TRUE(rules_out_windows_over_tcp("# Debian\nbtl = ^uct\nosc = ^ucx,pt2pt\n"));
  EXPECT_TRUE(rules_out_windows_over_tcp("\tosc=^pt2pt"));
  EXPECT_FALSE(rules_out_windows_over_tcp("# osc = ^ucx,pt2pt\nosc = ^ucx\n"));
  EXPECT_FALSE(rules_out_windows_over_tcp("osc = pt2pt\nosc_base_verbose = ^pt2pt\n = \n"));
  EXPECT_FALSE(rules_out_windows_over_tcp(""));
}

}  // namespace
}  // namespace headsweep
