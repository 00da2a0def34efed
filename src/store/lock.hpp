// store/lock: one sweep at a time in a folder. A lock file names its owner and when it was last heard of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <headsweep/store.hpp>
#include <optional>
#include <string>

namespace headsweep {

/// Takes the lock: if it is free, its owner is this process, an earlier start of the same Slurm job, a dead
/// process of this host, or has been silent for too long (its pid may be another's by now). Otherwise
/// BadInput with host and pid.
void take_lock(const std::filesystem::path& file);
/// The same; false where another owns it.
bool try_lock(const std::filesystem::path& file);
/// Throws what take_lock does.
[[noreturn]] void refuse(const std::filesystem::path& file, const FolderOwner& owner);
/// Says that the owner lives; false if another has taken the lock meanwhile.
bool renew_lock(const std::filesystem::path& file);
/// Removes the lock if it is ours.
void release_lock(const std::filesystem::path& file);
/// Who holds the lock; none if nobody does, or the file cannot be read.
std::optional<FolderOwner> owner_of(const std::filesystem::path& file);
/// Whether a process may still write what it last wrote at `time`: known on this host, else by its silence.
bool may_write(const std::string& host, std::int64_t pid, double time);

/// Held while something is made that only one process may make at a time; waits for it.
class Turn {
 public:
  explicit Turn(const std::filesystem::path& file);
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace headsweep
