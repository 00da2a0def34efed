// edit: the optimiser against its definition, lane by lane; lanes that must not move.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "unit/edit_support.hpp"

namespace headsweep {
namespace {

using namespace edit_test;

/// AdamW and clipping of each lane, written out number by number.
TEST(LaneOptimiser, FollowsItsDefinitionPerLane) {
  const TrainingSpec spec{.start_b = 0.5};
  LaneParams params =
      LaneParams::start(EditKind::optimal, {lane({{2, 0}}), lane({{2, 1}, {4, 4}})}, spec, weights());
  const std::vector<double> rates = {0.1, 0.01};
  LaneOptimiser optimiser(params, at::tensor({0.1F, 0.01F}), 1.0);
  std::vector<at::Tensor> values;
  std::vector<std::vector<int>> lane_of_row;
  for (auto& layer : params.layers())
    for (const at::Tensor& value : {layer.a, layer.b}) {
      values.push_back(value);
      lane_of_row.push_back(layer.layer == 2 ? std::vector{0, 1} : std::vector{1});
    }
  std::vector<at::Tensor> expected, first, second;
  for (const at::Tensor& value : values) {
    expected.push_back(value.clone().to(at::kDouble));
    first.push_back(at::zeros_like(expected.back()));
    second.push_back(at::zeros_like(expected.back()));
  }
  for (int step = 1; step <= 3; ++step) {
    std::vector<double> squares = {0, 0};
    std::vector<at::Tensor> gradients;
    std::vector<LaneParams::Gradient> by_layer(params.layers().size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      gradients.push_back(
          at::sin(at::arange(values[i].numel(), at::kFloat) * (step + 1.0) + static_cast<double>(i))
              .view(values[i].sizes()) *
          0.2);
      (i % 2 == 0 ? by_layer[i / 2].a : by_layer[i / 2].b) = gradients[i];
      for (std::size_t row = 0; row < lane_of_row[i].size(); ++row)
        squares[static_cast<std::size_t>(lane_of_row[i][row])] +=
            gradients[i][static_cast<std::int64_t>(row)].square().sum().item<double>();
    }
    const double scale = cosine(step, 10);
    const at::Tensor norms = optimiser.step(by_layer, scale, at::ones({2}));
    for (std::size_t i = 0; i < values.size(); ++i)
      for (std::size_t row = 0; row < lane_of_row[i].size(); ++row) {
        const auto at_row = static_cast<std::int64_t>(row);
        const auto k = static_cast<std::size_t>(lane_of_row[i][row]);
        const at::Tensor gradient =
            gradients[i][at_row].to(at::kDouble) * std::min(1.0, 1.0 / (std::sqrt(squares[k]) + 1e-6));
        first[i][at_row] = 0.9 * first[i][at_row] + 0.1 * gradient;
        second[i][at_row] = 0.999 * second[i][at_row] + 0.001 * gradient.square();
        const at::Tensor step_size = first[i][at_row] / (1 - std::pow(0.9, step)) /
                                     ((second[i][at_row] / (1 - std::pow(0.999, step))).sqrt() + 1e-8);
        expected[i][at_row] -= rates[k] * scale * step_size;
      }
    for (std::size_t k = 0; k < 2; ++k)
      EXPECT_NEAR(norms[static_cast<std::int64_t>(k)].item<double>(), std::sqrt(squares[k]), 1e-4);
  }
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_LT(largest_difference(values[i].to(at::kDouble), expected[i]), 1e-5);
}

/// Layers 2 (both lanes) and 4 (lane 1), b at random.
LaneParams two_lanes() {
  const TrainingSpec spec{.start_b = 0.5};
  return LaneParams::start(EditKind::optimal, {lane({{2, 0}}), lane({{2, 1}, {4, 4}})}, spec, weights());
}
std::vector<LaneParams::Gradient> gradients_for(const LaneParams& params, double size) {
  std::vector<LaneParams::Gradient> gradients;
  for (const auto& layer : params.layers())
    gradients.push_back({size * at::cos(layer.a * 50), size * at::sin(layer.b * 50)});
  return gradients;
}

TEST(LaneOptimiser, LanesThatHaveFailedStay) {
  for (const bool by_gradient : {false, true}) {
    LaneParams params = two_lanes(), sound = two_lanes();
    const LaneParams before = two_lanes();
    LaneOptimiser optimiser(params, at::tensor({0.1F, 0.1F}), 1.0),
        other(sound, at::tensor({0.1F, 0.1F}), 1.0);
    at::Tensor alive = at::ones({2});
    if (!by_gradient) alive[0] = 0;
    for (int step = 0; step < 3; ++step) {
      auto gradients = gradients_for(before, 0.3);
      const auto whole = gradients_for(before, 0.3);
      if (by_gradient) gradients[0].b[0][3] = std::numeric_limits<float>::quiet_NaN();
      const at::Tensor norms = optimiser.step(gradients, 1.0, alive);
      static_cast<void>(other.step(whole, 1.0, at::ones({2})));
      EXPECT_EQ(std::isnan(norms[0].item<float>()), by_gradient);
      EXPECT_TRUE(std::isfinite(norms[1].item<float>()));
    }
    EXPECT_TRUE(at::equal(params.layers()[0].a[0], before.layers()[0].a[0]));
    EXPECT_TRUE(at::equal(params.layers()[0].b[0], before.layers()[0].b[0]));
    for (const int layer : {0, 1})
      for (const auto part : {&LaneParams::Layer::a, &LaneParams::Layer::b}) {
        const auto index = static_cast<std::size_t>(layer);
        EXPECT_TRUE(at::equal((params.layers()[index].*part)[-1], (sound.layers()[index].*part)[-1]))
            << "to the bit";
        EXPECT_FALSE(at::equal((params.layers()[index].*part)[-1], (before.layers()[index].*part)[-1]));
      }
  }
}

/// Adam's first step is the sign of the gradient, unless it is smaller than epsilon: clipping shows in the
/// norm only.
TEST(LaneOptimiser, WithoutAClipGradientsKeepTheirSize) {
  for (const double clip : {0.0, 1e-6}) {
    LaneParams params = two_lanes();
    const LaneParams before = two_lanes();
    LaneOptimiser optimiser(params, at::tensor({0.1F, 0.1F}), clip);
    static_cast<void>(optimiser.step(gradients_for(before, 1), 1.0, at::ones({2})));
    const double moved = largest_difference(params.layers()[0].b[0], before.layers()[0].b[0]);
    if (clip == 0)
      EXPECT_NEAR(moved, 0.1, 1e-5);
    else
      EXPECT_LT(moved, 0.0999) << "clipped to the size of epsilon";
  }
}

TEST(Cosine, FallsFromOneToZero) {
  EXPECT_EQ(cosine(0, 8), 1);
  EXPECT_NEAR(cosine(4, 8), 0.5, 1e-12);
  EXPECT_NEAR(cosine(8, 8), 0, 1e-12);
}

}  // namespace
}  // namespace headsweep
