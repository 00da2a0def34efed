// sweep: a rank that dies in a block says so; what it says is counted, what others do to it is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "sweep/crash_note.hpp"
#include "sweep/todo.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;

class Crash : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(path_ / "state"); }
  void TearDown() override { fs::remove_all(path_); }
  void log(Event::Kind kind, const std::string& block, int rank = 3) {
    Event event{.kind = kind, .block = block, .time = ++time_};
    event.rank = rank;
    folder_.log(event);
  }
  /// A process that starts the block and does `end` in the middle of it; its signal or exit status.
  int process(const std::string& block, void (*end)()) {
    log(Event::Kind::start, block);
    const pid_t child = ::fork();
    if (child == 0) {
      const CrashNote note(folder_.log_of(3), {.block = block, .time = ++time_, .rank = 3});
      end();
      ::_exit(0);
    }
    ++time_;
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
  }
  fs::path path_ = testing::TempDir() + cat("sweep_crash-", ::getpid());
  SweepFolder folder_{path_};
  double time_ = 0;
};

TEST_F(Crash, IsLoggedAndStillTakesItsCourse) {
  EXPECT_EQ(process("a", [] { ::raise(SIGSEGV); }), SIGSEGV);
  EXPECT_EQ(process("a", [] { std::abort(); }), SIGABRT);
  EXPECT_EQ(process("b", [] { ::raise(SIGKILL); }), SIGKILL);
  EXPECT_EQ(process("c", [] {}), 0);
  const std::map<std::string, Crashes> crashes = crashes_of(folder_.events());
  ASSERT_EQ(crashes.size(), 1U) << "a kill from outside is nobody's fault";
  EXPECT_EQ(crashes.at("a").count, 2);
  EXPECT_EQ(crashes.at("a").message, "abort");
}

TEST_F(Crash, IsForgottenOnceTheBlockIsDone) {
  for (int i = 0; i < 3; ++i) log(Event::Kind::crashed, "a");
  log(Event::Kind::crashed, "b");
  log(Event::Kind::done, "a");
  log(Event::Kind::crashed, "a");
  EXPECT_EQ(crashes_of(folder_.events()).at("a").count, 1);
  EXPECT_EQ(crashes_of(folder_.events()).at("b").count, 1);
}

TEST_F(Crash, LeavesNoListenerBehind) {
  { const CrashNote note(folder_.log_of(0), {.block = "a"}); }
  struct sigaction now {};
  ::sigaction(SIGSEGV, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_DFL);
}

TEST_F(Crash, RanksAtWorkHoldWhatTheyStartedSinceTheLastRun) {
  log(Event::Kind::start, "old", 7);
  log(Event::Kind::run, "", 0);
  log(Event::Kind::start, "a", 0);
  log(Event::Kind::start, "b", 1);
  log(Event::Kind::done, "b", 1);
  log(Event::Kind::start, "c", 2);
  log(Event::Kind::given_up, "c", 2);
  SweepFolder shard(path_, {.index = 2, .count = 2});
  shard.log({.kind = Event::Kind::start, .block = "d", .time = ++time_});
  const RanksAtWork ranks = ranks_at_work(folder_.events());
  ASSERT_EQ(ranks.size(), 4U);
  EXPECT_EQ(ranks.at({1, 0})->block, "a");
  EXPECT_FALSE(ranks.at({1, 1}).has_value());
  EXPECT_FALSE(ranks.at({1, 2}).has_value());
  EXPECT_EQ(ranks.at({2, 0})->block, "d");
}

TEST_F(Crash, LackOfMemoryNamesABlockOnlyIfItWasAlone) {
  const auto start = [&](int rank, const std::string& host) {
    Event event{.kind = Event::Kind::start, .block = cat("block", rank), .time = ++time_};
    event.rank = rank;
    event.host = host;
    event.oom_kills = 5;
    folder_.log(event);
  };
  start(0, host_name());
  start(1, "another host");
  EXPECT_TRUE(memory_kills(folder_.events(), 1, 5).empty()) << "nothing was killed since";
  const std::vector<Event> one = memory_kills(folder_.events(), 1, 6);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].block, "block0");
  EXPECT_EQ(one[0].kind, Event::Kind::crashed);
  EXPECT_TRUE(memory_kills(folder_.events(), 2, 6).empty()) << "of another shard";
  start(2, host_name());
  EXPECT_TRUE(memory_kills(folder_.events(), 1, 6).empty()) << "any of the two may have been at fault";
}

}  // namespace
}  // namespace headsweep
