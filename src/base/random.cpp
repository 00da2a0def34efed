// base: random streams that hang on (seed, purpose) alone.
#include <xxhash.h>

#include <algorithm>
#include <headsweep/base.hpp>
#include <limits>

namespace headsweep {

Random::Random(Key, std::uint64_t seed, const std::string& purpose)
    : engine_(XXH64(purpose.data(), purpose.size(), seed)) {}

std::uint64_t Random::below(std::uint64_t n) {
  expect(n > 0, "below(n) with n > 0");
  // Reject the last incomplete run of n, so that every value is equally likely.
  const std::uint64_t limit = std::numeric_limits<std::uint64_t>::max() / n * n;
  std::uint64_t value = engine_();
  while (value >= limit) value = engine_();
  return value % n;
}

double Random::uniform() { return static_cast<double>(engine_() >> 11) * 0x1.0p-53; }

std::vector<int> Random::choose(int n, int k) {
  expect(0 <= k && k <= n, "choose(n, k) with k <= n");
  std::vector<int> chosen;
  // Floyd's algorithm: k draws, every subset equally likely.
  for (int top = n - k; top < n; ++top) {
    const int value = static_cast<int>(below(static_cast<std::uint64_t>(top) + 1));
    const bool taken = std::find(chosen.begin(), chosen.end(), value) != chosen.end();
    chosen.push_back(taken ? top : value);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace headsweep
