// sweep: what is left to do in a folder.
#pragma once

#include "sweep/block_loop.hpp"

namespace headsweep {

/// Says in this host's logs which blocks of the last run its lack of memory has killed. Collective.
void log_memory_kills(const World& world, SweepFolder& folder);

/// Names of the blocks of this shard that are to be done, in the order of the draw; the first rank looks at
/// the folder. Blocks that have crashed the program `most_crashes` times are first written as failed.
/// Collective.
std::vector<std::string> blocks_to_do(const World& world, const LoopInputs& inputs);
inline constexpr int most_crashes = 3;

/// Blocks of this shard whose part is not there.
int blocks_left(const SweepFolder& folder, const Plan& plan);

}  // namespace headsweep
