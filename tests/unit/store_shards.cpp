// store: shards of one sweep share a folder; nobody else does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reference/example_results.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class StoreShards : public testing::Test {
 protected:
  void TearDown() override { fs::remove_all(path_); }
  /// Whether another process may open the folder as this shard, and what it is told else.
  std::string opened_elsewhere(Shard shard) {
    int words[2];
    EXPECT_EQ(::pipe(words), 0);
    if (::fork() == 0) {
      std::string said = "opened";
      try {
        SweepFolder(path_, shard).open(header_.identity, true, false);
      } catch (const BadInput& error) {
        said = error.what();
      }
      ::_exit(::write(words[1], said.data(), said.size()) > 0 ? 0 : 1);
    }
    ::close(words[1]);
    ::wait(nullptr);
    char text[1024];
    const ssize_t size = ::read(words[0], text, sizeof text);
    ::close(words[0]);
    return {text, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  }
  fs::path path_ = testing::TempDir() + cat("store_shards-", ::getpid());
  SweepHeader header_ = example::make_header({.questions = 40});
};

TEST_F(StoreShards, OfOneSweepWorkSideBySide) {
  SweepFolder first(path_, {.index = 1, .count = 3});
  first.open(header_.identity, false, false);
  EXPECT_EQ(opened_elsewhere({.index = 2, .count = 3}), "opened");
  EXPECT_THAT(opened_elsewhere({.index = 1, .count = 3}), HasSubstr("lock-1-of-3: a sweep with pid "));
  EXPECT_THAT(opened_elsewhere({.index = 2, .count = 4}), HasSubstr("lock-1-of-3: a sweep with pid "));
  EXPECT_THAT(opened_elsewhere({}), HasSubstr("lock-1-of-3: a sweep with pid "));
  first.release();
  EXPECT_EQ(opened_elsewhere({}), "opened");
  SweepFolder whole(path_);
  whole.open(header_.identity, false, false);
  EXPECT_THAT(opened_elsewhere({.index = 2, .count = 3}), HasSubstr("lock: a sweep with pid "));
  EXPECT_FALSE(fs::exists(path_ / "lock-2-of-3")) << "who is refused leaves no lock";
}

TEST_F(StoreShards, MakeOneHeader) {
  SweepFolder first(path_, {.index = 1, .count = 2});
  first.open(header_.identity, false, false);
  EXPECT_TRUE(first.may_prepare());
  const auto prepare_elsewhere = [&](bool (SweepFolder::*ask)() const) {
    const pid_t child = ::fork();
    const SweepFolder second(path_, {.index = 2, .count = 2});
    if (child == 0) ::_exit((second.*ask)() ? 1 : 0);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status) == 1;
  };
  const auto may_prepare_elsewhere = [&] { return prepare_elsewhere(&SweepFolder::may_prepare); };
  EXPECT_FALSE(may_prepare_elsewhere());
  EXPECT_TRUE(first.beat());
  first.write_header(header_);
  EXPECT_TRUE(may_prepare_elsewhere()) << "the header is there";
  EXPECT_TRUE(first.try_prepare());
  EXPECT_FALSE(prepare_elsewhere(&SweepFolder::try_prepare)) << "what follows it is the first one's, too";
  first.prepared();
  EXPECT_TRUE(prepare_elsewhere(&SweepFolder::try_prepare));
}

TEST_F(StoreShards, OwnEachBlockOnce) {
  for (const int count : {1, 3, 7})
    for (std::size_t block = 0; block < 50; ++block) {
      int owners = 0;
      for (int index = 1; index <= count; ++index) owners += Shard{index, count}.owns(block) ? 1 : 0;
      EXPECT_EQ(owners, 1);
    }
}

TEST_F(StoreShards, LeaveWhatOthersAreWriting) {
  fs::create_directories(path_ / "parts");
  const fs::path ours = path_ / "parts" / cat("a.h5.tmp-", host_name(), "-", ::getppid());
  const fs::path dead = path_ / "parts" / cat("b.h5.tmp-", host_name(), "-", 2'000'000'000);
  const fs::path far = path_ / "parts" / "c.h5.tmp-node-7-123", old = path_ / "parts" / "d.h5.tmp-node-7-124";
  for (const fs::path& file : {ours, dead, far, old}) write_file(file, "half");
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(1));
  SweepFolder(path_).open(header_.identity, false, false);
  EXPECT_TRUE(fs::exists(ours));
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_TRUE(fs::exists(far));
  EXPECT_FALSE(fs::exists(old));
}

