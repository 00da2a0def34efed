// kernels: products of small matrices that lie in scratch memory, by tiles of registers. W: floats a vector.
#pragma once

#include "kernels/vector.hpp"

namespace headsweep::kernels {

/// A strided matrix whose numbers are read one at a time.
struct Strided {
  const float* base;
  std::int64_t row, column;  ///< steps
};
/// Rows of floats; base and step are multiples of a vector.
struct Rows {
  float* base;
  std::int64_t step;
  [[nodiscard]] HEADSWEEP_BOTH float* at(std::int64_t row) const { return base + row * step; }
};

/// c = a * b, or c += a * b, for one tile of R rows and N vectors.
template <int W, int R, int N>
HEADSWEEP_BOTH void multiply_tile(Strided a, Rows b, std::int64_t depth, Rows c, bool add) {
  Vector<W> sums[R][N];
  for (int i = 0; i < R; ++i)
    for (int n = 0; n < N; ++n)
      sums[i][n] = add ? *reinterpret_cast<const Vector<W>*>(c.at(i) + n * W) : Vector<W>{};
  for (std::int64_t k = 0; k < depth; ++k) {
    Vector<W> right[N];
    for (int n = 0; n < N; ++n) right[n] = *reinterpret_cast<const Vector<W>*>(b.at(k) + n * W);
    for (int i = 0; i < R; ++i) {
      const float left = a.base[i * a.row + k * a.column];
      for (int n = 0; n < N; ++n) sums[i][n] += left * right[n];
    }
  }
  for (int i = 0; i < R; ++i)
    for (int n = 0; n < N; ++n) *reinterpret_cast<Vector<W>*>(c.at(i) + n * W) = sums[i][n];
}

/// Rows a multiple of 8, columns of W.
struct Extent {
  std::int64_t rows, depth, columns;
};
/// c [rows, columns] (+)= a [rows, depth] * b [depth, columns].
template <int W>
HEADSWEEP_BOTH void multiply(Strided a, Rows b, Rows c, Extent extent, bool add) {
  std::int64_t j = 0;
  for (; j + 2 * W <= extent.columns; j += 2 * W)
    for (std::int64_t i = 0; i < extent.rows; i += 4)
      multiply_tile<W, 4, 2>({a.base + i * a.row, a.row, a.column}, {b.base + j, b.step}, extent.depth,
                             {c.at(i) + j, c.step}, add);
  if (j < extent.columns)
    for (std::int64_t i = 0; i < extent.rows; i += 8)
      multiply_tile<W, 8, 1>({a.base + i * a.row, a.row, a.column}, {b.base + j, b.step}, extent.depth,
                             {c.at(i) + j, c.step}, add);
}

/// to [columns, 16] = from [16, columns] transposed; columns a multiple of 4.
HEADSWEEP_BOTH void transpose(Rows from, std::int64_t columns, Rows to) {
  for (std::int64_t j = 0; j < columns; j += 4)
    for (std::int64_t i = 0; i < 16; i += 4) {
      const auto a = load<4>(from.at(i) + j), b = load<4>(from.at(i + 1) + j);
      const auto c = load<4>(from.at(i + 2) + j), d = load<4>(from.at(i + 3) + j);
      const auto ac_low = shuffle<0, 4, 1, 5>(a, c), ac_high = shuffle<2, 6, 3, 7>(a, c);
      const auto bd_low = shuffle<0, 4, 1, 5>(b, d), bd_high = shuffle<2, 6, 3, 7>(b, d);
      store<4>(to.at(j) + i, shuffle<0, 4, 1, 5>(ac_low, bd_low));
      store<4>(to.at(j + 1) + i, shuffle<2, 6, 3, 7>(ac_low, bd_low));
      store<4>(to.at(j + 2) + i, shuffle<0, 4, 1, 5>(ac_high, bd_high));
      store<4>(to.at(j + 3) + i, shuffle<2, 6, 3, 7>(ac_high, bd_high));
    }
}

}  // namespace headsweep::kernels
