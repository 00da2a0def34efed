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

template <class T, class Group>
HEADSWEEP_BOTH void do_row(const Rotate& op, std::int64_t row, [[maybe_unused]] Group group) {
  const std::int64_t half = op.width / 2, token = row % op.tokens;
  const float *cos = op.cos + token * op.width, *sin = op.sin + token * op.width;
  for (std::int64_t head = 0; head < op.heads; ++head) {
    T* x = at<T>(op.x, row * op.stride + head * op.width);
    HEADSWEEP_LOOP(j, half) {
      const float low = get(x + j), high = get(x + half + j), turn = op.sign * sin[j];
      put(x + j, low * cos[j] - high * turn);
      put(x + half + j, high * cos[j] + low * turn);
    }
  }
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
HEADSWEEP_BOTH void do_row(const EditForward& op, std::int64_t row, [[maybe_unused]] Group group) {
  const std::int64_t lane = op.lane_of_row != nullptr ? op.lane_of_row[row] : row / op.tokens;
  const std::int64_t edit = op.edit_of_lane[lane];
  float gate = 0;
  if (edit >= 0) {
    const float active = op.active != nullptr ? op.active[row % op.tokens] : 1.0F;
    gate = active;
    if (op.read != nullptr) {
      const T* outputs = at<T>(op.outputs, row * op.width);
      const float* read = op.read + edit * op.width;
      float product = 0;
      HEADSWEEP_SUM(j, op.width, product) { product += read[j] * get(outputs + j); }
      gate = active * group.sum(product);
    }
    float* x = op.x + row * op.hidden;
    const float* write = op.write + edit * op.hidden;
    HEADSWEEP_LOOP(j, op.hidden) { x[j] += gate * write[j]; }
  }
  if (group.index() == 0) op.gate[row] = gate;
}

template <class T, class Group>
HEADSWEEP_BOTH void do_row(const EditBackward& op, std::int64_t row, [[maybe_unused]] Group group) {
  const std::int64_t edit = op.edit_of_lane[row / op.tokens];
  float dgate = 0;
  if (edit >= 0) {
    const float *dx = op.dx + row * op.hidden, *write = op.write + edit * op.hidden;
    float product = 0;
    HEADSWEEP_SUM(j, op.hidden, product) { product += dx[j] * write[j]; }
    dgate = group.sum(product) * (op.active != nullptr ? op.active[row % op.tokens] : 1.0F);
    if (op.read != nullptr && op.doutputs != nullptr) {
      T* doutputs = at<T>(op.doutputs, row * op.width);
      const float* read = op.read + edit * op.width;
      HEADSWEEP_LOOP(j, op.width) { put(doutputs + j, get(doutputs + j) + dgate * read[j]); }
    }
  }
  if (group.index() == 0) op.dgate[row] = dgate;
}

template <class T, class Group>
HEADSWEEP_BOTH void do_row(const WeightedSum& op, std::int64_t row, [[maybe_unused]] Group group) {
  const std::int64_t lane = op.lanes != nullptr ? op.lanes[row] : row;
  const float* factor = op.factor + lane * op.tokens;
  const T* values = at<T>(op.values, lane * op.tokens * op.width);
  float* out = op.out + row * op.width;
  HEADSWEEP_LOOP(j, op.width) { out[j] = 0; }
  for (std::int64_t token = 0; token < op.tokens; ++token) {
    const T* value = values + token * op.width;
    const float weight = factor[token];
    HEADSWEEP_LOOP(j, op.width) { out[j] += weight * get(value + j); }
  }
}

template <class T, class Group>
HEADSWEEP_BOTH void do_row(const CollapsedForward& op, std::int64_t row, [[maybe_unused]] Group group) {
  const std::int64_t lane = row / op.tokens, token = row % op.tokens;
  const T *shared = at<T>(op.shared, token * 2 * op.width), *own = at<T>(op.own, lane * 2 * op.width);
  T* out = at<T>(op.out, row * op.width);
  const float gate = op.gate[row], scale = op.scale[row];
  HEADSWEEP_LOOP(j, op.width) {
    const float x = scale * (get(shared + j) + gate * get(own + j));
    const float y = scale * (get(shared + op.width + j) + gate * get(own + op.width + j));
    put(out + j, x * sigmoid(x) * y);
  }
}

template <class T, class Group>
HEADSWEEP_BOTH void do_row(const CollapsedBackward& op, std::int64_t lane, [[maybe_unused]] Group group) {
  const T* own = at<T>(op.own, lane * 2 * op.width);
  float* down = op.down + lane * 2 * op.width;
  HEADSWEEP_LOOP(j, op.width) { down[j] = down[op.width + j] = 0; }
  for (std::int64_t token = 0; token < op.tokens; ++token) {
    const std::int64_t row = lane * op.tokens + token;
    const T *shared = at<T>(op.shared, token * 2 * op.width), *dout = at<T>(op.dout, row * op.width);
    const float gate = op.gate[row], scale = op.scale[row];
    float by_gate = 0, by_scale = 0;
    HEADSWEEP_SUM(j, op.width, by_gate, by_scale) {
      const float own_x = get(own + j), own_y = get(own + op.width + j);
      const float raw_x = get(shared + j) + gate * own_x, raw_y = get(shared + op.width + j) + gate * own_y;
      const float x = scale * raw_x, y = scale * raw_y, s = sigmoid(x), d = get(dout + j);
      const float dx = d * y * silu_slope(x, s), dy = d * x * s;
      by_gate += dx * own_x + dy * own_y;
      by_scale += dx * raw_x + dy * raw_y;
      down[j] += gate * scale * dx;
      down[op.width + j] += gate * scale * dy;
    }
    by_gate = group.sum(by_gate);
    by_scale = group.sum(by_scale);
    if (group.index() == 0) {
      op.dgate[row] = scale * by_gate;
      op.dscale[row] = by_scale;
    }
  }
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

}  // namespace headsweep::kernels
