// sweep: what this program was built from.
#include <torch/version.h>

#include <headsweep/sweep.hpp>

namespace headsweep {

std::string build_text() {
  return cat("headsweep ", HEADSWEEP_VERSION, " (", HEADSWEEP_REVISION, "), gcc ", __VERSION__, ", torch ",
             TORCH_VERSION);
}

}  // namespace headsweep
