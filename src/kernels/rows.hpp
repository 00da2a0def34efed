// kernels: what each operation does with one row, said once for CPU and CUDA. A Group is the workers that
// share a row: one on the CPU (where the loops vectorise), a thread block on CUDA (with HEADSWEEP_WORKERS,
// which deals the indices of each loop among them). Index j belongs to the same worker in all loops of a row:
// it alone writes there, and what it reads at other places nobody writes. T is the type of the products'
// operands.
#pragma once

#include <headsweep/kernels.hpp>

#include "kernels/number.hpp"

#ifdef HEADSWEEP_WORKERS
#define HEADSWEEP_LOOP(j, n) for (std::int64_t j = group.index(); j < (n); j += group.size())
#define HEADSWEEP_SUM(j, n, ...) HEADSWEEP_LOOP(j, n)
#define HEADSWEEP_MAX(j, n, ...) HEADSWEEP_LOOP(j, n)
#else
#define HEADSWEEP_PRAGMA(text) _Pragma(#text)
#define HEADSWEEP_LOOP(j, n) HEADSWEEP_PRAGMA(omp simd) for (std::int64_t j = 0; j < (n); ++j)
#define HEADSWEEP_SUM(j, n, ...) \
  HEADSWEEP_PRAGMA(omp simd reduction(+ : __VA_ARGS__)) for (std::int64_t j = 0; j < (n); ++j)
#define HEADSWEEP_MAX(j, n, ...) \
  HEADSWEEP_PRAGMA(omp simd reduction(max : __VA_ARGS__)) for (std::int64_t j = 0; j < (n); ++j)
#endif
#ifdef __CUDACC__
#define HEADSWEEP_LOG logf
#define HEADSWEEP_RSQRT rsqrtf
#else
#define HEADSWEEP_LOG __builtin_logf
#define HEADSWEEP_RSQRT(x) (1.0F / __builtin_sqrtf(x))
#endif

