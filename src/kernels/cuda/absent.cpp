// kernels: what stands in for the CUDA kernels where this build has none.
#include <headsweep/base.hpp>

#include "kernels/drive.hpp"

namespace headsweep::kernels {

bool has_cuda() { return false; }

template <class Operation>
void launch(const Operation&, Number, void*) {
  throw BadInput("this build of headsweep has no CUDA kernels; build it where nvcc is");
}

#define HEADSWEEP_LAUNCH(Operation) template void launch<Operation>(const Operation&, Number, void*);
HEADSWEEP_ROW_OPERATIONS(HEADSWEEP_LAUNCH)
HEADSWEEP_LAUNCH(CachedAttention)

}  // namespace headsweep::kernels
