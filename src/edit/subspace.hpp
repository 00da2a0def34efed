// edit, private: random subspaces of a layer's head outputs, and b by coordinates in them.
#pragma once

#include <headsweep/edit.hpp>

namespace headsweep {

/// One draw of N(0, deviation^2), by Box and Muller.
double draw_normal(Random& random, double deviation);
/// Orthonormal rows [dimension, C] of a random subspace, uniform among all, that hangs on the lane's (seed,
/// draw) and the layer; fewer dimensions give the first rows of more.
at::Tensor random_basis(const LaneSpec& lane, int layer, std::int64_t dimension, std::int64_t width);
/// b in head outputs [K', C]: within the lanes' heads, or of coordinates.
at::Tensor in_head_space(const LaneParams::Layer& layer);
/// The gradient of a layer's b from that of b in head outputs.
at::Tensor from_head_space(const LaneParams::Layer& layer, const at::Tensor& gradient);

}  // namespace headsweep
