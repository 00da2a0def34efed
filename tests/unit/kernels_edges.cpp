// kernels: the ends of the numbers (exponential, rounding, NaN and infinity), and what must not change a bit:
// how rows are cut, and where they lie.
#include <gmock/gmock.h>

#include "reference/kernels.hpp"
#include "unit/kernels_support.hpp"

namespace headsweep::kernels_test {
namespace {

using Edges = Rows;
constexpr double infinite = std::numeric_limits<double>::infinity(),
                 nan = std::numeric_limits<double>::quiet_NaN();

/// exp of each number, as the operations compute it.
Row exponentials(const Row& x, Driver driver) {
  Array<float> values = floats(x), lse(x.size(), 0.0F), factor(x.size(), 1.0F);
  drive(kernels::ScaledSoftmax{values.data(), lse.data(), factor.data(), static_cast<std::int64_t>(x.size()),
                               1},
        Number::f32, driver);
  return doubles(values);
}

TEST(Exponential, HoldsToItsErrorAndItsEnds) {
  Row x;
  for (int i = -87'200; i <= 88'200; i += 7) x.push_back(static_cast<float>(i / 1000.0));
  for (const Driver driver : drivers_here()) {
    const Row found = exponentials(x, driver);
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(found[i] / std::exp(x[i]), 1, 2e-7) << x[i];
    const Row ends = exponentials({0, -88, -1e30, -infinite, 89, 1e30, infinite, nan}, driver);
    const Row wanted{1, 0, 0, 0, infinite, infinite, infinite};
    EXPECT_EQ(Row(ends.begin(), ends.end() - 1), wanted);
    EXPECT_TRUE(std::isnan(ends.back()));
  }
}

TEST(Rounding, ToBf16IsToNearestAndEven) {
  Row values;
  for (std::uint32_t high = 0; high < 0x10000; ++high)
    for (const std::uint32_t low : {0x0U, 0x1U, 0x7fffU, 0x8000U, 0x8001U, 0xffffU})
      values.push_back(std::bit_cast<float>(high << 16 | low));
  const auto count = static_cast<std::int64_t>(values.size());
  Numbers nothing(Number::bf16, Row(values.size()));
  const Row wanted = Numbers(Number::bf16, values).values();
  for (const Driver driver : drivers_here()) {
    Array<float> kept = floats(values), scale{0.0F};
    Numbers low(Number::bf16, Row(values.size()));
    drive(kernels::NormBackward{nothing.data(), nothing.data(), scale.data(), kept.data(), low.data(), 1,
                                count},
          Number::bf16, driver);
    const Row found = low.values();
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!(std::isnan(wanted[i]) && std::isnan(found[i]))) {
        ASSERT_EQ(found[i], wanted[i]) << values[i];
      }
    }
  }
}

/// Two keys of one weight give the middle of their values: of neighbours, a tie.
TEST(Rounding, OfAttentionIsToNearestAndEven) {
  constexpr std::int64_t width = 1 << 16;
  Row low(width), high(width), middle(width);
  for (std::uint32_t bits = 0; bits < width; ++bits) {
    const float value = std::bit_cast<float>(bits << 16), next = std::bit_cast<float>((bits ^ 1) << 16);
    const bool holds = std::abs(value) < 1e38F;  // so that the sum is finite
    low[bits] = holds ? value : 0;
    high[bits] = holds ? next : 0;
    middle[bits] = 0.5F * static_cast<float>(low[bits] + high[bits]);
  }
  Row both = low;
  append(both, high);
  Numbers zeros(Number::bf16, Row(both.size())), values(Number::bf16, both);
  Array<std::int32_t> first{0}, length{2}, slot{0};
  for (const Isa isa : isas_here()) {
    Numbers outputs(Number::bf16, Row(low.size()));
    kernels::run(kernels::CachedAttention{.queries = zeros.data(),
                                          .prompt_keys = zeros.data(),
                                          .prompt_values = values.data(),
                                          .keys = zeros.data(),
                                          .values = zeros.data(),
                                          .outputs = outputs.data(),
                                          .start = first.data(),
                                          .first = first.data(),
                                          .length = length.data(),
                                          .slot = slot.data(),
                                          .shared = 0,
                                          .n = 1,
                                          .longest = 2,
                                          .generated = 0,
                                          .room = 0,
                                          .heads = 1,
                                          .kv_heads = 1,
                                          .width = width,
                                          .query_stride = width,
                                          .prompt_stride = width},
                 Number::bf16, 0, 1, isa);
    EXPECT_EQ(outputs.values(), Numbers(Number::bf16, middle).values()) << to_text(isa);
  }
}

