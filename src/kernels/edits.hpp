// kernels: what each operation of edits does with one row, as rows.hpp: what they add, and the collapsed MLP
// of the first edited layer.
#pragma once

#include "kernels/rows.hpp"

namespace headsweep::kernels {

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
#ifdef HEADSWEEP_WORKERS  // each goes down its own columns
  HEADSWEEP_LOOP(j, op.width) {
    float sum = 0;
    for (std::int64_t token = 0; token < op.tokens; ++token)
      sum += factor[token] * get(values + token * op.width + j);
    out[j] = sum;
  }
#else
  HEADSWEEP_LOOP(j, op.width) { out[j] = 0; }
  for (std::int64_t token = 0; token < op.tokens; ++token) {
    const T* value = values + token * op.width;
    const float weight = factor[token];
    HEADSWEEP_LOOP(j, op.width) { out[j] += weight * get(value + j); }
  }
#endif
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

/// One inner number of one token: what its gradients are made of.
struct CollapsedCell {
  float own_x, own_y, raw_x, raw_y, dx, dy;
  [[nodiscard]] HEADSWEEP_BOTH float by_gate() const { return dx * own_x + dy * own_y; }
  [[nodiscard]] HEADSWEEP_BOTH float by_scale() const { return dx * raw_x + dy * raw_y; }
};
/// One token of one lane.
template <class T>
struct CollapsedToken {
  const T *shared, *own, *dout;
  std::int64_t width;
  float gate, scale;
  HEADSWEEP_BOTH CollapsedToken(const CollapsedBackward& op, std::int64_t lane, std::int64_t token)
      : shared(kernels::at<T>(op.shared, token * 2 * op.width)),
        own(kernels::at<T>(op.own, lane * 2 * op.width)),
        dout(kernels::at<T>(op.dout, (lane * op.tokens + token) * op.width)),
        width(op.width),
        gate(op.gate[lane * op.tokens + token]),
        scale(op.scale[lane * op.tokens + token]) {}
  [[nodiscard]] HEADSWEEP_BOTH CollapsedCell at(std::int64_t j) const {
    CollapsedCell cell{};
    cell.own_x = get(own + j);
    cell.own_y = get(own + width + j);
    cell.raw_x = get(shared + j) + gate * cell.own_x;
    cell.raw_y = get(shared + width + j) + gate * cell.own_y;
    const float x = scale * cell.raw_x, y = scale * cell.raw_y, s = sigmoid(x), d = get(dout + j);
    cell.dx = d * y * silu_slope(x, s);
    cell.dy = d * x * s;
    return cell;
  }
};
template <class T, class Group>
HEADSWEEP_BOTH void do_row(const CollapsedBackward& op, std::int64_t lane, [[maybe_unused]] Group group) {
  float* down = op.down + lane * 2 * op.width;
  HEADSWEEP_LOOP(j, op.width) { down[j] = down[op.width + j] = 0; }
  for (std::int64_t token = 0; token < op.tokens; ++token) {
    const CollapsedToken<T> one(op, lane, token);
    const float weight = one.gate * one.scale;
    float by_gate = 0, by_scale = 0;
    HEADSWEEP_SUM(j, op.width, by_gate, by_scale) {
      const CollapsedCell cell = one.at(j);
      by_gate += cell.by_gate();
      by_scale += cell.by_scale();
      down[j] += weight * cell.dx;
      down[op.width + j] += weight * cell.dy;
    }
    by_gate = group.sum(by_gate);
    by_scale = group.sum(by_scale);
    if (group.index() == 0) {
      const std::int64_t row = lane * op.tokens + token;
      op.dgate[row] = one.scale * by_gate;
      op.dscale[row] = by_scale;
    }
  }
}

}  // namespace headsweep::kernels
