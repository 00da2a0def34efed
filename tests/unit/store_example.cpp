// store: the made-up sweep is gathered; with HEADSWEEP_EXAMPLE set, its results are left there for other
// tests.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "reference/example_results.hpp"

namespace headsweep {
namespace {

TEST(StoreExample, IsGathered) {
  const std::filesystem::path folder = testing::TempDir() + cat("store_example-", ::getpid());
  const char* wanted = std::getenv("HEADSWEEP_EXAMPLE");
  const std::filesystem::path file = wanted != nullptr ? wanted : (folder / "results.h5").string();
  const Gathered whole = example::write_example(file, folder, {});
  EXPECT_EQ(whole.failed, 1);
  EXPECT_EQ(whole.missing, 0);
  std::filesystem::path by_folds = file;
  by_folds.replace_filename(file.stem().string() + "_folds.h5");
  const Gathered partial = example::write_example(by_folds, folder, {.folds = 3, .missing_blocks = 2});
  EXPECT_EQ(partial.failed, 3);
  EXPECT_GT(partial.missing, 0);
  EXPECT_EQ(ResultsFile(file).trials(), whole.done + whole.failed);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace headsweep