TEST_P(Edges, NanAndInfinityGoThrough) {
  const std::int64_t width = 24, n = 3;
  for (const double bad : {nan, infinite, -infinite}) {
    Row x = draw(n * width, 2, "x");
    x[width + 5] = bad;
    const auto expect_bad = [&](const Row& found, const char* what) {
      const auto per_row = static_cast<std::int64_t>(found.size()) / n;
      const auto is_finite = [](double value) { return std::isfinite(value); };
      for (std::int64_t i = 0; i < n; ++i) {
        const Row row = row_of(found, i, per_row);
        EXPECT_EQ(std::all_of(row.begin(), row.end(), is_finite), i != 1)
            << what << ", row " << i << ", " << bad;
      }
    };
    Array<float> stream = floats(x), scale(n), lse(n), one(n, 1.0F);
    Numbers h = hold(x), logits = hold(x), gate_up = hold(x), out = hold(Row(x.size() / 2));
    run(kernels::NormForward{stream.data(), nullptr, h.data(), scale.data(), n, width, 1e-5F});
    expect_bad(h.values(), "norm");
    run(kernels::SwigluForward{gate_up.data(), out.data(), n, width / 2});
    expect_bad(out.values(), "swiglu");
    run(kernels::LogSumExp{logits.data(), lse.data(), n, width});
    if (bad == -infinite) continue;  // a weight of 0
    expect_bad(doubles(lse), "lse");
    run(kernels::ScaledSoftmax{logits.data(), lse.data(), one.data(), n, width});
    expect_bad(logits.values(), "softmax");
    Numbers scores = hold(x);
    Array<float> mask(static_cast<std::size_t>(width), 0.0F);
    run(kernels::MaskedSoftmax{scores.data(), mask.data(), n, width, 1, 1, 1, 1.0F});
    expect_bad(scores.values(), "masked softmax");
    scores = hold(x);
    mask[5] = -std::numeric_limits<float>::infinity();
    run(kernels::MaskedSoftmax{scores.data(), mask.data(), n, width, 1, 1, 1, 1.0F});
    EXPECT_EQ(scores.values()[width + 5], 0);
    for (const double value : scores.values()) EXPECT_TRUE(std::isfinite(value)) << "a masked cell was read";
  }
}

TEST_P(Edges, RowsWithoutWeightSaySo) {
  Numbers x = hold({-infinite, -infinite}), scores = hold({-infinite, -infinite});
  Array<float> lse(1), mask(2, 0.0F);
  run(kernels::LogSumExp{x.data(), lse.data(), 1, 2});
  EXPECT_EQ(lse[0], -infinite);
  run(kernels::MaskedSoftmax{scores.data(), mask.data(), 1, 2, 1, 1, 1, 1.0F});
  for (const double value : scores.values()) EXPECT_TRUE(std::isnan(value));
}

INSTANTIATE_TEST_SUITE_P(Kernels, Edges, all_drivers(), name_of);

/// Bits of a norm and its divergence of rows that begin `shift` floats into memory, done in pieces of `step`
/// rows.
Row bits_of(Isa isa, std::int64_t shift, std::int64_t step) {
  const std::int64_t n = 7, width = 53, count = n * width;
  const auto place = [&](const Row& values) {
    Array<float> memory(static_cast<std::size_t>(shift + count));
    std::copy(values.begin(), values.end(), memory.begin() + shift);
    return memory;
  };
  Array<float> x = place(draw(count, 2, "x")), h = place(Row(static_cast<std::size_t>(count)));
  Array<float> scale(n), lse(n), kl(n);
  const auto in_pieces = [&](const auto& operation) {
    for (std::int64_t row = 0; row < n; row += step)
      kernels::run(operation, Number::f32, row, std::min(n, row + step), isa);
  };
  in_pieces(kernels::NormForward{x.data() + shift, nullptr, h.data() + shift, scale.data(), n, width, 1e-5F});
  in_pieces(kernels::LogSumExp{x.data() + shift, lse.data(), n, width});
  in_pieces(kernels::RowDivergence{x.data() + shift, h.data() + shift, lse.data(), lse.data(), kl.data(), n,
                                   n, width});
  Row all = doubles(scale);
  append(all, Row(h.begin() + shift, h.end()));
  append(all, doubles(lse));
  append(all, doubles(kl));
  return all;
}

TEST(Bits, HangNeitherOnCutsNorOnPlaces) {
  for (const Isa isa : isas_here())
    for (std::int64_t shift = 0; shift < 16; ++shift)
      EXPECT_EQ(bits_of(isa, shift, 1 + shift % 4), bits_of(isa, 0, 7)) << to_text(isa) << " " << shift;
}

TEST(Launch, SaysWhyItCannotRun) {
  if (drivers_here().back() == Driver::cuda) GTEST_SKIP() << "it can";
  float x = 0;
  try {
    kernels::launch(kernels::LogSumExp{&x, &x, 1, 1}, Number::f32, nullptr);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(
        error.what(),
        testing::AnyOf(testing::StrEq("this build of headsweep has no CUDA kernels; build it where nvcc is"),
                       testing::StartsWith("CUDA: launch of a row operation: ")));
  }
}

}  // namespace
}  // namespace headsweep::kernels_test
