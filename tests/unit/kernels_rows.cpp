// kernels: norms, rotation, SwiGLU, softmax and divergence against their twins.
#include "reference/kernels.hpp"
#include "unit/kernels_support.hpp"

namespace headsweep::kernels_test {
namespace {

constexpr std::int64_t widths[] = {1, 7, 16, 24, 33, 344};
constexpr std::int64_t n = 5;

TEST_P(Rows, NormForward) {
  for (const std::int64_t width : widths)
    for (const bool adds : {false, true}) {
      const Row x = draw(n * width, 3, "x", width), y = hold(draw(n * width, 2, "y", width)).values();
      Array<float> stream = floats(x), scale(n);
      Numbers added = hold(y), h = hold(Row(x.size()));
      run(kernels::NormForward{stream.data(), adds ? added.data() : nullptr, h.data(), scale.data(), n, width,
                               1e-2F});
      const Row wanted = adds ? plain::sum(x, y) : x;
      Row wanted_h, wanted_scale;
      for (std::int64_t i = 0; i < n; ++i) {
        const Row row = row_of(wanted, i, width);
        wanted_scale.push_back(plain::norm_scale(row, 1e-2F));
        append(wanted_h, plain::scaled(row, wanted_scale.back()));
      }
      expect_close(doubles(stream), wanted, tolerance(Number::f32), cat("x ", width));
      expect_close(doubles(scale), wanted_scale, tolerance(Number::f32), cat("scale ", width));
      expect_close(h.values(), wanted_h, tolerance(number()), cat("h ", width));
    }
}

TEST_P(Rows, NormBackward) {
  for (const std::int64_t width : widths)
    for (const bool copies : {false, true}) {
      Numbers dh = hold(draw(n * width, 2, "dh", width)), h = hold(draw(n * width, 2, "h", width));
      const Row before = draw(n * width, 2, "dx", width), scale = draw(n, 3, "scale");
      Array<float> dx = floats(before), scales = floats(scale);
      Numbers low = hold(Row(before.size(), 7));
      run(kernels::NormBackward{dh.data(), h.data(), scales.data(), dx.data(), copies ? low.data() : nullptr,
                                n, width});
      Row wanted;
      for (std::int64_t i = 0; i < n; ++i)
        append(wanted,
               plain::sum(row_of(before, i, width), plain::norm_gradient(row_of(h.values(), i, width),
                                                                         scale[static_cast<std::size_t>(i)],
                                                                         row_of(dh.values(), i, width))));
      expect_close(doubles(dx), wanted, tolerance(Number::f32, 10), cat("dx ", width));
      expect_close(low.values(), copies ? wanted : Row(before.size(), 7), tolerance(number(), 10),
                   cat("low ", width));
    }
}

TEST_P(Rows, RotateThereAndBack) {
  for (const std::int64_t width : {2, 6, 16, 64, 128}) {
    const std::int64_t tokens = 3, heads = 3, stride = heads * width + 5;
    Array<float> cos, sin;
    for (const double angle : draw(tokens * width, 3, "angle")) {
      cos.push_back(static_cast<float>(std::cos(angle)));
      sin.push_back(static_cast<float>(std::sin(angle)));
    }
    for (const float sign : {1.0F, -1.0F}) {
      Numbers x = hold(draw(n * stride, 2, "x", width));
      Row wanted = x.values();
      for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t head = 0; head < heads; ++head) {
          const auto from = wanted.begin() + i * stride + head * width;
          const Row turned = plain::rotated(Row(from, from + width), row_of(doubles(cos), i % tokens, width),
                                            row_of(doubles(sin), i % tokens, width), sign);
          std::copy(turned.begin(), turned.end(), from);
        }
      run(kernels::Rotate{x.data(), cos.data(), sin.data(), n, tokens, heads, width, stride, sign});
      expect_close(x.values(), wanted, tolerance(number(), 2), cat("x ", width));
    }
  }
}

TEST_P(Rows, Swiglu) {
  for (const std::int64_t width : widths) {
    Numbers gate_up = hold(draw(n * 2 * width, 9, "gate", width)),
            dout = hold(draw(n * width, 2, "dout", width));
    Numbers out = hold(Row(static_cast<std::size_t>(n * width)));
    const Row inputs = gate_up.values();
    Row wanted, gradient;
    for (std::int64_t i = 0; i < n; ++i) {
      append(wanted, plain::swiglu(row_of(inputs, i, 2 * width)));
      append(gradient, plain::swiglu_gradient(row_of(inputs, i, 2 * width), row_of(dout.values(), i, width)));
    }
    run(kernels::SwigluForward{gate_up.data(), out.data(), n, width});
    expect_close(out.values(), wanted, tolerance(number()), cat("out ", width));
    run(kernels::SwigluBackward{gate_up.data(), dout.data(), n, width});
    expect_close(gate_up.values(), gradient, tolerance(number(), 10), cat("gradient ", width));
  }
}

TEST_P(Rows, SoftmaxOfLogits) {
  for (const std::int64_t width : widths) {
    Numbers x = hold(draw(n * width, 20, "x", width));
    const Row inputs = x.values(), factor = draw(n, 2, "factor");
    Array<float> lse(n), factors = floats(factor);
    Row wanted_lse, wanted;
    for (std::int64_t i = 0; i < n; ++i) {
      wanted_lse.push_back(plain::log_sum_exp(row_of(inputs, i, width)));
      append(wanted,
             plain::scaled(plain::softmax(row_of(inputs, i, width)), factor[static_cast<std::size_t>(i)]));
    }
    run(kernels::LogSumExp{x.data(), lse.data(), n, width});
    expect_close(doubles(lse), wanted_lse, tolerance(Number::f32), cat("lse ", width));
    run(kernels::ScaledSoftmax{x.data(), lse.data(), factors.data(), n, width});
    expect_close(x.values(), wanted, {tolerance(number()).relative + 4e-6, 1e-30}, cat("softmax ", width));
  }
}

TEST_P(Rows, RowDivergence) {
  for (const std::int64_t width : widths) {
    const std::int64_t shared = 2, rows = 3 * shared;
    Numbers before = hold(draw(shared * width, 6, "before", width)),
            after = hold(draw(rows * width, 6, "after", width));
    Row lse_before, lse_after, wanted;
    for (std::int64_t i = 0; i < rows; ++i) {
      const Row p = row_of(before.values(), i % shared, width), q = row_of(after.values(), i, width);
      if (i < shared) lse_before.push_back(plain::log_sum_exp(p));
      lse_after.push_back(plain::log_sum_exp(q));
      wanted.push_back(plain::divergence(p, q));
    }
    Array<float> before_lse = floats(lse_before), after_lse = floats(lse_after), kl(rows);
    run(kernels::RowDivergence{before.data(), after.data(), before_lse.data(), after_lse.data(), kl.data(),
                               rows, shared, width});
    expect_close(doubles(kl), wanted, {2e-6, 4e-6}, cat("kl ", width));
  }
}

TEST_P(Rows, MaskedSoftmaxAndItsGradient) {
  constexpr double hidden = -std::numeric_limits<double>::infinity();
  for (const std::int64_t width : widths) {
    const std::int64_t lanes = 2, trees = 3, repeat = 2, cells = 4, rows = lanes * trees * repeat * cells;
    const float factor = 0.3F;
    Row mask = draw(trees * cells * width, 1, "mask", width);
    for (double& cell : mask) cell = cell < -0.2 ? hidden : 0;
    for (std::int64_t i = 0; i < trees * cells; ++i)
      mask[static_cast<std::size_t>(i * width + i % width)] = 0;
    Numbers x = hold(draw(rows * width, 20, "x", width)), dp = hold(draw(rows * width, 2, "dp", width));
    Row inputs = x.values(), wanted, gradient;
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t cell = i / (repeat * cells) % trees * cells + i % cells;
      append(wanted, plain::softmax(plain::sum(row_of(mask, cell, width), row_of(inputs, i, width), factor)));
    }
    Array<float> masks = floats(mask);
    run(kernels::MaskedSoftmax{x.data(), masks.data(), rows, width, trees, repeat, cells, factor});
    expect_close(x.values(), wanted, {tolerance(number()).relative + 2e-6, 1e-30}, cat("softmax ", width));
    for (std::int64_t i = 0; i < rows; ++i)
      append(gradient, plain::scaled(plain::softmax_gradient(row_of(x.values(), i, width),
                                                             row_of(dp.values(), i, width)),
                                     factor));
    run(kernels::SoftmaxBackward{x.data(), dp.data(), rows, width, factor});
    expect_close(dp.values(), gradient, tolerance(number()), cat("gradient ", width));
  }
}