TEST_F(StoreShards, AnExtendedSweepKeepsItsName) {
  SweepFolder folder(path_);
  folder.open(header_.identity, false, false);
  folder.write_header(header_);
  folder.put(example::make_part(header_, header_.plan.blocks[0]), 1, 0);
  folder.release();
  SweepHeader larger = header_;
  larger.identity.begun_as = sweep_hash(header_.identity);
  larger.identity.settings["run.seeds"] = "[0, 1]";
  folder.lock();
  folder.rewrite_header(larger);
  folder.release();
  EXPECT_EQ(sweep_hash(folder.read_header()->identity), sweep_hash(header_.identity));
  EXPECT_EQ(folder.finished_blocks(header_.plan), std::vector{header_.plan.blocks[0].name});
  EXPECT_THROW(folder.open(header_.identity, true, false), BadInput)
      << "the smaller job is another sweep now";
  folder.open(larger.identity, true, false);
}

TEST_F(StoreShards, ExtensionsAreToldByTimeAndCountedOnce) {
  const auto begin = [&](const std::string& name, const std::vector<Extension>& extensions) {
    SweepFolder folder(path_ / name);
    folder.open(header_.identity, false, false);
    SweepHeader header = header_;
    header.extensions = extensions;
    folder.write_header(header);
    folder.release();
    return folder;
  };
  const Extension late{
      .utc = "2026-11-03T00:00:00Z", .trials_before = 40, .trials_after = 50, .trials_done = 30};
  const Extension early{
      .utc = "2026-11-01T00:00:00Z", .trials_before = 20, .trials_after = 40, .trials_done = 9};
  Extension elsewhere = early;
  elsewhere.utc = "2026-11-02T00:00:00Z";
  elsewhere.trials_done = 8;
  const SweepFolder one = begin("one", {early, late}), other = begin("other", {elsewhere, late});
  const fs::path file = path_ / "all.h5";
  gather_folders({one, other}, file);
  const std::vector<Extension> found = ResultsFile(file).header().extensions;
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].utc, elsewhere.utc) << "the later of two is when the last was given more";
  EXPECT_EQ(found[0].trials_done, 17);
  EXPECT_EQ(found[1].trials_before, 40);
  EXPECT_EQ(found[1].trials_after, 50);
  EXPECT_EQ(found[1].trials_done, 40) << "no more than there were";
}

TEST_F(StoreShards, AnExtensionThatIsCutShortLeavesTheSweepAsItWas) {
  SweepFolder folder(path_);
  folder.open(header_.identity, false, false);
  folder.write_header(header_);
  SweepHeader larger = header_;
  larger.identity.settings["run.seeds"] = "[0, 1]";
  const std::string before = read_file(path_ / "sweep.yaml");
  fs::remove(path_ / "sweep.yaml");
  fs::create_directory(path_ / "sweep.yaml");  // its last step cannot be done
  write_file(path_ / "sweep.yaml" / "in_the_way", "");
  const fs::path old = path_ / "kept.yaml";
  write_file(old, before);
  EXPECT_THROW(folder.rewrite_header(larger), BadInput);
  fs::remove_all(path_ / "sweep.yaml");
  fs::rename(old, path_ / "sweep.yaml");
  EXPECT_EQ(folder.read_header()->identity.settings, header_.identity.settings);
  folder.rewrite_header(larger);
  EXPECT_EQ(folder.read_header()->identity.settings, larger.identity.settings);
  int headers = 0;
  for (const auto& entry : fs::directory_iterator(path_))
    headers += entry.path().filename().string().starts_with("header-") ? 1 : 0;
  EXPECT_EQ(headers, 1) << "the old one is taken away";
}

TEST_F(StoreShards, WhoIsRefusedLeavesNoLock) {
  SweepFolder shard(path_, {.index = 1, .count = 2});
  shard.open(header_.identity, false, false);
  shard.write_header(header_);
  EXPECT_THROW(SweepFolder(path_).lock(), BadInput);
  EXPECT_FALSE(fs::exists(path_ / "lock"));
  SweepIdentity other = header_.identity;
  other.data_hash = "1111111111111111";
  EXPECT_THROW(SweepFolder(path_, {.index = 2, .count = 2}).open(other, true, false), BadInput);
  EXPECT_FALSE(fs::exists(path_ / "lock-2-of-2"));
}

TEST_F(StoreShards, OnlyMoreOfTheSameExtendsASweep) {
  SweepIdentity there = header_.identity, now = there;
  there.settings["training.learning_rate.1"] = "0.05";
  now.settings["training.learning_rate.1"] = "0.05";
  now.settings["training.learning_rate.4"] = "0.02";
  now.settings["locations.more"] = "{size: 4}";
  now.settings["edits[0].optimal.tau"] = "[0.1, 0.2]";
  now.settings["run.seeds"] = "[0, 1]";
  EXPECT_NO_THROW(require_extends(path_, there, now));
  now.settings["training.learning_rate.1"] = "0.06";
  try {
    require_extends(path_, there, now);
    FAIL();
  } catch (const BadInput& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("training.learning_rate.1 is '0.05' there and '0.06' now; locations, "));
    EXPECT_THAT(error.what(), testing::Not(HasSubstr("run.seeds")));
  }
}

}  // namespace
}  // namespace headsweep
