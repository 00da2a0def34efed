// store: state logs, whatever happened to them, and the lock.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>

#include "store/events.hpp"
#include "store/lock.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;

class StoreFiles : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_ = testing::TempDir() + cat("store_events-", ::getpid());
  fs::path lock_ = folder_ / "lock";
};

using StoreEvents = StoreFiles;
using StoreLock = StoreFiles;

Event event_at(double time, int rank, const std::string& block) {
  Event event{
      .kind = Event::Kind::done, .block = block, .time = time, .seconds = 2.5, .bytes = 1'234'567'890'123};
  event.part_hash = "0123456789abcdef";
  event.rank = rank;
  event.trials = 8;
  event.failed_trials = 1;
  event.message = "naïve \"quoted\"\nline";
  return event;
}

TEST_F(StoreEvents, ComeBackByTime) {
  append_event(folder_ / "rank-00012.log", event_at(3, 12, "c"), Sync::yes);
  append_event(folder_ / "rank-00012.log", event_at(1, 12, "a"), Sync::no);
  append_event(folder_ / "rank-00000.log", event_at(2, 0, "b"), Sync::no);
  const std::vector<Event> events = read_events(folder_);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].block + events[1].block + events[2].block, "abc");
  const Event& event = events[2];
  EXPECT_EQ(event.kind, Event::Kind::done);
  EXPECT_EQ(event.seconds, 2.5);
  EXPECT_EQ(event.bytes, 1'234'567'890'123);
  EXPECT_EQ(event.part_hash, "0123456789abcdef");
  EXPECT_EQ(event.rank, 12);
  EXPECT_EQ(event.trials, 8);
  EXPECT_EQ(event.failed_trials, 1);
  EXPECT_EQ(event.message, "naïve \"quoted\"\nline");
}

TEST_F(StoreEvents, AreReadAroundTornAndForeignLines) {
  append_event(folder_ / "rank-00000.log", event_at(1, 0, "a"), Sync::no);
  std::ofstream(folder_ / "rank-00000.log", std::ios::app) << "{\"event\":\"done\",\"ti";  // killed here
  append_event(folder_ / "rank-00000.log", event_at(2, 0, "b"), Sync::no);
  std::ofstream(folder_ / "rank-00000.log", std::ios::app)
      << std::string(64, '\0')
      << "\n[]\n{\"event\":\"dance\",\"time\":1}\n{\"event\":\"done\",\"time\":\"x\"}\n";
  append_event(folder_ / "rank-00000.log", event_at(3, 0, "c"), Sync::no);
  std::string blocks;
  for (const Event& event : read_events(folder_)) blocks += event.block;
  EXPECT_EQ(blocks, "abc");
  EXPECT_TRUE(read_events(folder_ / "none").empty());
}

void write_owner(const fs::path& file, const std::string& host, int pid, const std::string& job,
                 double silence) {
  write_file(file, cat("{\"host\":\"", host, "\",\"pid\":", pid, ",\"job\":\"", job,
                       "\",\"beat\":", now_seconds() - silence, "}\n"));
}

/// Whether the lock can be had; gives it back.
bool taken(const fs::path& file) {
  try {
    take_lock(file);
  } catch (const BadInput&) {
    return false;
  }
  release_lock(file);
  return true;
}

TEST_F(StoreLock, IsTakenRenewedAndGivenBack) {
  take_lock(lock_);
  EXPECT_THAT(read_file(lock_), testing::HasSubstr(cat("\"pid\":", ::getpid())));
  take_lock(lock_);  // ours already
  EXPECT_TRUE(renew_lock(lock_));
  release_lock(lock_);
  EXPECT_FALSE(fs::exists(lock_));
}

TEST_F(StoreLock, KeepsOutASecondSweepAndNamesTheFirst) {
  write_owner(lock_, "node7", 4321, "", 12);
  try {
    take_lock(lock_);
    FAIL();
  } catch (const BadInput& error) {
    EXPECT_EQ(error.what(), cat(lock_.string(),
                                ": a sweep with pid 4321 on host node7 is at work in this folder, last "
                                "heard of 12 s ago; wait for its end or stop it"));
  }
  release_lock(lock_);  // not ours
  EXPECT_TRUE(fs::exists(lock_));
  EXPECT_FALSE(renew_lock(lock_));
  const pid_t living = ::getppid();
  write_owner(lock_, host_name(), living, "", 12);
  EXPECT_FALSE(taken(lock_));
}

TEST_F(StoreLock, IsTakenOverFromTheDeadTheSilentAndTheSameJob) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  write_owner(lock_, host_name(), child, "", 1);
  EXPECT_TRUE(taken(lock_)) << "its process is dead";
  write_owner(lock_, host_name(), ::getppid(), "", lock_silence + 1);
  EXPECT_TRUE(taken(lock_)) << "silent for too long: its pid is another's by now";
  write_owner(lock_, "node7", child, "", 1);
  EXPECT_FALSE(taken(lock_)) << "on another host nobody knows";
  write_owner(lock_, "node7", 1, "", lock_silence + 1);
  EXPECT_TRUE(taken(lock_)) << "silent for too long";
  write_owner(lock_, "node7", 1, "77", 1);
  EXPECT_FALSE(taken(lock_)) << "of a Slurm job, we are of none";
  ::setenv("SLURM_JOB_ID", "77", 1);
  EXPECT_FALSE(taken(lock_)) << "another step of the same job";
  ::setenv("SLURM_RESTART_COUNT", "1", 1);
  EXPECT_TRUE(taken(lock_)) << "the same job, requeued";
  write_owner(lock_, "node7", 1, "78", 1);
  EXPECT_FALSE(taken(lock_)) << "another job";
  ::unsetenv("SLURM_JOB_ID");
  ::unsetenv("SLURM_RESTART_COUNT");
  write_file(lock_, "");
  EXPECT_TRUE(taken(lock_)) << "left empty by a crash";
}

TEST_F(StoreLock, HasOneOwnerAtATime) {
  constexpr int tries = 12;
  int over[2];  // closed by us when all others have tried
  ASSERT_EQ(::pipe(over), 0);
  for (int i = 0; i < tries; ++i) {
    if (::fork() != 0) continue;
    ::close(over[1]);
    try {
      take_lock(lock_);
    } catch (const BadInput&) {
      ::_exit(1);
    }
    pollfd end{over[0], POLLIN, 0};
    ::poll(&end, 1, 20'000);  // alive while the others try
    ::_exit(0);
  }
  int owners = 0;
  for (int i = 0; i < tries; ++i) {
    if (i == tries - 1) ::close(over[1]);
    int status = 0;
    ::wait(&status);
    owners += WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1 : 0;
  }
  ::close(over[0]);
  EXPECT_EQ(owners, 1);
}

}  // namespace
}  // namespace headsweep
