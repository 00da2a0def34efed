// store/lock: the lock file, read and rewritten under flock.
#include "store/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <headsweep/json.hpp>
#include <limits>
#include <optional>
#include <thread>

namespace headsweep {
namespace {

using Owner = FolderOwner;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

Owner this_process() {
  return {.host = host_name(),
          .pid = ::getpid(),
          .job = variable("SLURM_JOB_ID"),
          .restart = std::atoi(variable("SLURM_RESTART_COUNT").c_str()),
          .beat = now_seconds(),
          .lives = true};
}

bool same_process(const Owner& a, const Owner& b) { return a.host == b.host && a.pid == b.pid; }

std::string silence_of(const Owner& owner) {
  return cat("last heard of ", static_cast<int>(now_seconds() - owner.beat), " s ago");
}

constexpr double patience = 10;  // s; a lock file is held for as long as it takes to read and write a line

/// Waits for the file to be ours alone; where a file system has no flock, the content alone decides.
void wait_for(int descriptor, const std::filesystem::path& file, double seconds) {
  const double end = now_seconds() + seconds;
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && (errno == EWOULDBLOCK || errno == EINTR)) {
    if (now_seconds() > end) {
      ::close(descriptor);
      throw BadInput(
          cat(file.string(), ": another process has held it for ", seconds, " s; is it suspended?"));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

/// A descriptor of the file that no other process of a host that knows flock has at the same time.
int open_alone(const std::filesystem::path& file, double seconds) {
  int descriptor = -1;
  struct stat opened {};
  do {  // again, if the owner removed the file between our open and our flock
    if (descriptor >= 0) ::close(descriptor);
    descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    require(descriptor >= 0, file.string(), ": cannot be written: ", std::strerror(errno));
    wait_for(descriptor, file, seconds);
  } while (::fstat(descriptor, &opened) == 0 && opened.st_nlink == 0);
  return descriptor;
}

/// Whether a process of this host still runs. One that was killed and not yet waited for is dead, too.
bool runs_here(std::int64_t pid) {
  if (::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) return false;
  std::ifstream in(cat("/proc/", pid, "/stat"));
  const std::string stat((std::istreambuf_iterator<char>(in)), {});
  const std::size_t name_end = stat.rfind(')');  // a name may hold anything
  return name_end == std::string::npos || stat.substr(name_end, 3) != ") Z";
}

Owner parse_owner(const std::string& text, const std::string& name) {
  const Json json = parse_json(text, name);
  Owner owner{.host = json_text(json, "host", name),
              .pid = json_integer(json, "pid", name, 1, INT32_MAX),
              .job = json_text(json, "job", name),
              .restart = json.contains("restart")
                             ? static_cast<int>(json_integer(json, "restart", name, 0, INT32_MAX))
                             : 0,
              .beat = json_number(json, "beat", name)};
  const bool heard = now_seconds() - owner.beat <= lock_silence;
  owner.lives = heard && (owner.host != host_name() || runs_here(owner.pid));
  return owner;
}

/// The open lock file, ours alone for as long as this lives.
class LockFile {
 public:
  explicit LockFile(const std::filesystem::path& file)
      : file_(file), descriptor_(open_alone(file, patience)) {}
  ~LockFile() { ::close(descriptor_); }
  LockFile(const LockFile&) = delete;

  /// The owner; none if the file is empty or unreadable, as after a crash.
  [[nodiscard]] std::optional<Owner> read() const {
    char bytes[1024];
    const ssize_t size = ::pread(descriptor_, bytes, sizeof bytes, 0);
    if (size <= 0) return std::nullopt;
    try {
      return parse_owner({bytes, static_cast<std::size_t>(size)}, file_.string());
    } catch (const BadInput&) {
      return std::nullopt;
    }
  }

  void write(const Owner& owner) const {
    const Json json = {{"host", owner.host},
                       {"pid", owner.pid},
                       {"job", owner.job},
                       {"restart", owner.restart},
                       {"beat", owner.beat}};
    const std::string line = json.dump() + "\n";
    const auto size = static_cast<ssize_t>(line.size());
    const bool ok = ::pwrite(descriptor_, line.data(), line.size(), 0) == size &&
                    ::ftruncate(descriptor_, size) == 0 && ::fsync(descriptor_) == 0;
    require(ok, file_.string(), ": cannot be written: ", std::strerror(errno));
  }

  void remove() const { ::unlink(file_.c_str()); }

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

bool may_take_from(const Owner& owner, const Owner& self) {
  if (same_process(owner, self) || !owner.lives) return true;
  return !self.job.empty() && owner.job == self.job && owner.restart < self.restart;  // requeued
}

/// Takes the lock, or says who holds it.
std::optional<Owner> take_or_tell(const std::filesystem::path& file) {
  const LockFile lock(file);
  const Owner self = this_process();
  std::optional<Owner> owner = lock.read();
  if (owner && !may_take_from(*owner, self)) return owner;
  lock.write(self);
  return std::nullopt;
}

}  // namespace

bool may_write(const std::string& host, std::int64_t pid, double time) {
  return host == host_name() ? runs_here(pid) : now_seconds() - time <= lock_silence;
}

void take_lock(const std::filesystem::path& file) {
  const std::optional<Owner> owner = take_or_tell(file);
  if (owner) refuse(file, *owner);
}

bool try_lock(const std::filesystem::path& file) { return !take_or_tell(file); }

void refuse(const std::filesystem::path& file, const Owner& owner) {
  throw BadInput(cat(file.string(), ": a sweep with pid ", owner.pid, " on host ", owner.host,
                     " is at work in this folder, ", silence_of(owner), "; wait for its end or stop it"));
}

std::optional<Owner> owner_of(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return std::nullopt;
  try {
    return parse_owner(read_file(file), file.string());
  } catch (const BadInput&) {
    return std::nullopt;
  }
}

Turn::Turn(const std::filesystem::path& file)
    : descriptor_(open_alone(file, std::numeric_limits<double>::infinity())) {}
Turn::~Turn() { ::close(descriptor_); }

bool renew_lock(const std::filesystem::path& file) {
  const LockFile lock(file);
  const Owner self = this_process();
  const std::optional<Owner> owner = lock.read();
  if (owner && !same_process(*owner, self)) return false;
  lock.write(self);
  return true;
}

void release_lock(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return;
  const LockFile lock(file);
  const std::optional<Owner> owner = lock.read();
  if (owner && same_process(*owner, this_process())) lock.remove();
}

}  // namespace headsweep
