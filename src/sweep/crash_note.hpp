// sweep: the last words of a rank that dies in a block.
#pragma once

#include <filesystem>
#include <headsweep/store.hpp>
#include <string>

namespace headsweep {

/// While it lives, a fatal signal (segmentation fault, abort, bus error, illegal instruction, arithmetic)
/// leaves a `crashed` event in the log before it takes its course. One at a time.
class CrashNote {
 public:
  CrashNote(const std::filesystem::path& log, Event event);
  ~CrashNote();
  CrashNote(const CrashNote&) = delete;
  CrashNote& operator=(const CrashNote&) = delete;
};

}  // namespace headsweep
