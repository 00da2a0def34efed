// Slow plain twins of the row operations, in double precision, one row at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace headsweep::plain {

using Row = std::vector<double>;

inline double dot(const Row& a, const Row& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

inline double norm_scale(const Row& x, double eps) {
  return 1 / std::sqrt(dot(x, x) / static_cast<double>(x.size()) + eps);
}
inline Row scaled(const Row& x, double factor) {
  Row result = x;
  for (double& value : result) value *= factor;
  return result;
}
inline Row sum(const Row& a, const Row& b, double factor = 1) {
  Row result = a;
  for (std::size_t i = 0; i < b.size(); ++i) result[i] += factor * b[i];
  return result;
}
/// The gradient of x, where h = x * scale.
inline Row norm_gradient(const Row& h, double scale, const Row& dh) {
  return scaled(sum(dh, h, -dot(dh, h) / static_cast<double>(h.size())), scale);
}

inline Row rotated(const Row& x, const Row& cos, const Row& sin, double sign) {
  const std::size_t half = x.size() / 2;
  Row result(x.size());
  for (std::size_t j = 0; j < half; ++j) {
    result[j] = x[j] * cos[j] - sign * x[half + j] * sin[j];
    result[half + j] = x[half + j] * cos[j] + sign * x[j] * sin[j];
  }
  return result;
}

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
inline Row swiglu(const Row& gate_up) {
  Row result(gate_up.size() / 2);
  for (std::size_t j = 0; j < result.size(); ++j)
    result[j] = gate_up[j] * sigmoid(gate_up[j]) * gate_up[result.size() + j];
  return result;
}
inline Row swiglu_gradient(const Row& gate_up, const Row& dout) {
  Row result(gate_up.size());
  for (std::size_t j = 0; j < dout.size(); ++j) {
    const double x = gate_up[j], s = sigmoid(x);
    result[j] = dout[j] * gate_up[dout.size() + j] * (s + x * s * (1 - s));
    result[dout.size() + j] = dout[j] * x * s;
  }
  return result;
}

inline double log_sum_exp(const Row& x) {
  const double most = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (const double value : x) sum += std::exp(value - most);
  return most + std::log(sum);
}
inline Row softmax(const Row& x) {
  const double lse = log_sum_exp(x);
  Row result = x;
  for (double& value : result) value = std::exp(value - lse);
  return result;
}
inline Row softmax_gradient(const Row& p, const Row& dp) {
  const double mean = dot(p, dp);
  Row result = dp;
  for (std::size_t j = 0; j < p.size(); ++j) result[j] = p[j] * (dp[j] - mean);
  return result;
}
inline double divergence(const Row& before, const Row& after) {
  const double lse_before = log_sum_exp(before), lse_after = log_sum_exp(after);
  double sum = 0;
  for (std::size_t j = 0; j < before.size(); ++j)
    sum += std::exp(before[j] - lse_before) * (before[j] - lse_before - after[j] + lse_after);
  return sum;
}

/// Central differences of a function of one row.
template <class Function>
Row differences(const Function& function, Row x, double step = 1e-5) {
  Row result(x.size());
  for (std::size_t j = 0; j < x.size(); ++j) {
    const double at = x[j];
    x[j] = at + step;
    const double above = function(x);
    x[j] = at - step;
    result[j] = (above - function(x)) / (2 * step);
    x[j] = at;
  }
  return result;
}

}  // namespace headsweep::plain
