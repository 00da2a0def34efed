// store/events: state logs, one JSON line per event. Whatever line cannot be read is skipped: one bad line
// hides no other.
#pragma once

#include <headsweep/store.hpp>

namespace headsweep {

enum class Sync { no, yes };
void append_event(const std::filesystem::path& log, const Event& event, Sync sync);
/// Of all logs in a folder, by time.
std::vector<Event> read_events(const std::filesystem::path& state_folder);

}  // namespace headsweep