namespace headsweep::kernels {

template <class T>
HEADSWEEP_BOTH const T* at(const void* base, std::int64_t index) {
  return static_cast<const T*>(base) + index;
}
template <class T>
HEADSWEEP_BOTH T* at(void* base, std::int64_t index) {
  return static_cast<T*>(base) + index;
}

HEADSWEEP_BOTH float sigmoid(float x) { return 1.0F / (1.0F + exponential(-x)); }
/// d silu(x) / dx, where s = sigmoid(x).
HEADSWEEP_BOTH float silu_slope(float x, float s) { return s * (1.0F + x * (1.0F - s)); }

template <class T, class Group>
HEADSWEEP_BOTH void do_row(const NormForward& op, std::int64_t row, [[maybe_unused]] Group group) {
  float* x = op.x + row * op.width;
  T* h = at<T>(op.h, row * op.width);
  float squares = 0;
  if (op.y != nullptr) {
    const T* y = at<T>(op.y, row * op.width);
    HEADSWEEP_SUM(j, op.width, squares) {
      const float value = x[j] + get(y + j);
      x[j] = value;
      squares += value * value;
    }
  } else {
    HEADSWEEP_SUM(j, op.width, squares) { squares += x[j] * x[j]; }
  }
  const float scale = HEADSWEEP_RSQRT(group.sum(squares) / static_cast<float>(op.width) + op.eps);
  if (group.index() == 0) op.scale[row] = scale;
  HEADSWEEP_LOOP(j, op.width) { put(h + j, x[j] * scale); }
}

template <class T, class Group>
HEADSWEEP_BOTH void do_row(const NormBackward& op, std::int64_t row, [[maybe_unused]] Group group) {
  const T *dh = at<T>(op.dh, row * op.width), *h = at<T>(op.h, row * op.width);
  float* dx = op.dx + row * op.width;
  float product = 0;
  HEADSWEEP_SUM(j, op.width, product) { product += get(dh + j) * get(h + j); }
  const float mean = group.sum(product) / static_cast<float>(op.width), scale = op.scale[row];
  if (op.low == nullptr) {
    HEADSWEEP_LOOP(j, op.width) { dx[j] += scale * (get(dh + j) - get(h + j) * mean); }
    return;
  }
  T* low = at<T>(op.low, row * op.width);
  HEADSWEEP_LOOP(j, op.width) {
    const float value = dx[j] + scale * (get(dh + j) - get(h + j) * mean);
    dx[j] = value;
    put(low + j, value);
  }
}

/// Number i of a row of heads. Quotients of 32 bits are what GPUs are fast at.
struct Place {
  std::uint32_t head, number;
};
HEADSWEEP_BOTH Place place_of(std::int64_t i, std::int64_t width) {
  const auto place = static_cast<std::uint32_t>(i), numbers = static_cast<std::uint32_t>(width);
  return {place / numbers, place % numbers};
}

/// Turns a number and the one half a head behind it.
template <class T>
HEADSWEEP_BOTH void rotate_pair(T* x, std::int64_t half, float cos, float turn) {
  const float low = get(x), high = get(x + half);
  put(x, low * cos - high * turn);
  put(x + half, high * cos + low * turn);
}
template <class T, class Group>
HEADSWEEP_BOTH void do_row(const Rotate& op, std::int64_t row, [[maybe_unused]] Group group) {
  const std::int64_t half = op.width / 2, token = row % op.tokens;
  const float *cos = op.cos + token * op.width, *sin = op.sin + token * op.width;
#ifdef HEADSWEEP_WORKERS  // a head has too few numbers for all of them
  HEADSWEEP_LOOP(i, op.heads * half) {
    const Place place = place_of(i, half);
    T* x = at<T>(op.x, row * op.stride + place.head * op.width + place.number);
    rotate_pair(x, half, cos[place.number], op.sign * sin[place.number]);
  }
#else
  for (std::int64_t head = 0; head < op.heads; ++head) {
    T* x = at<T>(op.x, row * op.stride + head * op.width);
    HEADSWEEP_LOOP(j, half) { rotate_pair(x + j, half, cos[j], op.sign * sin[j]); }
  }
#endif
}

template <class T, class Group>
HEADSWEEP_BOTH void do_row(const SwigluForward& op, std::int64_t row, [[maybe_unused]] Group group) {
  const T *gate = at<T>(op.gate_up, row * 2 * op.width), *up = gate + op.width;
  T* out = at<T>(op.out, row * op.width);
  HEADSWEEP_LOOP(j, op.width) {
    const float x = get(gate + j);
    put(out + j, x * sigmoid(x) * get(up + j));
  }
}

template <class T, class Group>
HEADSWEEP_BOTH void do_row(const SwigluBackward& op, std::int64_t row, [[maybe_unused]] Group group) {
  T *gate = at<T>(op.gate_up, row * 2 * op.width), *up = gate + op.width;
  const T* dout = at<T>(op.dout, row * op.width);
  HEADSWEEP_LOOP(j, op.width) {
    const float x = get(gate + j), y = get(up + j), d = get(dout + j), s = sigmoid(x);
    put(up + j, d * x * s);
    put(gate + j, d * y * silu_slope(x, s));
  }
}

template <class T, class Group>
HEADSWEEP_BOTH void do_row(const LogSumExp& op, std::int64_t row, [[maybe_unused]] Group group) {
  const T* x = at<T>(op.x, row * op.width);
  float most = lowest, total = 0;
  HEADSWEEP_MAX(j, op.width, most) {
    const float value = get(x + j);
    most = value > most ? value : most;
  }
  most = group.max(most);
  HEADSWEEP_SUM(j, op.width, total) { total += exponential(get(x + j) - most); }
  total = group.sum(total);
  if (group.index() == 0) op.out[row] = most + HEADSWEEP_LOG(total);
}

template <class T, class Group>
HEADSWEEP_BOTH void do_row(const ScaledSoftmax& op, std::int64_t row, [[maybe_unused]] Group group) {
  T* x = at<T>(op.x, row * op.width);
  const float lse = op.lse[row], factor = op.factor[row];
  HEADSWEEP_LOOP(j, op.width) { put(x + j, factor * exponential(get(x + j) - lse)); }
}

template <class T, class Group>
HEADSWEEP_BOTH void do_row(const RowDivergence& op, std::int64_t row, [[maybe_unused]] Group group) {
  const std::int64_t other = row % op.rows_before;
  const T *before = at<T>(op.before, other * op.width), *after = at<T>(op.after, row * op.width);
  const float shift = op.lse_after[row] - op.lse_before[other], lse = op.lse_before[other];
  float total = 0;
  HEADSWEEP_SUM(j, op.width, total) {
    const float x = get(before + j);
    total += exponential(x - lse) * (x - get(after + j) + shift);
  }
  total = group.sum(total);
  if (group.index() == 0) op.kl[row] = total;
}

template <class T, class Group>
HEADSWEEP_BOTH void do_row(const MaskedSoftmax& op, std::int64_t row, [[maybe_unused]] Group group) {
  T* x = at<T>(op.x, row * op.width);
  const std::int64_t tree = row / (op.repeat * op.cells) % op.trees;
  const float* mask = op.mask + (tree * op.cells + row % op.cells) * op.width;
  float most = lowest, total = 0;
  HEADSWEEP_MAX(j, op.width, most) {
    const float value = get(x + j) * op.factor + mask[j];
    most = value > most ? value : most;
  }
  most = group.max(most);
  HEADSWEEP_SUM(j, op.width, total) {
    const float value = exponential(get(x + j) * op.factor - most);
    total += mask[j] < 0 ? 0.0F : value;
  }
  const float share = 1.0F / group.sum(total);
  HEADSWEEP_LOOP(j, op.width) {
    const float value = exponential(get(x + j) * op.factor - most) * share;
    put(x + j, mask[j] < 0 ? 0.0F : value);
  }
}

template <class T, class Group>
HEADSWEEP_BOTH void do_row(const SoftmaxBackward& op, std::int64_t row, [[maybe_unused]] Group group) {
  const T* p = at<T>(op.p, row * op.width);
  T* dp = at<T>(op.dp, row * op.width);
  float product = 0;
  HEADSWEEP_SUM(j, op.width, product) { product += get(p + j) * get(dp + j); }
  product = group.sum(product);
  HEADSWEEP_LOOP(j, op.width) { put(dp + j, op.factor * get(p + j) * (get(dp + j) - product)); }
}

template <class T, class Group>
HEADSWEEP_BOTH void do_row(const SpreadHeads& op, std::int64_t row, [[maybe_unused]] Group group) {
  const std::int64_t slot = row % (op.trees * op.slots), lane = row / (op.trees * op.slots);
  const T* packed = at<T>(op.packed, (lane * op.tokens + op.token[slot]) * op.stride);
  T* squares = at<T>(op.squares, ((row / op.slots) * op.heads * op.slots + row % op.slots) * op.width);
  HEADSWEEP_LOOP(i, op.heads * op.width) {
    const Place place = place_of(i, op.width);
    const std::int64_t source = op.group == 1 ? i : place.head / op.group * op.width + place.number;
    squares[place.head * op.slots * op.width + place.number] = packed[source];
  }
}

template <class T, class Group>
HEADSWEEP_BOTH void do_row(const GatherHeads& op, std::int64_t row, [[maybe_unused]] Group group) {
  const std::int64_t lane = row / op.tokens, slot = op.slot[row % op.tokens];
  const std::int64_t square = (lane * op.trees + slot / op.slots) * op.heads;
  const T* squares = at<T>(op.squares, (square * op.slots + slot % op.slots) * op.width);
  T* packed = at<T>(op.packed, row * op.stride);
  HEADSWEEP_LOOP(i, op.heads * op.width) {
    const Place place = place_of(i, op.width);
    packed[i] = squares[place.head * op.slots * op.width + place.number];
  }
}

}  // namespace headsweep::kernels
