// comm: tasks that were started together must see each other, or each would sweep alone.
#include "comm/launch.hpp"

#include <cstdlib>
#include <headsweep/base.hpp>

namespace headsweep {
namespace {

int number_in(const std::string& text, int otherwise) {
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  return text.empty() || *end != '\0' ? otherwise : static_cast<int>(value);
}

}  // namespace

Launch launch_of(const std::function<std::string(const char*)>& variable) {
  // Open MPI's own launcher; what Slurm says of the step that it runs in is not about these tasks.
  if (const std::string size = variable("OMPI_COMM_WORLD_SIZE"); !size.empty())
    return {number_in(size, 1), number_in(variable("OMPI_COMM_WORLD_RANK"), 0), true};
  // Another MPI's launcher.
  if (const std::string size = variable("PMI_SIZE"); !size.empty())
    return {number_in(size, 1), number_in(variable("PMI_RANK"), 0), true};
  return {number_in(variable("SLURM_STEP_NUM_TASKS"), 1), number_in(variable("SLURM_PROCID"), 0),
          !variable("PMIX_NAMESPACE").empty()};
}

bool rules_out_windows_over_tcp(const std::string& settings) {
  for (const std::string& line : split_text(settings, '\n')) {
    const std::size_t equals = line.find('='), begin = line.find_first_not_of(" \t");
    if (equals == std::string::npos || line[begin] == '#') continue;
    const std::string key = line.substr(begin, line.find_last_not_of(" \t", equals - 1) + 1 - begin);
    const std::string value = line.substr(equals);
    if (key == "osc" && value.find('^') != std::string::npos && value.find("pt2pt") != std::string::npos)
      return true;
  }
  return false;
}

void require_one_world(const Launch& launch, int ranks) {
  if (launch.tasks <= 1 || ranks > 1) return;
  set_speaker(launch.task == 0);
  throw BadUsage(cat(launch.tasks, " tasks were started that do not see each other: each would sweep alone; ",
                     "start them by `srun --mpi=pmix headsweep run ...`, or by Open MPI's `mpirun -n ",
                     launch.tasks, " headsweep run ...`"));
}

}  // namespace headsweep
