// kernels: the loop over rows on the CPU, compiled once per instruction set (cpu_base, cpu_v3, cpu_v4) and
// chosen in dispatch.cpp. The tag in every template's name keeps the linker from mixing them up.
#pragma once

#include <headsweep/kernels.hpp>

#define HEADSWEEP_ROW_OPERATIONS(DO)                                                                        \
  DO(NormForward)                                                                                           \
  DO(NormBackward)                                                                                          \
  DO(Rotate)                                                                                                \
  DO(SwigluForward)                                                                                         \
  DO(SwigluBackward)                                                                                        \
  DO(LogSumExp)                                                                                             \
  DO(ScaledSoftmax) DO(RowDivergence) DO(EditForward) DO(EditBackward) DO(WeightedSum) DO(CollapsedForward) \
      DO(CollapsedBackward) DO(MaskedSoftmax) DO(SoftmaxBackward) DO(SpreadHeads) DO(GatherHeads)
#define HEADSWEEP_ATTENTIONS(DO) DO(AttentionForward) DO(AttentionBackward) DO(CachedAttention)

namespace headsweep::kernels {

template <Isa isa>
constexpr int vector_floats = isa == Isa::v4   ? 16
                              : isa == Isa::v3 ? 8
                                               : 4;

/// `memory`: scratch_floats(operation) floats at a multiple of 64 bytes.
template <Isa isa, class Operation>
void drive(const Operation& operation, Number number, std::int64_t begin, std::int64_t end, float* memory);

}  // namespace headsweep::kernels
