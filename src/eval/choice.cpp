// eval: numbers of one question or answer: multiple choice from log-probabilities, repetition.
#include <algorithm>
#include <cmath>
#include <headsweep/eval.hpp>
#include <limits>
#include <set>

namespace headsweep {
namespace {

double largest(const std::vector<double>& values) {
  return values.empty() ? -std::numeric_limits<double>::infinity()
                        : *std::max_element(values.begin(), values.end());
}

/// sum of exp(value - offset)
double mass(const std::vector<double>& values, double offset) {
  double total = 0;
  for (const double value : values) total += std::exp(value - offset);
  return total;
}

}  // namespace

Choice multiple_choice(const std::vector<double>& correct, const std::vector<double>& incorrect, int best) {
  const double highest = largest(incorrect), offset = std::max(highest, largest(correct));
  const double right = mass(correct, offset), wrong = mass(incorrect, offset);
  const auto above =
      std::count_if(correct.begin(), correct.end(), [&](double value) { return value > highest; });
  return {.mc1 = correct.at(static_cast<std::size_t>(best)) > highest ? 1.0F : 0.0F,
          .mc2 = static_cast<float>(right / (right + wrong)),
          .mc3 = static_cast<float>(above) / static_cast<float>(correct.size())};
}

float repetition(const std::vector<int>& ids) {
  if (ids.size() < 2) return 0;
  std::set<std::pair<int, int>> seen;
  for (std::size_t i = 1; i < ids.size(); ++i) seen.emplace(ids[i - 1], ids[i]);
  const auto bigrams = static_cast<float>(ids.size() - 1);
  return (bigrams - static_cast<float>(seen.size())) / bigrams;
}

}  // namespace headsweep
