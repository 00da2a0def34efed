// sweep: the sign of life of a folder's owner.
#pragma once

#include <condition_variable>
#include <headsweep/store.hpp>
#include <mutex>
#include <thread>

namespace headsweep {

/// Renews the folder's lock every 30 seconds, whatever the owner is busy with. Where the lock turns out to be
/// another's, or cannot be written for as long as an owner may be silent, it stops the sweep: two may not
/// write one folder.
class Heart {
 public:
  explicit Heart(const SweepFolder& folder);
  ~Heart();
  Heart(const Heart&) = delete;
  Heart& operator=(const Heart&) = delete;

 private:
  void beat_until_told();
  const SweepFolder& folder_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace headsweep
