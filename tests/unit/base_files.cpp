// base: files are written whole or not at all, and read within a cap.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <headsweep/base.hpp>
#include <iterator>
#include <thread>

namespace headsweep {
namespace {

namespace fs = std::filesystem;

/// An empty folder of its own, removed at the end.
class Files : public testing::Test {
 protected:
  Files() : folder_(fs::temp_directory_path() / cat("headsweep-files-", ::getpid())) {
    fs::create_directory(folder_);
  }
  ~Files() override { fs::remove_all(folder_); }

  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  fs::path folder_;
};

template <class Action>
std::string refusal_of(Action action) {
  try {
    action();
  } catch (const BadInput& error) {
    return error.what();
  }
  return "accepted";
}

/// No file of this process may grow beyond so many bytes: as if the disk were full.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

TEST_F(Files, ReadBackWhatWasWritten) {
  const fs::path file = folder_ / "a";
  for (const std::string& bytes : {std::string(), std::string("a\0b\n", 4), std::string(1'000'000, 'x')}) {
    write_file(file, bytes);
    EXPECT_EQ(read_file(file), bytes);
    EXPECT_EQ(MappedFile(file).bytes(), bytes);
    EXPECT_EQ(hash_file(file), hash_hex(bytes));
  }
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
  EXPECT_EQ(hash_hex(""), "ef46db3751d8e999");  // xxh64's own test vector
}

TEST_F(Files, AreLeftAsTheyWereWhenTheDiskIsFull) {
  const fs::path file = folder_ / "a";
  write_file(file, "before");
  {
    const SmallDisk disk(1000);
    EXPECT_EQ(refusal_of([&] { write_file(file, std::string(5000, 'x')); }),
              file.string() + ": cannot be written: File too large");
    EXPECT_EQ(refusal_of([&] { write_file(folder_ / "b", std::string(5000, 'x')); }),
              (folder_ / "b").string() + ": cannot be written: File too large");
  }
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
  EXPECT_EQ(read_file(file), "before");
}

TEST_F(Files, AreLeftAsTheyWereWhenTheyCannotBePutInPlace) {
  fs::create_directories(folder_ / "taken" / "by");
  EXPECT_EQ(refusal_of([&] { write_file(folder_ / "taken", "x"); }),
            (folder_ / "taken").string() + ": cannot be put in place: Is a directory");
  EXPECT_EQ(refusal_of([&] { write_file(folder_ / "absent" / "a", "x"); }),
            (folder_ / "absent" / "a").string() + ": cannot be written: No such file or directory");
  EXPECT_EQ(names(), std::vector<std::string>{"taken"});
}

TEST_F(Files, AreSeenWholeByReadersWhileTheyAreRewritten) {
  const fs::path file = folder_ / "a";
  const std::string small(10, 's'), large(300'000, 'l');
  write_file(file, small);
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 0; i < 60; ++i) write_file(file, i % 2 == 0 ? large : small);
    stop = true;
  });
  int torn = 0;
  while (!stop) {
    std::ifstream in(file, std::ios::binary);
    const std::string seen{std::istreambuf_iterator<char>(in), {}};
    if (seen != small && seen != large) ++torn;
  }
  writer.join();
  EXPECT_EQ(torn, 0);
}

TEST_F(Files, AreRefusedWhenTheyAreNotWhatIsRead) {
  const std::string absent = (folder_ / "absent").string(), file = (folder_ / "a").string();
  write_file(file, "12345");
  EXPECT_EQ(refusal_of([&] { read_file(absent); }), absent + ": no such file");
  EXPECT_EQ(refusal_of([&] { read_file(folder_); }), folder_.string() + ": not a file");
  EXPECT_EQ(refusal_of([&] { read_file(file, 4); }), file + ": 5 bytes, at most 4 are read");
  EXPECT_EQ(refusal_of([&] { MappedFile{absent}; }), absent + ": no such file");
  EXPECT_EQ(refusal_of([&] { read_file("/dev/null"); }), "/dev/null: not a file");
}

TEST_F(Files, LinesAreAppended) {
  const fs::path file = folder_ / "log";
  append_line(file, "one");
  append_line(file, "two", true);
  EXPECT_EQ(read_file(file), "one\ntwo\n");
  EXPECT_EQ(utc_text(1'769'860'800), "2026-01-31T12:00:00Z");
}

}  // namespace
}  // namespace headsweep
