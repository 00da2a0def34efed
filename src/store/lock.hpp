// store/lock: one sweep at a time in a folder. The lock file names its owner and when it was last heard of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace headsweep {

inline constexpr double lock_silence = 300.0;  ///< s; an owner silent for longer is taken for dead

/// Takes the lock: if it is free, its owner is this process or another of the same Slurm job, its process is
/// dead on this host, or it has been silent for too long. Otherwise BadInput with host and pid.
void take_lock(const std::filesystem::path& file);
/// Says that the owner lives; BadInput if another has taken the lock meanwhile.
void renew_lock(const std::filesystem::path& file);
/// Removes the lock if it is ours.
void release_lock(const std::filesystem::path& file);

}  // namespace headsweep
