// probe: logistic regressions of many heads. In: features and labels; out: weights and biases. Head by head,
// so that no head feels another and memory is used again: fresh pages cost as much as the products.
#include <headsweep/probe.hpp>
#include <tuple>

namespace headsweep {
namespace {

constexpr double gradient_goal = 1e-8;
constexpr int most_steps = 100, most_halvings = 40;
constexpr std::int64_t texts_at_once = 512;  // of a Hessian, to stay in the cache

/// One head's regression.
struct Problem {
  /// float64 [n, D+1]. The last column, the intercept's, is 1; the others are centred, which only moves the
  /// intercept, for well-conditioned steps.
  at::Tensor features;
  at::Tensor mean;     ///< [D+1] that the features had before; 0 for the intercept
  at::Tensor penalty;  ///< [D+1] of 1; 0 for the intercept
  at::Tensor labels;   ///< [n] 0/1
  double c = 1;
};

/// Where a regression stands: its coefficients, what these say of the texts, and the objective.
struct Point {
  at::Tensor coefficients;  ///< [D+1]
  at::Tensor logits;        ///< [n]
  double objective = 0;
};

Point point_at(const Problem& problem, const at::Tensor& coefficients, const at::Tensor& logits) {
  const at::Tensor losses = -at::log_sigmoid(logits * (2 * problem.labels - 1));
  const at::Tensor objective =
      0.5 * (coefficients.square() * problem.penalty).sum() + problem.c * losses.sum();
  return {.coefficients = coefficients, .logits = logits, .objective = objective.item<double>()};
}

/// No weights, and the intercept that fits the classes' shares.
Point start(const Problem& problem) {
  const at::Tensor coefficients = at::zeros_like(problem.penalty);
  coefficients[-1] = problem.labels.mean().logit();
  return point_at(problem, coefficients, at::mv(problem.features, coefficients));
}

/// [D+1]
at::Tensor gradient(const Problem& problem, const Point& point) {
  const at::Tensor errors = problem.c * (point.logits.sigmoid() - problem.labels);
  return at::mv(problem.features.t(), errors) + point.coefficients * problem.penalty;
}

/// [D+1, D+1], its products in this precision.
at::Tensor hessian(const Problem& problem, const Point& point, at::ScalarType precision) {
  const at::Tensor p = point.logits.sigmoid(), weights = (problem.c * p * (1 - p)).to(precision);
  const auto features = problem.features.split(texts_at_once),
             of_texts = weights.unsqueeze(1).split(texts_at_once);
  const std::int64_t size = problem.penalty.size(0);
  at::Tensor products = at::zeros({size, size}, weights.options());
  for (std::size_t i = 0; i < features.size(); ++i) {
    const at::Tensor x = features[i].to(precision);
    products.addmm_(x.t(), x * of_texts[i]);
  }
  // The small number keeps it invertible where every text lies far from the boundary; the minimum stays where
  // it is.
  return products.to(at::kDouble) + at::diag(problem.penalty + 1e-12);
}

/// Halves the step until it lowers the objective (or leaves it, to rounding).
Point descend(const Problem& problem, const Point& from, const at::Tensor& step) {
  const double ceiling = from.objective + 1e-12 * (1 + from.objective);
  const at::Tensor change = at::mv(problem.features, step);
  double scale = 1;
  Point to = point_at(problem, from.coefficients + step, from.logits + change);
  for (int halving = 0; halving < most_halvings && to.objective > ceiling; ++halving) {
    scale *= 0.5;
    to = point_at(problem, from.coefficients + scale * step, from.logits + scale * change);
  }
  return to;
}

/// Newton's steps. The gradient alone says where the minimum is, so the Hessian may be rough: it is kept as
/// long as its steps shrink the gradient tenfold, and made of float32 products until a step has not halved
/// the gradient, which rounding may have caused. Factors are L U, as rounding may also leave it indefinite.
at::Tensor minimise(const Problem& problem) {
  Point point = start(problem);
  at::Tensor factors, pivots;
  at::ScalarType precision = at::kFloat;
  double last = 0;
  for (int step = 0; step < most_steps; ++step) {
    const at::Tensor slope = gradient(problem, point);
    const double norm = (slope + problem.mean * slope[-1]).norm().item<double>();  // before the centring
    if (!(norm > gradient_goal)) break;
    if (step > 0 && norm > 0.5 * last) precision = at::kDouble;
    if (step == 0 || norm > 0.1 * last)
      std::tie(factors, pivots, std::ignore) = at::linalg_lu_factor_ex(hessian(problem, point, precision));
    last = norm;
    point = descend(problem, point, -at::linalg_lu_solve(factors, pivots, slope.unsqueeze(1)).squeeze(1));
  }
  return point.coefficients;
}

}  // namespace

LogisticFit fit_logistic(const at::Tensor& features, const at::Tensor& labels, double c) {
  const std::int64_t heads = features.size(0), texts = features.size(1), width = features.size(2);
  const auto options = features.options().dtype(at::kDouble);
  LogisticFit fit{.weights = at::empty({heads, width}, options), .bias = at::empty({heads}, options)};
  const Problem problem{.features = at::ones({texts, width + 1}, options),
                        .mean = at::zeros({width + 1}, options),
                        .penalty = at::ones({width + 1}, options),
                        .labels = labels.to(options),
                        .c = c};
  problem.penalty[-1] = 0;
  at::Tensor x = problem.features.narrow(1, 0, width), mean = problem.mean.narrow(0, 0, width);
  for (std::int64_t head = 0; head < heads; ++head) {
    x.copy_(features[head]);
    mean.copy_(x.mean(0));
    x.sub_(mean);
    const at::Tensor solution = minimise(problem), weights = solution.narrow(0, 0, width);
    fit.weights[head].copy_(weights);
    fit.bias[head].copy_(solution[-1] - weights.dot(mean));
  }
  return fit;
}

at::Tensor area_under_curve(const at::Tensor& scores, const at::Tensor& labels) {
  const at::Tensor is_true = labels.to(at::kBool);
  const at::Tensor above = scores.index_select(1, at::nonzero(is_true).flatten()).contiguous();
  const at::Tensor below =
      std::get<0>(scores.index_select(1, at::nonzero(is_true.logical_not()).flatten()).sort(1)).contiguous();
  // Of each true text: how many false texts lie below it, those that tie counted half.
  const at::Tensor lower = at::searchsorted(below, above),
                   not_higher = at::searchsorted(below, above, false, true);
  const at::Tensor beaten = 0.5 * (lower + not_higher).to(at::kDouble);
  return beaten.mean(1) / static_cast<double>(below.size(1));
}

}  // namespace headsweep
