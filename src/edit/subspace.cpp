// edit: normal numbers; bases by QR, on the CPU in float64 for every device; coordinates to head outputs and
// back.
#include "edit/subspace.hpp"

#include <cmath>
#include <numbers>

namespace headsweep {

double draw_normal(Random& random, double deviation) {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - random.uniform()));
  return deviation * radius * std::cos(2.0 * std::numbers::pi * random.uniform());
}

at::Tensor random_basis(const LaneSpec& lane, int layer, std::int64_t dimension, std::int64_t width) {
  expect(0 < dimension && dimension <= width, "a subspace of the head outputs");
  Random random(lane.subspace_seed, "basis", lane.subspace, layer);
  const at::Tensor rows = at::empty({dimension, width}, at::kDouble);
  auto* values = rows.data_ptr<double>();
  for (std::int64_t i = 0; i < rows.numel(); ++i) values[i] = draw_normal(random, 1);
  const auto [q, r] = at::linalg_qr(rows.t());  // [C, dimension]
  // With signs by which no diagonal element is negative, Q hangs on the rows alone, not on who computes it.
  const at::Tensor signs = at::where(r.diagonal() < 0, -1.0, 1.0);
  return (q * signs).t().to(at::kFloat).contiguous();
}

at::Tensor in_head_space(const LaneParams::Layer& layer) {
  if (!layer.basis.defined()) return layer.b * layer.b_mask;
  return at::bmm(layer.b.unsqueeze(1), layer.basis).squeeze(1);
}

at::Tensor from_head_space(const LaneParams::Layer& layer, const at::Tensor& gradient) {
  if (!layer.basis.defined()) return gradient * layer.b_mask;
  return at::bmm(layer.basis, gradient.unsqueeze(2)).squeeze(2);
}

}  // namespace headsweep
