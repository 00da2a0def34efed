// sweep: what rank 0 tells while the sweep runs.
#pragma once

#include <headsweep/plan.hpp>
#include <headsweep/store.hpp>
#include <headsweep/sweep.hpp>

namespace headsweep {

/// How the plan stands by these events; the rate is of what was done after `since`.
Standing standing_of(const Plan& plan, const std::vector<Event>& events, double since);

/// The same; time left is that of these ranks.
Standing standing_of(const Plan& plan, const std::vector<Event>& events, double since,
                     const RanksAtWork& ranks);

/// Prints progress on rank 0: in place on a terminal, else a plain line at most every 30 seconds.
class Progress {
 public:
  Progress(const Plan& plan, const SweepFolder& folder, bool speaks);
  void show(bool last = false);

 private:
  const Plan& plan_;
  const SweepFolder& folder_;
  bool speaks_, terminal_;
  double begin_, shown_ = 0;
};

}  // namespace headsweep
