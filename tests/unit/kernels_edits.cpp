// kernels: what edits add, their gradients, and the collapsed MLP of the first edited layer, against plain
// loops and finite differences.
#include "reference/kernels.hpp"
#include "unit/kernels_support.hpp"

namespace headsweep::kernels_test {
namespace {

using Edits = Rows;
using Ints = Array<std::int32_t>;
constexpr std::int64_t lanes = 4, tokens = 3, n = lanes * tokens;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

/// Lanes 0, 2 and 3 are edited, by rows 1, 0 and 2.
const Ints edit_of_lane{1, -1, 0, 2};
const Row active{0, 1, 1};
/// Rows may come in any order of lanes.
const Ints lane_of_row{3, 3, 0, 1, 0, 2, 2, 1, 0, 3, 1, 2};

struct Shape {
  std::int64_t width, hidden;
};
constexpr Shape shapes[] = {{1, 1}, {7, 5}, {16, 24}, {128, 344}};

TEST_P(Edits, Forward) {
  for (const auto [width, hidden] : shapes)
    for (const bool reads : {false, true})
      for (const bool scattered : {false, true}) {
        Numbers outputs = hold(draw(n * width, 2, "o", width));
        const Row read = draw(3 * width, 1, "a", width), write = draw(3 * hidden, 1, "b", hidden);
        Row x = draw(n * hidden, 2, "x", hidden), gates;
        Array<float> stream = floats(x), reads_f = floats(read), writes_f = floats(write),
                     active_f = floats(active);
        Array<float> gate(n, 7.0F);
        for (std::int64_t i = 0; i < n; ++i) {
          const std::int64_t edit = edit_of_lane[at(scattered ? lane_of_row[at(i)] : i / tokens)];
          double value = scattered ? 1 : active[at(i % tokens)];
          if (edit >= 0 && reads)
            value *= plain::dot(row_of(read, edit, width), row_of(outputs.values(), i, width));
          gates.push_back(edit >= 0 ? value : 0);
          for (std::int64_t j = 0; edit >= 0 && j < hidden; ++j)
            x[at(i * hidden + j)] += gates.back() * write[at(edit * hidden + j)];
        }
        run(kernels::EditForward{
            stream.data(), outputs.data(), reads ? reads_f.data() : nullptr, writes_f.data(),
            edit_of_lane.data(), scattered ? lane_of_row.data() : nullptr,
            scattered ? nullptr : active_f.data(), gate.data(), n, tokens, width, hidden});
        expect_close(doubles(gate), gates, tolerance(Number::f32, 10), cat("gate ", width));
        expect_close(doubles(stream), x, tolerance(Number::f32, 10), cat("x ", width));
      }
}

TEST_P(Edits, Backward) {
  for (const auto [width, hidden] : shapes)
    for (const bool reads : {false, true})
      for (const bool wanted_below : {false, true}) {
        const Row read = draw(3 * width, 1, "a", width), write = draw(3 * hidden, 1, "b", hidden);
        const Row dx = draw(n * hidden, 2, "dx", hidden);
        Numbers doutputs = hold(draw(n * width, 2, "do", width));
        Array<float> dx_f = floats(dx), reads_f = floats(read), writes_f = floats(write),
                     active_f = floats(active);
        Array<float> dgate(n, 7.0F);
        Row wanted_do = doutputs.values(), wanted;
        for (std::int64_t i = 0; i < n; ++i) {
          const std::int64_t edit = edit_of_lane[at(i / tokens)];
          wanted.push_back(edit < 0 ? 0
                                    : active[at(i % tokens)] *
                                          plain::dot(row_of(dx, i, hidden), row_of(write, edit, hidden)));
          for (std::int64_t j = 0; edit >= 0 && reads && wanted_below && j < width; ++j)
            wanted_do[at(i * width + j)] += wanted.back() * read[at(edit * width + j)];
        }
        run(kernels::EditBackward{dx_f.data(), wanted_below ? doutputs.data() : nullptr,
                                  reads ? reads_f.data() : nullptr, writes_f.data(), edit_of_lane.data(),
                                  active_f.data(), dgate.data(), n, tokens, width, hidden});
        expect_close(doubles(dgate), wanted, tolerance(Number::f32, 20), cat("dgate ", width));
        expect_close(doutputs.values(), wanted_do, tolerance(number(), 20), cat("do ", width));
      }
}

TEST_P(Edits, WeightedSum) {
  const Array<std::int64_t> named{3, 0};
  for (const std::int64_t width : {1, 7, 16, 24, 344})
    for (const bool names : {false, true}) {
      Numbers values = hold(draw(lanes * tokens * width, 2, "values", width));
      const Row factor = draw(n, 2, "factor");
      Array<float> factor_f = floats(factor);
      const std::int64_t count = names ? 2 : lanes;
      Array<float> out(at(count * width), 7.0F);
      Row wanted;
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t lane = names ? named[at(i)] : i;
        Row sum(at(width), 0);
        for (std::int64_t t = 0; t < tokens; ++t)
          sum = plain::sum(sum, row_of(values.values(), lane * tokens + t, width),
                           factor[at(lane * tokens + t)]);
        append(wanted, sum);
      }
      run(kernels::WeightedSum{factor_f.data(), values.data(), names ? named.data() : nullptr, out.data(),
                               count, tokens, width});
      expect_close(doubles(out), wanted, tolerance(Number::f32, 12), cat("out ", width));
    }
}

/// The collapsed MLP of all lanes in double precision, as a function of [gate, scale, own].
Row collapsed(const Row& shared, const Row& inputs, std::int64_t width) {
  Row out;
  for (std::int64_t lane = 0; lane < lanes; ++lane)
    for (std::int64_t t = 0; t < tokens; ++t) {
      const double gate = inputs[at(lane * tokens + t)], scale = inputs[at(n + lane * tokens + t)];
      const auto own = inputs.begin() + 2 * n + lane * 2 * width;
      const Row inner = plain::sum(row_of(shared, t, 2 * width), Row(own, own + 2 * width), gate);
      append(out, plain::swiglu(plain::scaled(inner, scale)));
    }
  return out;
}

TEST_P(Edits, CollapsedForwardAndBackward) {
  for (const std::int64_t width : {1, 7, 16, 33}) {
    Numbers shared = hold(draw(tokens * 2 * width, 2, "shared", width));
    Numbers own = hold(draw(lanes * 2 * width, 2, "own", width)),
            dout = hold(draw(n * width, 2, "dout", width));
    Row inputs = draw(2 * n, 1.5, "gate and scale");
    Array<float> given = floats(inputs);
    append(inputs, own.values());
    Numbers out = hold(Row(at(n * width)));
    run(kernels::CollapsedForward{shared.data(), own.data(), given.data(), given.data() + n, out.data(),
                                  lanes, tokens, width});
    expect_close(out.values(), collapsed(shared.values(), inputs, width), tolerance(number(), 30),
                 cat("out ", width));

    Array<float> dgate(n), dscale(n), down(at(lanes * 2 * width), 7.0F);
    run(kernels::CollapsedBackward{shared.data(), own.data(), dout.data(), given.data(), given.data() + n,
                                   dgate.data(), dscale.data(), down.data(), lanes, tokens, width});
    const auto loss = [&](const Row& x) {
      return plain::dot(collapsed(shared.values(), x, width), dout.values());
    };
    Row found = doubles(dgate);
    append(found, doubles(dscale));
    append(found, doubles(down));
    expect_close(found, plain::differences(loss, inputs), {1e-5, 1e-4}, cat("gradients ", width));
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, Edits, all_drivers(), name_of);

}  // namespace
}  // namespace headsweep::kernels_test
