// Free memory by made-up files of the kernel.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sweep/free_memory.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;

class FreeMemory : public testing::Test {
 protected:
  FreeMemory() {
    fs::remove_all(root_);
    put("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    5000 kB\n");
  }
  ~FreeMemory() override { fs::remove_all(root_); }
  void put(const fs::path& file, const std::string& text) const {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }
  [[nodiscard]] double kilobytes() const { return free_host_bytes(root_) / 1024; }
  fs::path root_ = fs::path(testing::TempDir()) / "headsweep_free_memory";
};

TEST_F(FreeMemory, OfTheHostWhereNoGroupLimitsIt) {
  EXPECT_EQ(kilobytes(), 5000);
  put("proc/self/cgroup", "0::/user\n");
  put("sys/fs/cgroup/user/memory.max", "max\n");
  put("sys/fs/cgroup/user/memory.current", "4096\n");
  EXPECT_EQ(kilobytes(), 5000);
}

TEST_F(FreeMemory, OfTheTightestGroupAroundTheProcess) {
  put("proc/self/cgroup", "0::/slurm/job/step\n");
  put("sys/fs/cgroup/slurm/job/step/memory.max", "max\n");
  put("sys/fs/cgroup/slurm/job/memory.max", "3072000\n");
  put("sys/fs/cgroup/slurm/job/memory.current", "2048000\n");
  put("sys/fs/cgroup/slurm/job/memory.stat", "anon 7\nactive_file 9\ninactive_file 512000\n");
  EXPECT_EQ(kilobytes(), 1500);
  put("sys/fs/cgroup/memory.max", "1024\n");
  EXPECT_EQ(kilobytes(), 1);
}

TEST_F(FreeMemory, OfGroupsOfVersionOne) {
  put("proc/self/cgroup", "12:cpu:/a\n5:memory:/job\n");
  put("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "3072000\n");
  put("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "4096000\n");
  EXPECT_EQ(kilobytes(), 0);
}

}  // namespace
}  // namespace headsweep
