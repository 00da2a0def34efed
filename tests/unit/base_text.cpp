// base: numbers that read back, nearest names, heads, UTF-8.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <headsweep/base.hpp>
#include <limits>

namespace headsweep {
namespace {

TEST(Text, NumbersReadBackEqual) {
  Random random(0, "numbers");
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t bits = random.bits();
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    if (std::isfinite(value))
      EXPECT_EQ(std::stod(to_text(std::abs(value) < 1e-300 ? 1.0 : value)),
                std::abs(value) < 1e-300 ? 1.0 : value);
    const float single = static_cast<float>(random.uniform());
    EXPECT_EQ(std::stof(to_text(single)), single);
  }
  EXPECT_EQ(cat("tau = ", 0.1, ", K = ", 8, ", ", Head{5, 12}), "tau = 0.1, K = 8, L5.H12");
}

TEST(Text, RequireJoinsItsMessage) {
  try {
    require(false, "a.yaml:", 3, ": tau = ", 0.0);
    FAIL();
  } catch (const BadInput& error) {
    EXPECT_STREQ(error.what(), "a.yaml:3: tau = 0");
    EXPECT_EQ(error.code(), ExitCode::bad_input);
  }
  EXPECT_NO_THROW(require(true, "never said"));
  EXPECT_THROW(expect(false, "true"), std::logic_error);
}

TEST(Text, NearestNameOrNone) {
  const std::vector<std::string> names = {"batch", "epochs", "learning_rate", "clip"};
  EXPECT_EQ(nearest("batchs", names), "batch");
  EXPECT_EQ(nearest("Batch", names), "batch");
  EXPECT_EQ(nearest("epoch", names), "epochs");
  EXPECT_EQ(nearest("lerning_rates", names), "learning_rate");
  EXPECT_EQ(nearest("clpi", names), "clip");
  EXPECT_EQ(nearest("temperature", names), "");
  EXPECT_EQ(nearest("batch", {}), "");
}

TEST(Text, SplitsAndJoins) {
  EXPECT_EQ(split_text("a,,b,", ','), (std::vector<std::string>{"a", "", "b", ""}));
  EXPECT_EQ(split_text("", ','), std::vector<std::string>{""});
  EXPECT_EQ(join({"a", "b", ""}, ", "), "a, b, ");
  EXPECT_EQ(join({}, ", "), "");
}

TEST(Text, HeadsAreWrittenOneWay) {
  for (const Head head : {Head{0, 0}, Head{5, 12}, Head{999'999, 10}})
    EXPECT_EQ(parse_head(to_text(head), "here"), head);
  for (const char* text :
       {"", "L", "L5", "L5.H", "L.H5", "L05.H1", "L5.H01", "L-1.H0", "L5.H-1", "l5.h1", "L5.H1 ", " L5.H1",
        "L5,H1", "L5.H1.5", "L+5.H1", "L1000000.H0", "L5.HH", "5.12"}) {
    try {
      parse_head(text, "here");
      ADD_FAILURE() << text;
    } catch (const BadInput& error) {
      EXPECT_EQ(error.what(), cat("here: '", text, "' is no head; heads are written like L5.H12"));
    }
  }
  EXPECT_LT((Head{1, 7}), (Head{2, 0}));
}

/// Encodes any number below 2^21 as UTF-8 would, also those that are no characters.
std::string encode(unsigned code) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80U | ((code >> shift) & 0x3FU)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xC0U | (code >> 6)), tail(0)};
  if (code < 0x10000) return {static_cast<char>(0xE0U | (code >> 12)), tail(6), tail(0)};
  return {static_cast<char>(0xF0U | (code >> 18)), tail(12), tail(6), tail(0)};
}

TEST(Text, Utf8IsCheckedCodeByCode) {
  for (unsigned code = 0; code < (1U << 21); ++code) {
    const bool character = code < 0xD800 || (code > 0xDFFF && code <= 0x10FFFF);
    ASSERT_EQ(find_invalid_utf8("a" + encode(code) + "b"), character ? std::string_view::npos : 1) << code;
  }
  for (const char* bad : {"ab\x80", "ab\xC3", "ab\xC0\x80", "ab\xE0\x80\x80", "ab\xF0\x80\x80\x80",
                          "ab\xF5\x80\x80\x80", "ab\xFF", "ab\xE2\x82", "ab\xC3\x28"})
    EXPECT_EQ(find_invalid_utf8(bad), 2U);
  EXPECT_EQ(find_invalid_utf8(""), std::string_view::npos);
}

}  // namespace
}  // namespace headsweep
