// kernels: the loops for x86-64-v4.
#ifdef __x86_64__
#define HEADSWEEP_ISA headsweep::kernels::Isa::v4
#include "kernels/cpu.hpp"

HEADSWEEP_ROW_OPERATIONS(HEADSWEEP_INSTANTIATE)
HEADSWEEP_ATTENTIONS(HEADSWEEP_INSTANTIATE)
#endif
