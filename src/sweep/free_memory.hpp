// sweep: how much memory a process may still take on its host.
#pragma once

#include <filesystem>

namespace headsweep {

/// Bytes that the host has available, or that the control groups of this process (memory limits of Slurm,
/// systemd, containers) leave, whichever is less; what the kernel can take back (file pages) counts as free.
/// `root`: of the file system.
double free_host_bytes(const std::filesystem::path& root = "/");

}  // namespace headsweep
