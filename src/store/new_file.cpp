// store: temporary name, flush, rename.
#include "store/new_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "store/h5_call.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;

/// Flushes what was written and puts it in its place.
void put_in_place(const fs::path& temporary, const fs::path& file) {
  const auto sync = [&](const fs::path& what) {
    const int descriptor = ::open(what.c_str(), O_RDONLY | O_CLOEXEC);
    const bool ok = descriptor >= 0 && ::fsync(descriptor) == 0;
    if (descriptor >= 0) ::close(descriptor);
    return ok;
  };
  const bool ok = sync(temporary) && ::rename(temporary.c_str(), file.c_str()) == 0;
  require(ok, file.string(), ": cannot be put in place: ", std::strerror(errno));
  sync(file.parent_path());
}

}  // namespace

void put_new_file(const fs::path& file, const std::function<void(const fs::path&)>& write) {
  const fs::path target = fs::absolute(file);
  const fs::path temporary = cat(target.string(), ".tmp-", host_name(), "-", ::getpid());
  try {
    write(temporary);
    put_in_place(temporary, target);
  } catch (const h5::Failure& failure) {
    ::unlink(temporary.c_str());
    throw BadInput(cat(file.string(), ": cannot be written: ", failure.what()));
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

}  // namespace headsweep
