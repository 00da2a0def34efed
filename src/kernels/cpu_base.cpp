// kernels: the loops for any CPU.
#define HEADSWEEP_ISA headsweep::kernels::Isa::base
#include "kernels/cpu.hpp"

HEADSWEEP_ROW_OPERATIONS(HEADSWEEP_INSTANTIATE)
HEADSWEEP_ATTENTIONS(HEADSWEEP_INSTANTIATE)
