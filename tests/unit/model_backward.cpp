// model: the backward through the layers against autograd of the plain forward and against finite differences
// of it.
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "unit/devices.hpp"
#include "unit/model_support.hpp"

namespace headsweep {
namespace {

using namespace model_test;

/// read and write of every layer, or A and B, in one order; a constant gate has no read.
std::vector<at::Tensor> tensors_of(const LaneEdits& edits) {
  std::vector<at::Tensor> tensors;
  for (const auto& [layer, edit] : edits.layers)
    for (const at::Tensor& tensor : {edit.read, edit.write})
      if (tensor.defined()) tensors.push_back(tensor);
  for (const auto& [layer, adapters] : edits.adapters)
    for (const auto& [target, adapter] : adapters)
      for (const at::Tensor& tensor : {adapter.a, adapter.b}) tensors.push_back(tensor);
  return tensors;
}

at::Tensor plain_loss(const plain::Forward& plain, const std::vector<TokenTree>& trees,
                      const LaneEdits& edits) {
  const at::Tensor sums = plain.answers(trees, edits);
  return (sums * loss_weights(sums.size(0), sums.size(1))).sum();
}

/// Gradients of the same loss by autograd, in float64.
std::vector<at::Tensor> plain_gradients(const plain::Forward& plain, const std::vector<TokenTree>& trees,
                                        const LaneEdits& edits) {
  const LaneEdits exact = plain::in_double(edits);
  const std::vector<at::Tensor> inputs = tensors_of(exact);
  for (const at::Tensor& input : inputs) input.requires_grad_();
  return torch::autograd::grad({plain_loss(plain, trees, exact)}, inputs);
}

/// The parameter counts edit_sets().
class ModelBackward : public testing::TestWithParam<int> {
 protected:
  ModelBackward() { at::set_num_threads(1); }
  const Weights weights_ = random_weights();
  const plain::Forward plain_{weights_};
  const std::vector<TokenTree> trees_ = random_trees(5);
  const TokenBatch batch_ = pack(trees_, Keep::answers, at::kCPU);
  const LaneEdits edits_ = edits_of_set(GetParam());
  [[nodiscard]] LaneEdits gradients_on(at::Device device) const {
    const TokenBatch batch = pack(trees_, Keep::answers, device);
    return on(gradients_of(on(weights_, device), batch, on(edits_, device)), at::kCPU);
  }
};

TEST_P(ModelBackward, EqualsAutogradOfThePlainForward) {
  const auto expected = plain_gradients(plain_, trees_, edits_);
  for (const at::Device device : devices_here()) {
    const LaneEdits gradients = gradients_on(device);
    ASSERT_EQ(gradients.lanes, edits_.lanes);
    ASSERT_EQ(gradients.layers.size(), edits_.layers.size());
    for (const auto& [layer, edit] : edits_.layers) {
      const LayerEdit& gradient = gradients.layers.at(layer);
      EXPECT_EQ(gradient.read.defined(), edit.read.defined());
      EXPECT_EQ(gradient.lanes.defined(), edit.lanes.defined());
    }
    const auto found = tensors_of(gradients);
    ASSERT_EQ(found.size(), expected.size());
    double worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(found[i].sizes(), expected[i].sizes());
      worst = std::max(worst, relative_difference(found[i], expected[i]));
      for (std::int64_t row = 0; row < found[i].size(0); ++row)
        EXPECT_LT(relative_difference(found[i][row], expected[i][row]), 2e-5)
            << device << ", tensor " << i << " row " << row;
    }
    std::printf("gradients, largest relative difference of a tensor: %.2g\n", worst);
    EXPECT_LT(worst, 1e-5) << device;
  }
}

TEST_P(ModelBackward, EqualsFiniteDifferencesOfSingleNumbers) {
  const auto found = tensors_of(gradients_of(weights_, batch_, edits_));
  const LaneEdits exact = plain::in_double(edits_);
  const auto inputs = tensors_of(exact);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const double size = found[i].abs().max().item<double>();
    for (const std::int64_t place : {std::int64_t{0}, inputs[i].numel() / 2 + 1, inputs[i].numel() - 1}) {
      double& number = inputs[i].data_ptr<double>()[place];
      const double at_rest = number, step = 1e-4;
      const auto loss_at = [&](double value) {
        number = value;
        return plain_loss(plain_, trees_, exact).item<double>();
      };
      const double slope = (loss_at(at_rest + step) - loss_at(at_rest - step)) / (2 * step);
      number = at_rest;
      EXPECT_NEAR(found[i].flatten()[place].item<double>(), slope, 2e-5 * size)
          << "tensor " << i << " at " << place;
    }
  }
}

TEST_P(ModelBackward, ATapeChangesNoBitOfTheForward) {
  Tape tape;
  const Prefix prefix = run_prefix(weights_, batch_, edits_.first_layer(4));
  EXPECT_TRUE(at::equal(run_lanes(weights_, batch_, prefix, edits_, &tape),
                        run_lanes(weights_, batch_, prefix, edits_)));
}

INSTANTIATE_TEST_SUITE_P(Sets, ModelBackward, testing::Range(0, static_cast<int>(edit_sets().size())),
                         [](const auto& set) { return set_name(set.param); });

TEST(ModelBackwardShapes, EqualAutogradOfThePlainForward) {
  at::set_num_threads(1);
  const std::vector<TokenTree> trees = random_trees(4, 3);
  for (const auto& [name, weights, edits] : odd_shapes()) {
    const auto expected = plain_gradients(plain::Forward(weights), trees, edits);
    for (const at::Device device : devices_here()) {
      const TokenBatch batch = pack(trees, Keep::answers, device);
      const auto found = tensors_of(gradients_of(on(weights, device), batch, on(edits, device)));
      for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_LT(relative_difference(on(found[i], at::kCPU), expected[i]), 2e-5)
            << name << " on " << device << ", tensor " << i;
    }
  }
}

TEST(ModelBackwardTape, BeginsAtTheFirstEditedLayer) {
  const Weights weights = random_weights();
  const TokenBatch batch = pack(random_trees(2), Keep::answers, at::kCPU);
  Tape tape;
  EXPECT_THROW(run_lanes(weights, batch, run_prefix(weights, batch, 0), mixed_edits(), &tape),
               std::logic_error);
}

}  // namespace
}  // namespace headsweep
