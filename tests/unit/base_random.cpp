// base: random streams that are the same everywhere, independent by purpose, and even.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <headsweep/base.hpp>
#include <map>
#include <numeric>

namespace headsweep {
namespace {

TEST(Random, IsTheSameOnEveryMachine) {
  // From another implementation of xxh64, mt19937-64 and Floyd's choice.
  Random random(7, "golden", 3);
  EXPECT_EQ(random.bits(), 18246443611711323493U);
  EXPECT_EQ(random.below(1000), 710U);
  EXPECT_EQ(random.uniform(), 0.16748783902673092);
  EXPECT_EQ(random.choose(64, 4), (std::vector<int>{40, 50, 55, 63}));
}

TEST(Random, HangsOnSeedAndPurposeAlone) {
  const auto first = [](auto... key) { return Random(key...).bits(); };
  EXPECT_EQ(first(1U, "a", 2), first(1U, "a", 2));
  EXPECT_NE(first(1U, "a", 2), first(2U, "a", 2));
  EXPECT_NE(first(1U, "a", 2), first(1U, "b", 2));
  EXPECT_NE(first(1U, "a", 2), first(1U, "a", 3));
  EXPECT_NE(first(1U, "a", 12), first(1U, "a1", 2));  // words do not run together
  EXPECT_NE(first(1U, "a"), first(1U, "a", ""));
}

TEST(Random, ValuesOfARangeAreEquallyLikely) {
  Random random(0, "range");
  std::vector<int> seen(7);
  for (int i = 0; i < 70'000; ++i) ++seen[random.below(7)];
  for (const int times : seen) EXPECT_NEAR(times, 10'000, 4 * std::sqrt(10'000));
  double sum = 0, squares = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double value = random.uniform();
    ASSERT_TRUE(0 <= value && value < 1);
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / 100'000, 0.5, 4 * std::sqrt(1.0 / 12 / 100'000));
  EXPECT_NEAR(squares / 100'000, 1.0 / 3, 0.005);
  EXPECT_LT(random.below(1ULL << 63), 1ULL << 63);
  EXPECT_EQ(random.below(1), 0U);
  EXPECT_THROW(random.below(0), std::logic_error);
}

TEST(Random, ChoosesSubsetsAndOrdersEvenly) {
  Random random(0, "subsets");
  std::map<std::vector<int>, int> subsets, orders;
  for (int i = 0; i < 20'000; ++i) ++subsets[random.choose(6, 3)];
  EXPECT_EQ(subsets.size(), 20U);
  for (const auto& [subset, times] : subsets) {
    EXPECT_TRUE(std::is_sorted(subset.begin(), subset.end()));
    EXPECT_NEAR(times, 1000, 5 * std::sqrt(1000));
  }
  for (int i = 0; i < 24'000; ++i) {
    std::vector<int> order = {0, 1, 2, 3};
    random.shuffle(order);
    ++orders[order];
  }
  EXPECT_EQ(orders.size(), 24U);
  for (const auto& [order, times] : orders) EXPECT_NEAR(times, 1000, 5 * std::sqrt(1000));
  EXPECT_EQ(random.choose(5, 0), std::vector<int>{});
  EXPECT_EQ(random.choose(3, 3), (std::vector<int>{0, 1, 2}));
  EXPECT_THROW(random.choose(3, 4), std::logic_error);
}

}  // namespace
}  // namespace headsweep
