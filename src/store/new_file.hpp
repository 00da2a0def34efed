// store: a results file that is whole or absent, too large to be built in memory.
#pragma once

#include <filesystem>
#include <functional>

namespace headsweep {

/// Lets `write` make a file under a temporary name, flushes it and puts it in the place of `file`. Leaves
/// nothing behind where that fails; BadInput for what HDF5 or the disk refuses.
void put_new_file(const std::filesystem::path& file,
                  const std::function<void(const std::filesystem::path&)>& write);

}  // namespace headsweep
