// store/crashes: which blocks took the program down with them. A kill from outside is not a block's fault:
// only what the dying rank could log counts, and kills by a host that had run out of memory.
#include <fstream>
#include <headsweep/store.hpp>
#include <utility>

namespace headsweep {

RanksAtWork ranks_at_work(const std::vector<Event>& events) {
  RanksAtWork ranks;
  for (const Event& event : events) {
    const std::pair writer(event.shard, event.rank);
    if (event.kind == Event::Kind::run)
      std::erase_if(ranks, [&](const auto& rank) { return rank.first.first == event.shard; });
    else if (event.kind == Event::Kind::start)
      ranks[writer] = event;
    else
      ranks[writer].reset();
  }
  return ranks;
}

std::map<std::string, Crashes> crashes_of(const std::vector<Event>& events) {
  std::map<std::string, Crashes> crashes;
  for (const Event& event : events) {
    if (event.kind == Event::Kind::done) crashes.erase(event.block);
    if (event.kind != Event::Kind::crashed) continue;
    ++crashes[event.block].count;
    crashes[event.block].message = event.message;
  }
  return crashes;
}

std::int64_t oom_kills() {
  std::ifstream in("/proc/vmstat");
  std::string name;
  for (std::int64_t value = 0; in >> name >> value;)
    if (name == "oom_kill") return value;
  return 0;
}

}  // namespace headsweep
