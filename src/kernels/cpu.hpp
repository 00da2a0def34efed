// kernels: `drive` for one instruction set; included by one source per set, with that set's compiler options.
#pragma once

#include "kernels/attention.hpp"
#include "kernels/cached.hpp"
#include "kernels/drive.hpp"
#include "kernels/edits.hpp"

namespace headsweep::kernels {

/// A row's only worker.
template <Isa isa>
struct Alone {
  [[nodiscard]] HEADSWEEP_BOTH std::int64_t index() const { return 0; }
  [[nodiscard]] HEADSWEEP_BOTH float sum(float value) const { return value; }
  [[nodiscard]] HEADSWEEP_BOTH float max(float value) const { return value; }
};

template <Isa isa, class T, class Operation>
HEADSWEEP_BOTH void drive_rows(const Operation& operation, std::int64_t begin, std::int64_t end,
                               float* memory) {
  for (std::int64_t row = begin; row < end; ++row) {
    if constexpr (requires { attend<vector_floats<isa>, T>(operation, row, memory); })
      attend<vector_floats<isa>, T>(operation, row, memory);
    else
      do_row<T>(operation, row, Alone<isa>{});
  }
}

template <Isa isa, class Operation>
void drive(const Operation& operation, Number number, std::int64_t begin, std::int64_t end, float* memory) {
  if (number == Number::f32)
    drive_rows<isa, float>(operation, begin, end, memory);
  else
    drive_rows<isa, Bf16>(operation, begin, end, memory);
}

}  // namespace headsweep::kernels

#define HEADSWEEP_INSTANTIATE(Operation)                                                 \
  template void headsweep::kernels::drive<HEADSWEEP_ISA, headsweep::kernels::Operation>( \
      const headsweep::kernels::Operation&, headsweep::kernels::Number, std::int64_t, std::int64_t, float*);
