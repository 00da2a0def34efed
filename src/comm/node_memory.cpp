// comm: memory that the ranks of a host share, as a mapped file that has lost its name: in /dev/shm where
// that has room, else in the folder for temporary files.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <headsweep/base.hpp>
#include <headsweep/comm.hpp>

namespace headsweep {
namespace {

bool has_room(const std::filesystem::path& folder, std::size_t bytes) {
  struct statvfs space {};
  if (::statvfs(folder.c_str(), &space) != 0 || ::access(folder.c_str(), W_OK) != 0) return false;
  return static_cast<double>(space.f_bavail) * static_cast<double>(space.f_frsize) >
         1.05 * static_cast<double>(bytes);
}

/// An open file; closed at the end.
class OpenFile {
 public:
  explicit OpenFile(int number) : number_(number) {}
  ~OpenFile() {
    if (number_ >= 0) ::close(number_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

/// Where shared memory may lie, the best first; a folder that is not there has no name.
std::array<std::filesystem::path, 2> folders() {
  std::error_code absent;
  return {"/dev/shm", std::filesystem::temp_directory_path(absent)};
}

/// An empty new file as long as asked for, or -1 where the folder has no room.
int make_file(const std::filesystem::path& folder, std::size_t bytes, std::string& name) {
  if (folder.empty() || !has_room(folder, bytes)) return -1;
  std::string made = (folder / "headsweep-XXXXXX").string();
  const int number = ::mkstemp(made.data());
  if (number < 0) return -1;
  name = made;
  if (::ftruncate(number, static_cast<off_t>(bytes)) != 0) name.clear();
  if (name.empty()) ::unlink(made.c_str());
  return number;
}

/// Takes all pages now: one that the folder cannot hold would kill the writer later.
bool reserve(int number, std::size_t bytes) {
  int code = EINTR;
  while (code == EINTR) code = ::posix_fallocate(number, 0, static_cast<off_t>(bytes));
  return code == 0;
}

/// Null where the file cannot be mapped.
void* map(const std::string& name, std::size_t bytes, bool writes) {
  const OpenFile file(::open(name.c_str(), writes ? O_RDWR : O_RDONLY));
  if (file.number() < 0) return nullptr;
  const int allowed = writes ? PROT_READ | PROT_WRITE : PROT_READ;
  void* data = ::mmap(nullptr, bytes, allowed, MAP_SHARED, file.number(), 0);
  return data == MAP_FAILED ? nullptr : data;
}

}  // namespace

NodeMemory::NodeMemory(const World& world, std::size_t bytes) : bytes_(bytes) {
  for (const std::filesystem::path& folder : folders())
    if (lies_in(folder, world)) return;
  throw BadInput(cat(host_name(), ": no room for ", bytes, " bytes of weights in /dev/shm or ",
                     folders().back().string(), "; set TMPDIR to a folder that has it"));
}

bool NodeMemory::lies_in(const std::filesystem::path& folder, const World& world) {
  const bool first = world.node_rank() == 0;
  std::string name;
  const OpenFile file(first ? make_file(folder, bytes_, name) : -1);
  name = world.node_broadcast(name);
  if (name.empty()) return false;
  void* data = map(name, bytes_, first);
  world.node_barrier();
  if (first) ::unlink(name.c_str());  // from here on a killed rank leaves nothing behind
  const bool whole = !world.node_broadcast(first && reserve(file.number(), bytes_) ? "whole" : "").empty();
  if (whole && data == nullptr) throw Error(ExitCode::internal, cat(name, ": cannot be mapped"));
  if (!whole && data != nullptr) ::munmap(data, bytes_);
  data_ = whole ? data : nullptr;
  return whole;
}

NodeMemory::~NodeMemory() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

}  // namespace headsweep
