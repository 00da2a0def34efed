// plan: the cost model: blocks with the seconds they took -> expected seconds of any block.
#include <algorithm>
#include <cmath>
#include <headsweep/plan.hpp>

namespace headsweep {
namespace {

/// Weight of the belief that a block takes no time beyond its FLOPs: that of this share of a timed block.
/// Blocks of one cost say nothing of it, and a few of nearly one cost little.
constexpr double belief = 0.03;
constexpr int rounds = 20;
/// Errors up to so many times the usual one count in full; and an error up to `usual` is always usual.
constexpr double far_off = 3, usual = 0.02;

/// Cost in units of the mean cost, and seconds.
struct Point {
  double cost, seconds;
};
using Points = std::vector<Point>;

double sound_cost(double cost) { return std::isfinite(cost) ? std::max(0.0, cost) : 0; }

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double at(const CostModel::Line& line, double cost) { return line.start + line.slope * cost; }
/// What errors are relative to; never nothing.
double expected_at(const CostModel::Line& line, const Point& point) {
  return std::max(at(line, point.cost), 1e-3 * point.seconds);
}

/// By the middle ratio of seconds to cost, which no outlier moves.
CostModel::Line first_guess(const Points& points) {
  std::vector<double> ratios, seconds;
  for (const Point& point : points) {
    seconds.push_back(point.seconds);
    if (point.cost > 0) ratios.push_back(point.seconds / point.cost);
  }
  if (ratios.empty()) return {.start = median(seconds), .slope = 0};
  return {.start = 0, .slope = median(ratios)};
}

/// The largest error, relative to what is expected, that counts in full.
double most_error(const Points& points, const CostModel::Line& line) {
  std::vector<double> errors;
  for (const Point& point : points) errors.push_back(std::abs(point.seconds / expected_at(line, point) - 1));
  return far_off * std::max(usual, median(std::move(errors)));
}

/// One round of weighted least squares on relative errors.
CostModel::Line improve(const Points& points, const CostModel::Line& line) {
  const double most = most_error(points, line);
  double w = 0, wx = 0, wxx = 0, wy = 0, wxy = 0, mean = 0;
  for (const Point& point : points) {
    const auto [x, y] = point;
    const double expected = expected_at(line, point);
    const double weight = std::min(1.0, most / std::abs(y / expected - 1)) / (expected * expected);
    w += weight;
    wx += weight * x;
    wxx += weight * x * x;
    wy += weight * y;
    wxy += weight * x * y;
    mean += expected / static_cast<double>(points.size());
  }
  if (wxx == 0) return {.start = wy / w, .slope = 0};
  const double believed = w + belief / (mean * mean), determinant = believed * wxx - wx * wx;
  const double start = (wy * wxx - wxy * wx) / determinant, slope = (believed * wxy - wx * wy) / determinant;
  if (start < 0) return {.start = 0, .slope = wxy / wxx};
  if (slope < 0) return {.start = wy / w, .slope = 0};
  return {.start = start, .slope = slope};
}

CostModel::Line fit(Points points) {
  double mean = 0;
  for (const Point& point : points) mean += point.cost / static_cast<double>(points.size());
  for (Point& point : points) point.cost = mean > 0 ? point.cost / mean : 0;
  CostModel::Line line = first_guess(points);
  for (int round = 0; round < rounds; ++round) line = improve(points, line);
  return {.start = line.start, .slope = mean > 0 ? line.slope / mean : 0};
}

}  // namespace

CostModel::CostModel(const Plan& plan, const std::vector<TimedBlock>& timed) : plan_(&plan) {
  std::map<EditKind, Points> points;
  Points all;
  for (const auto& [block, seconds] : timed) {
    if (!(seconds > 0 && std::isfinite(seconds))) continue;
    const Point point{sound_cost(block->cost), seconds};
    points[plan.at(block->trials.at(0)).edit].push_back(point);
    all.push_back(point);
    shortest_ = shortest_ > 0 ? std::min(shortest_, seconds) : seconds;
  }
  for (const auto& [kind, own] : points) of_kind_[kind] = fit(own);
  if (known()) of_all_ = fit(all);
}

double CostModel::seconds(const Block& block) const {
  return seconds(plan_->at(block.trials.at(0)).edit, block.cost);
}

double CostModel::seconds(EditKind kind, double cost) const {
  expect(known(), "a cost model that has seen a block");
  const auto own = of_kind_.find(kind);
  const Line& line = own != of_kind_.end() ? own->second : of_all_;
  return std::max(at(line, sound_cost(cost)), 1e-3 * shortest_);
}

}  // namespace headsweep
