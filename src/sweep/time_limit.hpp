// sweep: the moment by which computing must have ended.
#pragma once

#include <headsweep/base.hpp>

namespace headsweep {

/// A moment in seconds since 1970; none unless one was set.
class TimeLimit {
 public:
  /// Keeps the earlier of two; 0 sets none.
  void set(double moment) {
    if (moment > 0 && (moment_ == 0 || moment < moment_)) moment_ = moment;
  }
  [[nodiscard]] bool is_set() const { return moment_ > 0; }
  [[nodiscard]] bool leaves(double seconds) const { return !is_set() || now_seconds() + seconds <= moment_; }

 private:
  double moment_ = 0;
};

}  // namespace headsweep
