// edit: AdamW and clipping for all lanes at once; each lane keeps its own rate, norm and fate.
#include <cmath>
#include <headsweep/edit.hpp>
#include <numbers>

namespace headsweep {
namespace {

constexpr double beta_first = 0.9, beta_second = 0.999, epsilon = 1e-8;

/// What is trained of a layer: a (if it is read) and b.
std::vector<at::Tensor> trained(const LaneParams::Layer& layer) {
  return layer.a.defined() ? std::vector{layer.a, layer.b} : std::vector{layer.b};
}

}  // namespace

double cosine(int step, int steps) { return 0.5 * (1.0 + std::cos(std::numbers::pi * step / steps)); }

LaneOptimiser::LaneOptimiser(LaneParams& params, at::Tensor learning_rates, double clip)
    : params_(&params), rates_(std::move(learning_rates)), clip_(clip) {
  for (const auto& layer : params_->layers())
    for (const at::Tensor& value : trained(layer)) {
      first_.push_back(at::zeros_like(value));
      second_.push_back(at::zeros_like(value));
    }
}

at::Tensor LaneOptimiser::norms_of(const std::vector<LaneParams::Gradient>& gradients) const {
  at::Tensor squares = at::zeros({params_->count()}, rates_.options());
  for (std::size_t i = 0; i < gradients.size(); ++i)
    for (const at::Tensor& gradient : {gradients[i].a, gradients[i].b})
      if (gradient.defined())
        squares.index_add_(0, params_->layers()[i].lanes, gradient.square().flatten(1).sum(1));
  return squares.sqrt();
}

at::Tensor LaneOptimiser::step(const std::vector<LaneParams::Gradient>& gradients, double scale,
                               const at::Tensor& alive) {
  ++steps_;
  const at::Tensor norms = norms_of(gradients);  // [K]
  // As torch.nn.utils.clip_grad_norm_, but over each lane's own parameters.
  const at::Tensor factor = clip_ > 0 ? (clip_ / (norms + 1e-6)).clamp_max(1.0) : at::ones_like(norms);
  const double first_bias = 1.0 - std::pow(beta_first, steps_),
               second_bias = 1.0 - std::pow(beta_second, steps_);
  const at::Tensor going = alive.to(at::kBool).logical_and(norms.isfinite());
  std::size_t slot = 0;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const LaneParams::Layer& layer = params_->layers()[i];
    const auto of_lane = [&](const at::Tensor& values) {
      return layer.is_adapter() ? values.index_select(0, layer.lanes).view({-1, 1, 1})
                                : values.index_select(0, layer.lanes).unsqueeze(1);
    };
    const at::Tensor moves = of_lane(going), rate = of_lane(rates_) * (scale / first_bias),
                     shrink = of_lane(factor);
    const auto move = [&](const at::Tensor& value, const at::Tensor& raw) {
      const at::Tensor gradient = raw * shrink;
      at::Tensor &first = first_[slot], &second = second_[slot];
      ++slot;
      first.mul_(beta_first).add_(gradient, 1.0 - beta_first);
      second.mul_(beta_second).addcmul_(gradient, gradient, 1.0 - beta_second);
      const at::Tensor change = rate * first / ((second / second_bias).sqrt() + epsilon);
      value.sub_(at::where(moves, change, at::zeros_like(change)));
    };
    if (layer.a.defined()) move(layer.a, gradients[i].a);
    move(layer.b, gradients[i].b);
  }
  return norms;
}

}  // namespace headsweep
