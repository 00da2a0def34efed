// model: bfloat16 operands: how far log-probabilities and gradients stray from float32's and from the plain
// forward of the same rounded matrices.
#include <gtest/gtest.h>

#include "unit/devices.hpp"
#include "unit/model_support.hpp"

namespace headsweep {
namespace {

using namespace model_test;

/// A model wide enough for its sums to average rounding out.
const ModelConfig& wide() {
  static const ModelConfig config{.layers = 4,
                                  .heads = 4,
                                  .kv_heads = 2,
                                  .head_dim = 16,
                                  .hidden = 96,
                                  .intermediate = 160,
                                  .vocab = 37,
                                  .max_tokens = 64};
  return config;
}

double cosine(const at::Tensor& a, const at::Tensor& b) {
  return ((a * b).sum() / (a.norm() * b.norm())).item<double>();
}

/// The parameter counts edit_sets().
class ModelBfloat16 : public testing::TestWithParam<int> {
 protected:
  ModelBfloat16() { at::set_num_threads(1); }
  const Weights weights_ = random_weights(wide());
  const Weights rounded_ = in_bfloat16(weights_);
  const std::vector<TokenTree> trees_ = random_trees(5);
  const TokenBatch batch_ = pack(trees_, Keep::answers, at::kCPU);
  const LaneEdits edits_ = make_edits(edit_sets()[static_cast<std::size_t>(GetParam())], wide());
  const LaneEdits low_edits_ = of_number(edits_, at::kBFloat16);
  void compare_gradients(at::Device device) const;
};

TEST_P(ModelBfloat16, LogProbabilitiesStayNear) {
  const at::Tensor expected = entry_log_probs(weights_, batch_, states_of(weights_, batch_, edits_));
  const at::Tensor same_matrices = plain::Forward(rounded_).entries(trees_, plain::in_double(low_edits_));
  for (const at::Device device : devices_here()) {
    const Weights rounded = on(rounded_, device);
    const TokenBatch batch = pack(trees_, Keep::answers, device);
    const at::Tensor found =
        entry_log_probs(rounded, batch, states_of(rounded, batch, on(low_edits_, device))).cpu();
    ASSERT_EQ(found.scalar_type(), at::kFloat);
    const double all = largest_difference(found, expected), own = largest_difference(found, same_matrices);
    std::printf(
        "entries, largest difference: %.2g from float32, %.2g from the plain forward of its own matrices\n",
        all, own);
    EXPECT_LT(all, 0.15) << device;
    EXPECT_LT(own, 0.15) << device;
    EXPECT_LT((found - expected).square().mean().sqrt().item<double>(), 0.03) << device;
  }
}

TEST_P(ModelBfloat16, GradientsPointTheSameWay) {
  for (const at::Device device : devices_here()) {
    SCOPED_TRACE(device.str());
    compare_gradients(device);
  }
}

void ModelBfloat16::compare_gradients(at::Device device) const {
  const TokenBatch batch = pack(trees_, Keep::answers, device);
  const LaneEdits found = on(gradients_of(on(rounded_, device), batch, on(low_edits_, device)), at::kCPU),
                  expected = gradients_of(weights_, batch_, edits_);
  double worst = 1, worst_part = 1;
  for (std::int64_t lane = 0; lane < edits_.lanes; ++lane) {
    std::vector<at::Tensor> own, other;
    for (const auto& [layer, edit] : expected.layers)
      for (const auto part : {&plain::Row::read, &plain::Row::write}) {
        const at::Tensor gradient = plain::row_of(expected, layer, lane).*part;
        if (!gradient.defined()) continue;
        own.push_back(plain::row_of(found, layer, lane).*part);
        other.push_back(gradient);
        ASSERT_EQ(own.back().scalar_type(), at::kFloat);
        worst_part = std::min(worst_part, cosine(own.back(), other.back()));
      }
    for (const auto& [layer, adapters] : expected.adapters)
      for (const auto& [target, adapter] : adapters)
        for (const auto part : {&Adapter::a, &Adapter::b}) {
          own.push_back((found.adapters.at(layer).at(target).*part)[lane].flatten());
          other.push_back((adapter.*part)[lane].flatten());
          ASSERT_EQ(own.back().scalar_type(), at::kFloat);
          worst_part = std::min(worst_part, cosine(own.back(), other.back()));
        }
    if (!own.empty()) worst = std::min(worst, cosine(at::cat(own), at::cat(other)));
  }
  std::printf("gradients, smallest cosine: %.5f of a lane, %.5f of its read, write, A or B at a layer\n",
              worst, worst_part);
  // On a GPU the shares of attention are rounded to bfloat16, too.
  EXPECT_GT(worst, device.is_cpu() ? 0.995 : 0.99);
  EXPECT_GT(worst_part, device.is_cpu() ? 0.99 : 0.98);
}

TEST_P(ModelBfloat16, TheDecoderFollowsThePackedForward) {
  const std::vector<TokenTree> prompts = without_answers(random_trees(4));
  const TokenBatch packed = pack(prompts, Keep::last, at::kCPU);
  Decoder decoder(rounded_, packed, low_edits_, 2);
  Random random(0, "continuations");
  std::vector<std::vector<int>> generated;
  for (int step = 0; step < 2; ++step) {
    std::vector<int> ids;
    const std::vector<int> next = random_ids(4, random);
    for (int lane = 0; lane < edits_.lanes; ++lane) ids.insert(ids.end(), next.begin(), next.end());
    decoder.step(at::tensor(ids, at::kLong));
    generated.push_back(next);
  }
  std::vector<TokenTree> texts = prompts;
  for (std::size_t i = 0; i < texts.size(); ++i)
    for (const auto& next : generated) texts[i].prompt.push_back(next[i]);
  const TokenBatch whole = pack(texts, Keep::last, at::kCPU);
  const at::Tensor expected =
      logits_of(rounded_, states_of(rounded_, whole, low_edits_)).flatten(0, 1).to(at::kFloat);
  EXPECT_LT(
      largest_difference(at::log_softmax(decoder.logits().to(at::kFloat), 1), at::log_softmax(expected, 1)),
      0.15);
}

INSTANTIATE_TEST_SUITE_P(Sets, ModelBfloat16, testing::Range(0, static_cast<int>(edit_sets().size())),
                         [](const auto& set) { return set_name(set.param); });

}  // namespace
}  // namespace headsweep
