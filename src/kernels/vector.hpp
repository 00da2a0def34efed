// kernels: vectors of W floats, loaded from and stored to rows of numbers.
#pragma once

#include "kernels/number.hpp"

namespace headsweep::kernels {

template <int W>
struct VectorOf {
  typedef float Type __attribute__((vector_size(W * 4), may_alias));
  typedef float Unaligned __attribute__((vector_size(W * 4), aligned(4), may_alias));
  typedef std::uint32_t Bits __attribute__((vector_size(W * 4)));
  typedef std::uint16_t Halves __attribute__((vector_size(W * 2), aligned(2), may_alias));
};
template <int W>
using Vector = typename VectorOf<W>::Type;

template <int W>
HEADSWEEP_BOTH Vector<W> load(const float* from) {
  return *reinterpret_cast<const typename VectorOf<W>::Unaligned*>(from);
}
template <int W>
HEADSWEEP_BOTH Vector<W> load(const Bf16* from) {
  using Bits = typename VectorOf<W>::Bits;
  const auto halves = *reinterpret_cast<const typename VectorOf<W>::Halves*>(from);
  return reinterpret_cast<Vector<W>>(__builtin_convertvector(halves, Bits) << 16);
}
template <int W>
HEADSWEEP_BOTH void store(float* to, Vector<W> value) {
  *reinterpret_cast<typename VectorOf<W>::Unaligned*>(to) = value;
}
/// Rounds as `put`.
template <int W>
HEADSWEEP_BOTH void store(Bf16* to, Vector<W> value) {
  using Bits = typename VectorOf<W>::Bits;
  using Halves = typename VectorOf<W>::Halves;
  const auto bits = reinterpret_cast<Bits>(value);
  const Bits rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  const Bits result = value != value ? Bits{} + 0x7fc0U : rounded;
  *reinterpret_cast<Halves*>(to) = __builtin_convertvector(result, Halves);
}

/// The numbers of a and b at these places, where b's follow a's.
template <int... places, class Any>
HEADSWEEP_BOTH Any shuffle(Any a, Any b) {
#ifdef __clang__
  return __builtin_shufflevector(a, b, places...);
#else
  typedef std::int32_t Places __attribute__((vector_size(sizeof(Any))));
  return __builtin_shuffle(a, b, Places{places...});
#endif
}

/// Rows of numbers that lie `stride` numbers apart.
template <class T>
struct Strand {
  const T* base;
  std::int64_t stride, count;
};

/// A row of D numbers, times `factor`.
template <int W, class From, class To>
HEADSWEEP_BOTH void copy_row(const From* from, std::int64_t width, float factor, To* to) {
  std::int64_t j = 0;
  for (; j + W <= width; j += W) store<W>(to + j, factor * load<W>(from + j));
  for (; j < width; ++j) put(to + j, factor * get(from + j));
}

}  // namespace headsweep::kernels
