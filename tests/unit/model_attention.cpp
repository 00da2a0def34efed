// model: attention inside token trees, both ways, against matrices in float64 with a mask drawn from the
// trees themselves.
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>

#include "model/attention.hpp"
#include "unit/devices.hpp"
#include "unit/model_support.hpp"

namespace headsweep {
namespace {

using namespace model_test;
using llama::Asking;
using llama::Attention;
using llama::Heads;

/// Whether a token sees another: [T, T]. The last token of an answer is not computed; `shared` tokens of the
/// prompts stand once.
at::Tensor sight_of(const std::vector<TokenTree>& trees, bool running_text, int shared) {
  std::vector<std::vector<std::int64_t>> seen;  // by token
  std::vector<std::int64_t> start;
  for (std::int64_t i = 0; i < shared; ++i) {
    start.push_back(i);
    seen.push_back(start);
  }
  for (const TokenTree& tree : trees) {
    std::vector<std::int64_t> prompt = start;
    for (auto i = static_cast<std::size_t>(shared); i + (running_text ? 1 : 0) < tree.prompt.size(); ++i) {
      prompt.push_back(static_cast<std::int64_t>(seen.size()));
      seen.push_back(prompt);
    }
    for (const auto& answer : tree.answers) {
      std::vector<std::int64_t> path = prompt;
      for (std::size_t i = 1; i < answer.size(); ++i) {
        path.push_back(static_cast<std::int64_t>(seen.size()));
        seen.push_back(path);
      }
    }
  }
  const auto tokens = static_cast<std::int64_t>(seen.size());
  at::Tensor sight = at::zeros({tokens, tokens}, at::kBool);
  for (std::int64_t token = 0; token < tokens; ++token)
    for (const std::int64_t other : seen[static_cast<std::size_t>(token)]) sight[token][other] = true;
  return sight;
}

struct Shape {
  const char* name;
  int heads, kv_heads, width;
  at::ScalarType number;
  Asking asking;
  bool running_text = false;
  Starts starts = Starts::apart;
};

class ModelAttention : public testing::TestWithParam<Shape> {
 protected:
  static constexpr std::int64_t lanes = 3;
  ModelAttention() {
    at::set_num_threads(1);
    const Shape& shape = GetParam();
    weights_.config.heads = shape.heads;
    weights_.config.kv_heads = shape.kv_heads;
    weights_.config.head_dim = shape.width;
    trees_ = random_trees(6);
    if (shape.running_text)
      for (TokenTree& tree : trees_)
        tree = {tree.prompt.size() > 1 ? tree.prompt : std::vector<int>{1, 2}, {}, 0};
    if (shape.starts == Starts::joined) trees_ = trees_with_common_start(6, true);
    batch_ = packed_on(at::kCPU);
    Random random(0, "heads");
    const std::int64_t kv_width = std::int64_t{shape.kv_heads} * shape.width;
    const std::int64_t width = std::int64_t{shape.heads} * shape.width;
    const std::int64_t asked = shape.asking == Asking::all ? batch_.tokens : batch_.kept.size(0);
    // Rows as the products leave them: keys and values beside each other, and beside the queries if all ask.
    joined_ = draw({lanes, batch_.tokens, width + 2 * kv_width}, random, 2).to(shape.number);
    heads_.queries = shape.asking == Asking::all ? joined_.narrow(2, 0, width)
                                                 : draw({lanes, asked, width}, random, 2).to(shape.number);
    heads_.keys = joined_.narrow(2, width, kv_width);
    heads_.values = joined_.narrow(2, width + kv_width, kv_width);
    doutputs_ = draw({lanes, asked, width}, random).to(shape.number);
  }

