// comm: memory that the ranks of a host share, as a mapped file that has lost its name: in /dev/shm where
// that has room, else in the folder for temporary files.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
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

/// Makes a file with its whole length reserved (a page that the disk cannot hold would kill the writer
/// later).
std::string make_file(std::size_t bytes) {
  for (const std::filesystem::path& folder :
       {std::filesystem::path("/dev/shm"), std::filesystem::temp_directory_path()}) {
    if (!has_room(folder, bytes)) continue;
    std::string name = (folder / "headsweep-XXXXXX").string();
    const OpenFile file(::mkstemp(name.data()));
    if (file.number() < 0) continue;
    if (::posix_fallocate(file.number(), 0, static_cast<off_t>(bytes)) == 0) return name;
    ::unlink(name.c_str());
  }
  throw BadInput(cat(host_name(), ": no room for ", bytes, " bytes of weights in /dev/shm or ",
                     std::filesystem::temp_directory_path().string(),
                     "; set TMPDIR to a folder that has it"));
}

void* map(const std::string& name, std::size_t bytes, bool writes) {
  const OpenFile file(::open(name.c_str(), writes ? O_RDWR : O_RDONLY));
  void* data = file.number() < 0 ? MAP_FAILED
                                 : ::mmap(nullptr, bytes, writes ? PROT_READ | PROT_WRITE : PROT_READ,
                                          MAP_SHARED, file.number(), 0);
  if (data == MAP_FAILED)
    throw Error(ExitCode::internal, cat(name, ": cannot be mapped: ", std::strerror(errno)));
  return data;
}

}  // namespace

NodeMemory::NodeMemory(const World& world, std::size_t bytes) : bytes_(bytes) {
  const bool first = world.node_rank() == 0;
  std::string name, refusal;
  if (first) {
    try {
      name = make_file(bytes);
    } catch (const Error& error) {
      refusal = error.what();
    }
  }
  refusal = world.node_broadcast(refusal);
  require(refusal.empty(), refusal);
  name = world.node_broadcast(name);
  std::string failure;
  try {
    data_ = map(name, bytes, first);
  } catch (const Error& error) {
    failure = error.what();
  }
  world.node_barrier();  // nobody needs the name any more
  if (first) ::unlink(name.c_str());
  if (!failure.empty()) throw Error(ExitCode::internal, failure);
}

NodeMemory::~NodeMemory() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

}  // namespace headsweep
