// probe: logistic regressions of many heads at once, float64. In: features and labels; out: weights and
// biases. The heads of a chunk take their Newton steps together; each halves and ends its steps alone.
#include <algorithm>
#include <headsweep/probe.hpp>

namespace headsweep {
namespace {

constexpr double gradient_goal = 1e-8;
constexpr int most_steps = 100, most_halvings = 40;
constexpr std::int64_t chunk_bytes = 64 << 20;

/// The regressions of h heads. Features are centred, which only moves the free intercept, for
/// well-conditioned steps.
struct Problem {
  at::Tensor features;  ///< [h, n, D+1], the last column is 1
  at::Tensor labels;    ///< [n] 0/1
  at::Tensor penalty;   ///< [D+1] of 1; 0 for the intercept
  double c = 1;
};

/// Where the h regressions stand: their coefficients and what these say of the texts.
struct Point {
  at::Tensor coefficients;  ///< [h, D+1]
  at::Tensor logits;        ///< [h, n] features * coefficients
};

at::Tensor times(const at::Tensor& matrices, const at::Tensor& vectors) {
  return at::matmul(matrices, vectors.unsqueeze(-1)).squeeze(-1);
}

/// [h]
at::Tensor objective(const Problem& problem, const Point& point) {
  const at::Tensor losses = -at::log_sigmoid(point.logits * (2 * problem.labels - 1));
  return 0.5 * (point.coefficients.square() * problem.penalty).sum(-1) + problem.c * losses.sum(-1);
}

/// [h, D+1]
at::Tensor gradient(const Problem& problem, const Point& point) {
  const at::Tensor errors = problem.c * (point.logits.sigmoid() - problem.labels);
  return times(problem.features.transpose(1, 2), errors) + point.coefficients * problem.penalty;
}

/// -H^-1 g: [h, D+1]
at::Tensor newton_step(const Problem& problem, const Point& point, const at::Tensor& slope) {
  const at::Tensor p = point.logits.sigmoid();
  const at::Tensor weighted = problem.features * (problem.c * p * (1 - p)).sqrt().unsqueeze(-1);
  at::Tensor hessian = at::matmul(weighted.transpose(1, 2), weighted);
  // The small number keeps it invertible where every text lies far from the boundary; the minimum stays where
  // it is.
  hessian.diagonal(0, 1, 2).add_(problem.penalty + 1e-12);
  return -at::linalg_solve(hessian, slope.unsqueeze(-1)).squeeze(-1);
}

/// Halves each head's step until it lowers that head's objective (or leaves it, to rounding).
Point descend(const Problem& problem, const Point& from, const at::Tensor& step) {
  const at::Tensor value = objective(problem, from), ceiling = value + 1e-12 * (1 + value);
  const at::Tensor change = times(problem.features, step);
  at::Tensor scale = at::ones({step.size(0), 1}, step.options());
  Point to;
  for (int halving = 0; halving < most_halvings; ++halving) {
    to = {.coefficients = from.coefficients + scale * step, .logits = from.logits + scale * change};
    const at::Tensor higher = objective(problem, to) > ceiling;
    if (!higher.any().item<bool>()) break;
    scale = at::where(higher.unsqueeze(1), 0.5 * scale, scale);
  }
  return to;
}

at::Tensor minimise(const Problem& problem) {
  const auto& x = problem.features;
  Point point{.coefficients = at::zeros({x.size(0), x.size(2)}, x.options()),
              .logits = at::zeros({x.size(0), x.size(1)}, x.options())};
  for (int step = 0; step < most_steps; ++step) {
    const at::Tensor slope = gradient(problem, point);
    const at::Tensor going = slope.norm(2, -1, true) > gradient_goal;  // [h, 1]
    if (!going.any().item<bool>()) break;
    point = descend(problem, point, newton_step(problem, point, slope) * going);
  }
  return point.coefficients;
}

}  // namespace

LogisticFit fit_logistic(const at::Tensor& features, const at::Tensor& labels, double c) {
  const std::int64_t heads = features.size(0), texts = features.size(1), width = features.size(2);
  const auto options = features.options().dtype(at::kDouble);
  const std::int64_t chunk = std::max<std::int64_t>(1, chunk_bytes / (texts * (width + 1) * 8));
  LogisticFit fit{.weights = at::empty({heads, width}, options), .bias = at::empty({heads}, options)};
  Problem problem{
      .features = {}, .labels = labels.to(options), .penalty = at::ones({width + 1}, options), .c = c};
  problem.penalty[width] = 0;
  for (std::int64_t first = 0; first < heads; first += chunk) {
    const std::int64_t count = std::min(chunk, heads - first);
    const at::Tensor x = features.narrow(0, first, count).to(at::kDouble);
    const at::Tensor mean = x.mean(1, true);  // [h, 1, D]
    problem.features = at::cat({x - mean, at::ones({count, texts, 1}, options)}, 2);
    const at::Tensor solution = minimise(problem), weights = solution.narrow(1, 0, width);
    fit.weights.narrow(0, first, count).copy_(weights);
    fit.bias.narrow(0, first, count).copy_(solution.select(1, width) - (weights * mean.squeeze(1)).sum(-1));
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
