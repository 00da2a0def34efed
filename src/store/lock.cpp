// store/lock: the lock file, read and rewritten under flock.
#include "store/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <headsweep/json.hpp>
#include <optional>

namespace headsweep {
namespace {

struct Owner {
  std::string host;
  std::int64_t pid = 0;
  std::string job;  // SLURM_JOB_ID, empty outside Slurm
  double beat = 0;
};

Owner this_process() {
  const char* job = std::getenv("SLURM_JOB_ID");
  return {host_name(), ::getpid(), job != nullptr ? job : "", now_seconds()};
}

bool same_process(const Owner& a, const Owner& b) { return a.host == b.host && a.pid == b.pid; }

/// The open lock file; no other process of a host that knows flock holds it at the same time.
class LockFile {
 public:
  explicit LockFile(const std::filesystem::path& file) : file_(file) {
    struct stat opened {};
    do {  // again, if the owner removed the file between our open and our flock
      if (descriptor_ >= 0) ::close(descriptor_);
      descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
      require(descriptor_ >= 0, file.string(), ": cannot be written: ", std::strerror(errno));
      ::flock(descriptor_, LOCK_EX);  // where a file system has none, the content alone decides
    } while (::fstat(descriptor_, &opened) == 0 && opened.st_nlink == 0);
  }
  ~LockFile() { ::close(descriptor_); }
  LockFile(const LockFile&) = delete;

  /// The owner; none if the file is empty or unreadable, as after a crash.
  [[nodiscard]] std::optional<Owner> read() const {
    char bytes[1024];
    const ssize_t size = ::pread(descriptor_, bytes, sizeof bytes, 0);
    if (size <= 0) return std::nullopt;
    try {
      const std::string name = file_.string();
      const Json owner = parse_json({bytes, static_cast<std::size_t>(size)}, name);
      return Owner{json_text(owner, "host", name), json_integer(owner, "pid", name, 1, INT32_MAX),
                   json_text(owner, "job", name), json_number(owner, "beat", name)};
    } catch (const BadInput&) {
      return std::nullopt;
    }
  }

  void write(const Owner& owner) const {
    const Json json = {{"host", owner.host}, {"pid", owner.pid}, {"job", owner.job}, {"beat", owner.beat}};
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

/// Whether a process of this host still runs. One that was killed and not yet waited for is dead, too.
bool runs_here(std::int64_t pid) {
  if (::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) return false;
  std::ifstream in(cat("/proc/", pid, "/stat"));
  const std::string stat((std::istreambuf_iterator<char>(in)), {});
  const std::size_t name_end = stat.rfind(')');  // a name may hold anything
  return name_end == std::string::npos || stat.substr(name_end, 3) != ") Z";
}

bool may_take_from(const Owner& owner, const Owner& self) {
  if (same_process(owner, self)) return true;
  if (!self.job.empty() && owner.job == self.job) return true;  // requeued
  if (owner.host == self.host) return !runs_here(owner.pid);
  return self.beat - owner.beat > lock_silence;
}

}  // namespace

void take_lock(const std::filesystem::path& file) {
  const LockFile lock(file);
  const Owner self = this_process();
  const std::optional<Owner> owner = lock.read();
  if (owner && !may_take_from(*owner, self))
    throw BadInput(cat(file.string(), ": a sweep with pid ", owner->pid, " on host ", owner->host,
                       " is at work in this folder, last heard of ",
                       static_cast<int>(self.beat - owner->beat), " s ago; wait for its end or stop it"));
  lock.write(self);
}

void renew_lock(const std::filesystem::path& file) {
  const LockFile lock(file);
  const Owner self = this_process();
  const std::optional<Owner> owner = lock.read();
  if (owner && !same_process(*owner, self))
    throw BadInput(cat(file.string(), ": taken over by pid ", owner->pid, " on host ", owner->host));
  lock.write(self);
}

void release_lock(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return;
  const LockFile lock(file);
  const std::optional<Owner> owner = lock.read();
  if (owner && same_process(*owner, this_process())) lock.remove();
}

}  // namespace headsweep
