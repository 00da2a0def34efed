// sweep: what is left to do in a folder.
#pragma once

#include "sweep/block_loop.hpp"

namespace headsweep {

/// All events of the folder's logs, read by the first rank. Collective.
std::vector<Event> share_events(const World& world, const SweepFolder& folder);

/// The blocks in hand on this host that its lack of memory has taken down, as `crashed` events: a start that
/// was never ended, where the host's count of such kills has grown since. Where several were in hand, none is
/// named, for it may have been another's fault.
std::vector<Event> memory_kills(const std::vector<Event>& past, int shard, std::int64_t oom_kills_now);
/// Each host says so in the logs and in `past`, before any block is begun. Collective.
void note_memory_kills(const World& world, SweepFolder& folder, std::vector<Event>& past);

/// What a run is to do.
struct Todo {
  std::vector<std::string> blocks;  ///< names, in the order of the draw
  int later = 0;                    ///< blocks beyond --limit
};
/// Blocks of this shard without a finished part, the longest first; the first rank looks at the folder. Those
/// that have crashed the program `most_crashes` times are written as failed first, or left as they are where
/// --retry-failed has asked for them. Collective.
Todo find_todo(const World& world, const LoopInputs& inputs);
inline constexpr int most_crashes = 3;

}  // namespace headsweep
