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
#include <fstream>
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

std::uint64_t size_of(const fs::path& file) {
  std::error_code error;
  require(fs::exists(file, error), file.string(), ": no such file");
  require(fs::is_regular_file(file, error), file.string(), ": not a file");
  const std::uint64_t size = fs::file_size(file, error);
  require(!error, file.string(), ": ", error.message());
  return size;
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
  const std::uint64_t size = size_of(file);
  require(size <= cap, file.string(), ": ", size, " bytes, at most ", cap, " are read");
  std::ifstream in(file, std::ios::binary);
  require(in.good(), file.string(), ": cannot be opened for reading");
  std::string bytes(size, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(size));
  require(static_cast<std::uint64_t>(in.gcount()) == size, file.string(), ": ended while being read");
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

MappedFile::MappedFile(const fs::path& file) : size_(size_of(file)) {
  if (size_ == 0) return;
  const Descriptor in(file, O_RDONLY);
  require(in.open(), file.string(), ": cannot be opened: ", reason());
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, in.number(), 0);
  require(address != MAP_FAILED, file.string(), ": cannot be mapped: ", reason());
  data_ = static_cast<const char*>(address);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
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
