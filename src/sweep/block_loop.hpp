// sweep: one rank's blocks: drawn, computed, written.
#pragma once

#include <headsweep/comm.hpp>
#include <headsweep/sweep.hpp>

#include "sweep/block.hpp"
#include "sweep/time_limit.hpp"

namespace headsweep {

struct LoopInputs {
  const World& world;
  const RunOptions& options;
  SweepFolder& folder;
  const SweepHeader& header;
  const BlockInputs& blocks;
  std::string build;               ///< of this rank
  TimeLimit limit;                 ///< no block is begun that would not end by then
  double begin = 0;                ///< of the run
  const std::vector<Event>& past;  ///< of all ranks, before this run
};

/// Draws from the counter and computes until no block is left, a stop is asked for, or none fits into the
/// time. Returns how many blocks this rank has done.
int do_blocks(const LoopInputs& inputs, const std::vector<std::string>& todo, Ticket& ticket);

}  // namespace headsweep