  [[nodiscard]] TokenBatch packed_on(at::Device device) const {
    return pack(trees_, GetParam().running_text ? Keep::all : Keep::answers, device, GetParam().starts);
  }
  struct Result {
    at::Tensor outputs, dqueries, dkeys, dvalues;
  };
  [[nodiscard]] Result run(Attention::Way way, at::Device device = at::kCPU) const {
    const TokenBatch batch = packed_on(device);
    const Attention attention(weights_, batch, way);
    const at::Tensor joined = joined_.to(device), doutputs = doutputs_.to(device);
    const std::int64_t width = heads_.queries.size(2), kv_width = heads_.keys.size(2);
    const bool all = GetParam().asking == Asking::all;
    const Heads heads{all ? joined.narrow(2, 0, width) : heads_.queries.to(device),
                      joined.narrow(2, width, kv_width), joined.narrow(2, width + kv_width, kv_width)};
    at::Tensor saved;
    const at::Tensor outputs = attention.forward(heads, GetParam().asking, &saved);
    EXPECT_TRUE(at::equal(outputs, attention.forward(heads, GetParam().asking, nullptr)));
    const at::Tensor place = at::full_like(joined, std::numeric_limits<double>::quiet_NaN());
    const Heads gradients{all ? place.narrow(2, 0, width) : at::empty_like(heads.queries),
                          place.narrow(2, width, kv_width), place.narrow(2, width + kv_width, kv_width)};
    attention.backward(heads, GetParam().asking, outputs, saved, doutputs, gradients);
    return {outputs.cpu(), gradients.queries.cpu(), gradients.keys.cpu(), gradients.values.cpu()};
  }
  [[nodiscard]] Result run_plain() const {
    const Shape& shape = GetParam();
    const auto input = [](const at::Tensor& x) { return x.to(at::kDouble).clone().requires_grad_(); };
    const at::Tensor q = input(heads_.queries), k = input(heads_.keys), v = input(heads_.values);
    const auto by_heads = [&](const at::Tensor& x) {
      return x.unflatten(2, {-1, shape.width}).transpose(1, 2);
    };
    const std::int64_t group = shape.heads / shape.kv_heads;
    at::Tensor sight = sight_of(trees_, shape.running_text, batch_.shared);
    if (shape.asking == Asking::kept) sight = sight.index_select(0, batch_.kept);
    const at::Tensor scores =
        at::matmul(by_heads(q), by_heads(k).repeat_interleave(group, 1).transpose(2, 3)) /
        std::sqrt(shape.width);
    const at::Tensor shares =
        at::softmax(scores.masked_fill(sight.logical_not(), -std::numeric_limits<double>::infinity()), -1);
    const at::Tensor outputs =
        at::matmul(shares, by_heads(v).repeat_interleave(group, 1)).transpose(1, 2).flatten(2);
    const auto gradients = torch::autograd::grad({outputs}, {q, k, v}, {doutputs_.to(at::kDouble)});
    return {outputs.detach(), gradients[0], gradients[1], gradients[2]};
  }

  Weights weights_;
  std::vector<TokenTree> trees_;
  TokenBatch batch_;
  at::Tensor joined_, doutputs_;
  Heads heads_;
};

TEST_P(ModelAttention, BothWaysEqualMaskedMatrices) {
  const Result expected = run_plain(), fused = run(Attention::Way::fused),
               padded = run(Attention::Way::padded),
               there = run(Attention::Way::padded, devices_here().back());
  const double tolerance = GetParam().number == at::kFloat ? 2e-6 : 8e-3;
  double worst = 0;
  for (const auto part : {&Result::outputs, &Result::dqueries, &Result::dkeys, &Result::dvalues}) {
    for (const Result* way : {&fused, &padded, &there}) {
      ASSERT_EQ((way->*part).sizes(), (expected.*part).sizes());
      ASSERT_EQ((way->*part).scalar_type(), GetParam().number);
      worst = std::max(worst, relative_difference(way->*part, expected.*part));
    }
    EXPECT_LT(relative_difference(fused.*part, padded.*part), 2 * tolerance);
  }
  EXPECT_LT(worst, tolerance);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, ModelAttention,
    testing::Values(Shape{"Grouped", 4, 2, 6, at::kFloat, Asking::all},
                    Shape{"GroupedKept", 4, 2, 6, at::kFloat, Asking::kept},
                    Shape{"OneKeyHead", 4, 1, 16, at::kFloat, Asking::all},
                    Shape{"OwnKeys", 3, 3, 64, at::kFloat, Asking::kept},
                    Shape{"Text", 4, 2, 16, at::kFloat, Asking::all, true},
                    Shape{"TextKept", 2, 1, 10, at::kFloat, Asking::kept, true},
                    Shape{"GroupedBf16", 4, 2, 6, at::kBFloat16, Asking::all},
                    Shape{"KeptBf16", 4, 1, 16, at::kBFloat16, Asking::kept},
                    Shape{"TextBf16", 3, 3, 32, at::kBFloat16, Asking::all, true},
                    Shape{"Joined", 4, 2, 6, at::kFloat, Asking::all, false, Starts::joined},
                    Shape{"JoinedKept", 4, 1, 16, at::kFloat, Asking::kept, false, Starts::joined},
                    Shape{"JoinedBf16", 3, 3, 32, at::kBFloat16, Asking::kept, false, Starts::joined}),
    [](const auto& shape) { return shape.param.name; });

}  // namespace
}  // namespace headsweep
