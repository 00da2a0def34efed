// sweep: a block that does not fit is run by halves of its lanes; a lane that does not fit alone has failed.
#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>

#include "sweep/within_memory.hpp"

namespace headsweep {
namespace {

struct WithinMemory : testing::Test {
  WithinMemory() {
    for (int i = 0; i < 7; ++i) {
      plan.trials.push_back({.id = {i}, .location = {0}, .hash = cat("hash", i)});
      block.trials.push_back({i});
    }
  }
  /// Runs a block of which at most `fit` lanes fit; `lack` throws what says so.
  std::vector<TrialRecord> run(std::size_t fit, const std::function<void()>& lack) {
    return run_within_memory(plan, block, [&](const Block& lanes) {
      sizes.push_back(lanes.trials.size());
      if (lanes.trials.size() > fit) lack();
      std::vector<TrialRecord> records(lanes.trials.size());
      for (std::size_t k = 0; k < records.size(); ++k) {
        records[k].trial = lanes.trials[k];
        records[k].status = TrialStatus::done;
      }
      return records;
    });
  }
  Plan plan;
  Block block;
  std::vector<std::size_t> sizes;
};

TEST_F(WithinMemory, RunsWhatFitsAtOnce) {
  const auto records = run(7, [] { throw std::bad_alloc(); });
  EXPECT_EQ(sizes, std::vector<std::size_t>{7});
  ASSERT_EQ(records.size(), 7U);
  for (const TrialRecord& record : records) EXPECT_EQ(record.lanes, 7);
}

TEST_F(WithinMemory, HalvesTheLanesAndMarksThem) {
  const auto records = run(2, [] { TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory"); });
  EXPECT_EQ(sizes, (std::vector<std::size_t>{7, 3, 1, 2, 4, 2, 2}));
  std::vector<int> trials, lanes;
  for (const TrialRecord& record : records) {
    trials.push_back(record.trial.value);
    lanes.push_back(record.lanes);
    EXPECT_EQ(record.status, TrialStatus::done);
  }
  EXPECT_EQ(trials, (std::vector<int>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(lanes, (std::vector<int>{1, 2, 2, 2, 2, 2, 2}));
}

TEST_F(WithinMemory, FailsALaneThatDoesNotFitAlone) {
  const auto records =
      run(0, [] { TORCH_CHECK(false, "DefaultCPUAllocator: can't allocate memory: 9 bytes\nframe"); });
  ASSERT_EQ(records.size(), 7U);
  for (int k = 0; k < 7; ++k) {
    const TrialRecord& record = records[static_cast<std::size_t>(k)];
    EXPECT_EQ(record.status, TrialStatus::failed);
    EXPECT_EQ(record.stage, "memory");
    EXPECT_THAT(record.message, testing::HasSubstr("can't allocate memory: 9 bytes"));
    EXPECT_THAT(record.message, testing::Not(testing::HasSubstr("frame")));
    EXPECT_EQ(record.trial_hash, cat("hash", k));
    EXPECT_EQ(record.lanes, 1);
  }
}

TEST_F(WithinMemory, PassesOnEveryOtherError) {
  EXPECT_THROW(run(2, [] { throw std::logic_error("a bug"); }), std::logic_error);
  EXPECT_EQ(sizes.size(), 1U);
}

}  // namespace
}  // namespace headsweep
