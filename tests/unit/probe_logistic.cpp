// probe: the regressions stand where their gradient vanishes, alone as beside others; the AUC counts every
// pair.
#include <gtest/gtest.h>

#include <cmath>
#include <headsweep/probe.hpp>

namespace headsweep {
namespace {

/// Uniform in [-1, 1), float64.
at::Tensor draw(std::initializer_list<std::int64_t> shape, std::uint64_t seed) {
  Random random(seed, "probe test");
  at::Tensor values = at::empty(shape, at::kDouble);
  for (std::int64_t i = 0; i < values.numel(); ++i) values.data_ptr<double>()[i] = 2 * random.uniform() - 1;
  return values;
}

at::Tensor alternating(std::int64_t count) { return at::arange(count, at::kDouble).remainder(2); }

/// Features whose first column tells the classes apart to this degree, on an offset: [heads, n, D].
at::Tensor telling(std::int64_t heads, const at::Tensor& labels, double degree, double offset) {
  at::Tensor features = draw({heads, labels.size(0), 4}, 3);
  features.select(2, 0).add_(degree * (2 * labels - 1));
  return features + offset;
}

/// Norm of the gradient of |w|^2 / 2 + c sum log(1 + exp(-y z)), by plain loops.
double gradient_norm(const at::Tensor& features /* [n, D] */, const at::Tensor& labels,
                     const at::Tensor& weights, double bias, double c) {
  const auto x = features.accessor<double, 2>();
  const auto y = labels.accessor<double, 1>(), w = weights.accessor<double, 1>();
  std::vector<double> gradient(static_cast<std::size_t>(x.size(1)) + 1, 0.0);
  for (std::int64_t d = 0; d < x.size(1); ++d) gradient[static_cast<std::size_t>(d)] = w[d];
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    double z = bias;
    for (std::int64_t d = 0; d < x.size(1); ++d) z += w[d] * x[i][d];
    const double error = c * (1 / (1 + std::exp(-z)) - y[i]);
    for (std::int64_t d = 0; d < x.size(1); ++d) gradient[static_cast<std::size_t>(d)] += error * x[i][d];
    gradient.back() += error;
  }
  double square = 0;
  for (const double slope : gradient) square += slope * slope;
  return std::sqrt(square);
}

struct Setting {
  const char* name;
  double degree, offset, c;
};

class Logistic : public testing::TestWithParam<Setting> {};

TEST_P(Logistic, GradientVanishesAtTheFit) {
  const Setting& setting = GetParam();
  const at::Tensor labels = alternating(60);
  const at::Tensor features = telling(5, labels, setting.degree, setting.offset);
  const LogisticFit fit = fit_logistic(features, labels, setting.c);
  for (std::int64_t head = 0; head < 5; ++head)
    EXPECT_LT(
        gradient_norm(features[head], labels, fit.weights[head], fit.bias[head].item<double>(), setting.c),
        1e-7)
        << "head " << head;
}

INSTANTIATE_TEST_SUITE_P(Settings, Logistic,
                         testing::Values(Setting{"blurred", 0.2, 0, 1}, Setting{"separable", 3, 0, 1},
                                         Setting{"separable_hardly_held", 3, 0, 1e6},
                                         Setting{"far_off", 0.5, 30, 1},
                                         Setting{"strongly_held", 0.5, 0, 1e-4}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(LogisticRegression, HeadsDoNotFeelTheirNeighbours) {
  const at::Tensor labels = alternating(2000);
  const at::Tensor features = telling(12, labels, 0.1, 0).to(at::kFloat);
  const LogisticFit together = fit_logistic(features, labels, 1);
  for (const std::int64_t head : {0, 5, 11}) {
    const LogisticFit alone = fit_logistic(features.narrow(0, head, 1), labels, 1);
    EXPECT_TRUE(at::equal(together.weights[head], alone.weights[0]));
    EXPECT_TRUE(at::equal(together.bias[head], alone.bias[0]));
  }
}

/// Products in float32 lose the weakest of the axes that are mixed here, and two columns are the same.
TEST(LogisticRegression, AxesOfAllSizesStillReachTheMinimum) {
  const at::Tensor labels = alternating(1300);
  const at::Tensor axes = draw({1300, 12}, 5) + 0.2 * (2 * labels - 1).unsqueeze(1);
  at::Tensor features = at::matmul(axes * at::logspace(1, -4, 12, 10, at::kDouble), draw({12, 12}, 6));
  features.select(1, 1).copy_(features.select(1, 0));
  for (const double c : {1e2, 1e4}) {
    const LogisticFit fit = fit_logistic(features.unsqueeze(0), labels, c);
    // Rounding of the logits alone makes 1e-10 c.
    EXPECT_LT(gradient_norm(features, labels, fit.weights[0], fit.bias[0].item<double>(), c), 1e-9 * c);
    EXPECT_NEAR(fit.weights[0][0].item<double>(), fit.weights[0][1].item<double>(), 1e-8);
  }
}

TEST(LogisticRegression, ConstantFeaturesLeaveTheClassesShare) {
  const at::Tensor labels = (at::arange(40, at::kDouble) < 10).to(at::kDouble);
  const LogisticFit fit = fit_logistic(at::full({1, 40, 3}, 7.0, at::kDouble), labels, 1);
  EXPECT_EQ(fit.weights.abs().max().item<double>(), 0);
  EXPECT_NEAR(fit.bias[0].item<double>(), std::log(10.0 / 30.0), 1e-8);
}

TEST(AreaUnderCurve, CountsEveryPairAndHalfOfTheTies) {
  const at::Tensor labels = (draw({50}, 1) > 0.3).to(at::kDouble);
  const at::Tensor scores = (draw({3, 50}, 2) * 4).round();  // many ties
  const at::Tensor area = area_under_curve(scores, labels);
  for (std::int64_t row = 0; row < 3; ++row) {
    double won = 0, pairs = 0;
    for (std::int64_t i = 0; i < 50; ++i)
      for (std::int64_t j = 0; j < 50; ++j) {
        if (labels[i].item<double>() == 0 || labels[j].item<double>() == 1) continue;
        const double a = scores[row][i].item<double>(), b = scores[row][j].item<double>();
        won += a > b ? 1 : a == b ? 0.5 : 0;
        ++pairs;
      }
    EXPECT_NEAR(area[row].item<double>(), won / pairs, 1e-12);
  }
}

}  // namespace
}  // namespace headsweep
