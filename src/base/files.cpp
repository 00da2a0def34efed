// base: files read whole and written whole, hashes, time, host.
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <headsweep/base.hpp>
#include <memory>

namespace headsweep {
namespace {

namespace fs = std::filesystem;

/// A POSIX file descriptor, closed at the end of its scope.
class Descriptor {
 public:
  Descriptor(const fs::path& file, int flags) : number_(::open(file.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool open() const { return number_ >= 0; }
  /// Closes now; false if the system reports that something written was lost.
  bool close() { return ::close(std::exchange(number_, -1)) == 0; }

 private:
  int number_;
};

std::string reason() { return std::strerror(errno); }

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// What is measured is what is then read, even if another file takes the name in between; and opening a pipe
// must not wait for its writer.
constexpr int for_reading = O_RDONLY | O_NONBLOCK;

/// Size of a file opened for reading; BadInput if it could not be, or is no regular file.
std::uint64_t size_of(const Descriptor& in, const fs::path& file) {
  require(in.open(), file.string(), ": ", errno == ENOENT ? "no such file" : "cannot be opened: " + reason());
  struct stat status {};
  require(::fstat(in.number(), &status) == 0 && S_ISREG(status.st_mode), file.string(), ": not a file");
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace

std::string hash_hex(std::string_view bytes) {
  return fmt::format("{:016x}", XXH64(bytes.data(), bytes.size(), 0));
}

std::string hash_file(const fs::path& file) {
  const MappedFile mapped(file);
  return hash_hex(mapped.bytes());
}

std::string read_file(const fs::path& file, std::uint64_t cap) {
  const Descriptor in(file, for_reading);
  const std::uint64_t size = size_of(in, file);
  require(size <= cap, file.string(), ": ", size, " bytes, at most ", cap, " are read");
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t more = ::read(in.number(), bytes.data() + done, size - done);
    if (more < 0 && errno == EINTR) continue;
    require(more >= 0, file.string(), ": cannot be read: ", reason());
    require(more > 0, file.string(), ": ended while being read");
    done += static_cast<std::size_t>(more);
  }
  return bytes;
}

void write_file(const fs::path& file, std::string_view bytes) {
  const fs::path temporary = file.string() + fmt::format(".tmp-{}-{}", host_name(), ::getpid());
  const auto fail = [&](const char* what) {
    const std::string why = reason();
    ::unlink(temporary.c_str());
    throw BadInput(cat(file.string(), ": ", what, ": ", why));
  };
  Descriptor out(temporary, O_WRONLY | O_CREAT | O_TRUNC);
  if (!out.open()) fail("cannot be written");
  if (!write_all(out.number(), bytes) || ::fsync(out.number()) != 0) fail("cannot be written");
  if (!out.close()) fail("cannot be written");
  if (::rename(temporary.c_str(), file.c_str()) != 0) fail("cannot be put in place");
  const Descriptor folder(file.has_parent_path() ? file.parent_path() : fs::path("."),
                          O_RDONLY | O_DIRECTORY);
  if (folder.open()) ::fsync(folder.number());
}

void append_line(const fs::path& file, std::string_view line, bool sync) {
  const Descriptor out(file, O_WRONLY | O_CREAT | O_APPEND);
  const bool ok = out.open() && write_all(out.number(), std::string(line) + "\n") &&
                  (!sync || ::fsync(out.number()) == 0);
  require(ok, file.string(), ": cannot be appended to: ", reason());
}

MappedFile::MappedFile(const fs::path& file) {
  const Descriptor in(file, for_reading);
  size_ = size_of(in, file);
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, in.number(), 0);
  require(address != MAP_FAILED, file.string(), ": cannot be mapped: ", reason());
  data_ = static_cast<const char*>(address);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
}

void MappedFile::release(std::string_view part) const {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto offset = static_cast<std::size_t>(part.data() - data_);
  const std::size_t begin = (offset + page - 1) / page * page, end = (offset + part.size()) / page * page;
  if (begin < end) ::madvise(const_cast<char*>(data_) + begin, end - begin, MADV_DONTNEED);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string utc_text(double seconds) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

}  // namespace headsweep
