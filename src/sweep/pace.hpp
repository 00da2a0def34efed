// sweep: the time that blocks take, and what a stop or a limit makes of them.
#pragma once

#include <functional>
#include <headsweep/comm.hpp>
#include <headsweep/sweep.hpp>
#include <vector>

#include "sweep/time_limit.hpp"

namespace headsweep {

/// Whether a rank has heard of a stop, or the time is up. Collective.
bool stop_asked(const World& world, const TimeLimit& limit);
/// The first rank says `waiting` and looks every second, until it is ready. False: a stop came first.
/// Collective.
bool await(const World& world, const TimeLimit& limit, const std::string& waiting,
           const std::function<bool()>& ready);

/// Thrown by the tick inside a block that has to be given up.
struct GiveUp {};

/// What this rank expects of blocks of a plan.
class Pace {
 public:
  /// `timed`: blocks that were done before.
  Pace(const Plan& plan, const TimeLimit& limit, std::vector<TimedBlock> timed = {})
      : plan_(plan), limit_(limit), timed_(std::move(timed)) {}
  void add(const Block& block, double seconds) { timed_.push_back({&block, seconds}); }
  /// By what finished blocks have taken; 0 where nothing is known, so that one is tried.
  [[nodiscard]] double expected_seconds(const Block& block) const;
  /// Whether the block can be begun.
  [[nodiscard]] bool leaves(const Block& block) const { return limit_.leaves(expected_seconds(block)); }
  /// For use between steps of a block: makes progress in MPI; GiveUp where the block must be given up.
  void tick(const World& world, double expected_end) const;

 private:
  /// At once if that is asked for; where a limit is known, a block that would not end by it is given up as
  /// soon as a stop is asked for, and at the limit in any case.
  [[nodiscard]] bool must_give_up(double expected_end) const;
  const Plan& plan_;
  TimeLimit limit_;
  std::vector<TimedBlock> timed_;
};

/// Draws from the counter until no block is left, a stop is asked for, or `finish` has given one up (false);
/// a block that the time does not leave is passed over. The next block is drawn before the one in hand is
/// computed, so that a busy owner of the counter delays nobody.
void draw_blocks(Ticket& ticket, const std::vector<const Block*>& todo, const Pace& pace,
                 const std::function<bool(const Block&)>& finish);

}  // namespace headsweep
