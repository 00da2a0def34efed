// plan: blocks drawn by ranks, simulated.
#include <algorithm>
#include <functional>
#include <headsweep/plan.hpp>
#include <queue>

namespace headsweep {

double simulate_draws(std::vector<double> blocks, std::vector<double> busy) {
  expect(!busy.empty(), "at least one rank");
  std::sort(blocks.begin(), blocks.end(), std::greater<>());
  double last = 0;
  for (const double seconds : busy) last = std::max(last, seconds);
  std::priority_queue<double, std::vector<double>, std::greater<>> free(std::greater<>(), std::move(busy));
  for (const double seconds : blocks) {
    const double end = free.top() + seconds;
    free.pop();
    free.push(end);
    last = std::max(last, end);
  }
  return last;
}

}  // namespace headsweep
