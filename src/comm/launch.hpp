// comm, private: what the launcher says of the tasks that it has started.
#pragma once

#include <functional>
#include <string>

namespace headsweep {

/// A launcher's tasks, by its environment variables.
struct Launch {
  int tasks = 1, task = 0;
  bool joins = true;  ///< whether it gives MPI a way to join them into one world
};
/// `variable` returns the value of an environment variable, "" if it is not set.
Launch launch_of(const std::function<std::string(const char*)>& variable);
/// BadUsage with the right command if several tasks were started and MPI sees, or would see, `ranks` = 1.
/// Only the first task speaks.
void require_one_world(const Launch& launch, int ranks);

/// Whether these settings of Open MPI (openmpi-mca-params.conf) rule out windows over plain TCP, as Debian's
/// do: between hosts that nothing else joins, a shared counter is then an "invalid window".
bool rules_out_windows_over_tcp(const std::string& settings);

}  // namespace headsweep
