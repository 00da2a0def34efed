// probe against scikit-learn: cases that tests/parity/test_probe.py has written to the folder
// HEADSWEEP_PARITY, and one that is written here.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <headsweep/json.hpp>
#include <headsweep/probe.hpp>

namespace headsweep {
namespace {

/// Lists of lists of numbers: [heads, n, D] or less, float64.
at::Tensor tensor_of(const Json& rows) {
  if (!rows[0].is_array()) return at::tensor(rows.get<std::vector<double>>(), at::kDouble);
  std::vector<at::Tensor> stacked;
  for (const Json& row : rows) stacked.push_back(tensor_of(row));
  return at::stack(stacked);
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

/// Largest difference of coefficients and of the area under the curve from what the case expects.
struct Differences {
  double coefficients = 0, area = 0;
};
Differences differ(const Json& expected) {
  const at::Tensor features = tensor_of(expected["features"]), labels = tensor_of(expected["labels"]);
  const LogisticFit fit = fit_logistic(features, labels, expected["c"].get<double>());
  const at::Tensor logits =
      at::matmul(features, fit.weights.unsqueeze(-1)).squeeze(-1) + fit.bias.unsqueeze(1);
  return {.coefficients = std::max(largest_difference(fit.weights, tensor_of(expected["weights"])),
                                   largest_difference(fit.bias, tensor_of(expected["bias"]))),
          .area = largest_difference(area_under_curve(logits, labels), tensor_of(expected["auc"]))};
}

TEST(ProbeParity, CasesOfTheFolder) {
  const char* folder = std::getenv("HEADSWEEP_PARITY");
  if (folder == nullptr) GTEST_SKIP() << "HEADSWEEP_PARITY names no folder";
  int cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const Differences found = differ(read_json_file(entry.path()));
    EXPECT_LT(found.coefficients, 1e-7) << entry.path();
    EXPECT_LT(found.area, 1e-9) << entry.path();
    std::printf("%-24s coefficients %.2g, area %.2g\n", entry.path().stem().c_str(), found.coefficients,
                found.area);
    ++cases;
  }
  EXPECT_GE(cases, 4);
}

/// x[h, i, d] = sin(1.3 i + 2.1 d + 0.7 i d + h) +- 0.3 h cos d + 5 h; LogisticRegression(C=0.5,
/// solver="newton-cholesky").
TEST(ProbeParity, WrittenCase) {
  const at::Tensor i = at::arange(40, at::kDouble).view({1, 40, 1}), d = at::arange(3, at::kDouble);
  const at::Tensor h = at::arange(2, at::kDouble).view({2, 1, 1}),
                   labels = at::arange(40, at::kDouble).remainder(2);
  const at::Tensor side = 2 * labels.view({1, 40, 1}) - 1;
  const at::Tensor features =
      at::sin(1.3 * i + 2.1 * d + 0.7 * i * d + h) + 0.3 * h * side * at::cos(d) + 5 * h;
  const LogisticFit fit = fit_logistic(features, labels, 0.5);
  const at::Tensor weights = at::tensor({0.06746807074643141, -0.10093260159121985, -0.18787384039245986,
                                         0.7978919907034997, 0.41965397684392786, -0.3294620022758844},
                                        at::kDouble);
  EXPECT_LT(largest_difference(fit.weights, weights.view({2, 3})), 1e-7);
  EXPECT_LT(
      largest_difference(fit.bias, at::tensor({-0.0018215519208712426, -4.463338388421811}, at::kDouble)),
      1e-7);
  const at::Tensor logits =
      at::matmul(features, fit.weights.unsqueeze(-1)).squeeze(-1) + fit.bias.unsqueeze(1);
  EXPECT_LT(largest_difference(area_under_curve(logits, labels), at::tensor({0.5425, 0.7625}, at::kDouble)),
            1e-12);
}

}  // namespace
}  // namespace headsweep
