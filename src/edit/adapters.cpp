// edit: adapters of any rank between their parameters and the forward.
#include "edit/adapters.hpp"

#include <algorithm>

namespace headsweep {
namespace {

/// The gain of the norm before the target, which the forward's rows lack: [inputs] or undefined.
at::Tensor gain_before(const Weights& weights, int layer, EditTarget target) {
  const LayerWeights& matrices = weights.layers.at(static_cast<std::size_t>(layer));
  switch (target) {
    case EditTarget::q:
    case EditTarget::k:
    case EditTarget::v:
      return matrices.heads_gain;
    case EditTarget::gate:
    case EditTarget::up:
      return matrices.mlp_gain;
    case EditTarget::o:
    case EditTarget::down:
      return {};
  }
  return {};
}

at::Tensor of_all_lanes(const at::Tensor& values, const LaneParams::Layer& layer, int lanes) {
  if (values.size(0) == lanes) return values;
  std::vector<std::int64_t> shape = values.sizes().vec();
  shape[0] = lanes;
  return at::zeros(shape, values.options()).index_copy_(0, layer.lanes, values);
}

at::Tensor of_own_lanes(const at::Tensor& values, const LaneParams::Layer& layer) {
  return layer.lanes.size(0) == values.size(0) ? values : values.index_select(0, layer.lanes);
}

}  // namespace

std::vector<EditTarget> ordered(std::vector<EditTarget> targets) {
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  return targets;
}

LaneParams::Layer make_adapter(const ModelConfig& config, int layer, EditTarget target, std::int64_t rows,
                               std::int64_t rank) {
  LaneParams::Layer made{.layer = layer, .target = target};
  made.a = at::zeros({rows, rank, inputs_of(config, target)});
  made.b = at::zeros({rows, rank, outputs_of(config, target)});
  return made;
}

Adapter operands_of(const LaneParams::Layer& layer, int lanes, const Weights& weights) {
  const at::Tensor gain = gain_before(weights, layer.layer, layer.target);
  const at::Tensor a = gain.defined() ? layer.a * gain : layer.a;
  return {.a = of_all_lanes(a.to(weights.number), layer, lanes),
          .b = of_all_lanes(layer.b.to(weights.number), layer, lanes)};
}

LaneParams::Gradient gradient_of(const LaneParams::Layer& layer, const Adapter& gradient,
                                 const Weights& weights) {
  const at::Tensor gain = gain_before(weights, layer.layer, layer.target),
                   a = of_own_lanes(gradient.a, layer);
  return {.a = gain.defined() ? a * gain : a, .b = of_own_lanes(gradient.b, layer)};
}

}  // namespace headsweep
