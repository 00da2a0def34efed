// store: whatever happens to a writer - a kill, a full disk - what stands on the disk is whole or absent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>

#include "reference/example_results.hpp"
#include "reference/record_bits.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class StoreDurability : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(path_); }
  void TearDown() override { fs::remove_all(path_); }
  fs::path path_ = testing::TempDir() + cat("store_durability-", ::getpid());
  SweepHeader header_ = example::make_header({.questions = 40});
};

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  return names;
}

/// Runs `action` in a child; its exit code (normal exit, so that clean-up at exit runs), or minus the signal.
int run_in_child(const std::function<int()>& action) {
  const pid_t child = ::fork();
  if (child == 0) std::exit(action());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST_F(StoreDurability, AKilledWriterLeavesWholePartsAndAWholeLog) {
  const auto& blocks = header_.plan.blocks;
  std::map<std::string, std::string> due;  // block -> part
  for (const Block& block : blocks) due[block.name] = encode_part(example::make_part(header_, block));
  SweepFolder folder(path_);
  folder.open(header_.identity, false, false);
  folder.write_header(header_);
  Random random(0, "kills");
  std::size_t seen = 0;
  for (int kill = 0; kill < 12; ++kill) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (std::size_t i = 0;; ++i)
        folder.put(example::make_part(header_, blocks[i % blocks.size()]), 1, kill);
    }
    ::usleep(static_cast<unsigned>(5'000 + random.below(120'000)));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const std::vector<std::string> finished = folder.finished_blocks(header_.plan);
    for (const std::string& block : finished) EXPECT_EQ(read_file(folder.part_file(block)), due[block]);
    for (const Event& event : folder.events()) EXPECT_THAT(finished, testing::Contains(event.block));
    EXPECT_GE(finished.size(), seen);
    seen = finished.size();
  }
  EXPECT_GT(seen, 0U);
  folder.open(header_.identity, true, false);
  for (const std::string& name : names_in(path_ / "parts")) EXPECT_THAT(name, testing::EndsWith(".h5"));
}

TEST_F(StoreDurability, AFullDiskLeavesNothingHalf) {
  if (::mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=128k") != 0)
    GTEST_SKIP() << "no mount: " << std::strerror(errno);
  const std::unique_ptr<void, std::function<void(void*)>> mounted(this,
                                                                  [&](void*) { ::umount(path_.c_str()); });
  SweepFolder folder(path_);
  fs::create_directories(path_ / "parts");
  fs::create_directories(path_ / "state");
  std::vector<fs::path> written;
  std::string error;
  for (const Block& block : header_.plan.blocks) {
    try {
      folder.put(example::make_part(header_, block), 1, 0);
      written.push_back(folder.part_file(block.name));
    } catch (const BadInput& full) {
      error = full.what();
      break;
    }
  }
  EXPECT_THAT(error, HasSubstr("cannot be written: No space left on device"));
  ASSERT_FALSE(written.empty());
  EXPECT_EQ(names_in(path_ / "parts").size(), written.size());
  for (const fs::path& part : written) EXPECT_NO_THROW(decode_part(read_file(part), part.string()));
  const int code = run_in_child([&] {
    try {
      write_results(path_ / "results.h5", header_, written);
    } catch (const BadInput& full) {
      return std::string(full.what()).find("results.h5: needs up to ") != std::string::npos ? 3 : 1;
    }
    return 0;
  });
  EXPECT_EQ(code, 3);
  EXPECT_FALSE(fs::exists(path_ / "results.h5"));
}

TEST_F(StoreDurability, AFileThatMayNotGrowIsRefusedAndRemoved) {
  std::vector<fs::path> parts;
  for (const Block& block : header_.plan.blocks) {
    parts.push_back(path_ / cat(block.name, ".h5"));
    write_file(parts.back(), encode_part(example::make_part(header_, block)));
  }
  const auto limited = [&](rlim_t bytes, const std::function<void()>& action) {
    return run_in_child([&] {
      const rlimit limit{bytes, bytes};
      ::signal(SIGXFSZ, SIG_IGN);
      ::setrlimit(RLIMIT_FSIZE, &limit);
      try {
        action();
      } catch (const BadInput& refused) {
        const std::string text = refused.what();
        return text.find("cannot be written: ") != std::string::npos && text.find('\n') == std::string::npos
                   ? 3
                   : 1;
      }
      return 0;
    });
  };
  const std::string image = encode_part(example::make_part(header_, header_.plan.blocks[0]));
  EXPECT_EQ(limited(image.size() / 2, [&] { write_file(path_ / "part.h5", image); }), 3);
  for (const rlim_t bytes : {0U, 4'096U, 30'000U, 100'000U})
    EXPECT_EQ(limited(bytes, [&] { write_results(path_ / "results.h5", header_, parts); }), 3)
        << bytes << " bytes";
  EXPECT_EQ(names_in(path_).size(), parts.size());
  EXPECT_EQ(limited(10'000'000, [&] { write_results(path_ / "results.h5", header_, parts); }), 0);
}

}  // namespace
}  // namespace headsweep