/// Two trees of 4 and 2 tokens in squares of 5 slots, two heads to one key head.
TEST_P(Rows, HeadsSpreadAndGathered) {
  const std::int64_t lanes = 2, tokens = 6, trees = 2, slots = 5, group = 2, heads = 4;
  const Array<std::int32_t> token{0, 1, 2, 3, 0, 4, 5, 4, 4, 4}, slot{0, 1, 2, 3, 5, 6};
  for (const std::int64_t width : {1, 6, 128}) {
    const std::int64_t stride = heads * width + 3, numbers = lanes * trees * heads * slots * width;
    Numbers packed = hold(draw(lanes * tokens * stride, 2, "packed", width)), back = hold(packed.values());
    Numbers squares = hold(Row(static_cast<std::size_t>(numbers), 7));
    run(kernels::SpreadHeads{packed.data(), squares.data(), token.data(), lanes, tokens, trees, slots, heads,
                             group, width, stride});
    Row wanted, gathered = packed.values();
    for (std::int64_t lane = 0; lane < lanes; ++lane)
      for (std::int64_t square = 0; square < trees * heads; ++square)
        for (std::int64_t i = 0; i < slots; ++i) {
          const std::int64_t place = square / heads * slots + i, head = square % heads;
          const std::int64_t row = lane * tokens + token[static_cast<std::size_t>(place)];
          const auto from = packed.values();
          const auto begin = from.begin() + row * stride + head / group * width;
          append(wanted, Row(begin, begin + width));
          if (slot[static_cast<std::size_t>(row % tokens)] == place)
            std::copy(begin, begin + width, gathered.begin() + row * stride + head * width);
        }
    EXPECT_EQ(squares.values(), wanted) << width;
    run(kernels::GatherHeads{squares.data(), back.data(), slot.data(), lanes, tokens, trees, slots, heads,
                             width, stride});
    EXPECT_EQ(back.values(), gathered) << width;
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, Rows, all_drivers(), name_of);

TEST(PlainRows, GradientsAreThoseOfFiniteDifferences) {
  const Row x = draw(7, 2, "x"), dout = draw(7, 2, "dout"), gate_up = draw(14, 3, "gate");
  const auto norm = [&](const Row& at) {
    return plain::dot(plain::scaled(at, plain::norm_scale(at, 0.1)), dout);
  };
  const double scale = plain::norm_scale(x, 0.1);
  expect_close(plain::norm_gradient(plain::scaled(x, scale), scale, dout), plain::differences(norm, x),
               {1e-8, 1e-8}, "norm");
  const auto swiglu = [&](const Row& at) { return plain::dot(plain::swiglu(at), dout); };
  expect_close(plain::swiglu_gradient(gate_up, dout), plain::differences(swiglu, gate_up), {1e-8, 1e-8},
               "swiglu");
  const auto softmax = [&](const Row& at) { return plain::dot(plain::softmax(at), dout); };
  expect_close(plain::softmax_gradient(plain::softmax(x), dout), plain::differences(softmax, x), {1e-8, 1e-8},
               "softmax");
}

}  // namespace
}  // namespace headsweep::kernels_test
