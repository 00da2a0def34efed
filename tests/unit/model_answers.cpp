// model: log-probabilities, their gradients and divergences from given states, against log_softmax in
// float64; few lanes at once and many.
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "unit/devices.hpp"
#include "unit/model_support.hpp"

namespace headsweep {
namespace {

using namespace model_test;

/// Random states of lanes on trees where several answers begin at one token, two of them alike.
struct World {
  Weights weights;
  TokenBatch batch;
  at::Tensor states;  ///< [K, R, E]
  std::vector<TokenTree> trees = random_trees(6);

  World(int lanes, int vocab) {
    at::set_num_threads(1);
    ModelConfig config = small_config();
    config.layers = 1;
    config.vocab = vocab;
    weights = random_weights(config);
    trees.push_back({{1, 2}, {{3}, {3, 4}, {3, 4}, {5, 6}, {}}, 0});
    batch = pack(trees, Keep::answers, at::kCPU);
    Random random(0, "states");
    states = draw({lanes, batch.kept.size(0), config.hidden}, random);
  }
  [[nodiscard]] World on_device(at::Device device) const {
    World there = *this;
    there.weights = on(weights, device);
    there.batch = pack(trees, Keep::answers, device);
    there.states = states.to(device);
    return there;
  }
  /// log p of every word at every kept token: float64 [K, R, V].
  [[nodiscard]] at::Tensor all_log_probs(const at::Tensor& of) const {
    return at::log_softmax(at::matmul(of.to(at::kDouble), weights.output.to(at::kDouble).t()), -1);
  }
  [[nodiscard]] at::Tensor entries(const at::Tensor& log_probs) const {
    return log_probs.flatten(1).index_select(1, batch.entry_row * log_probs.size(2) + batch.entry_id);
  }
  [[nodiscard]] at::Tensor answers(const at::Tensor& log_probs) const {
    return at::zeros({log_probs.size(0), batch.answers}, at::kDouble)
        .index_add(1, batch.entry_answer, entries(log_probs));
  }
};

/// The parameters: lanes, words. The second model's logits are too many for all lanes at once.
class ModelAnswers : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  const World world_{GetParam().first, GetParam().second};
  /// On every device.
  [[nodiscard]] std::vector<World> worlds() const {
    std::vector<World> worlds;
    for (const at::Device device : devices_here()) worlds.push_back(world_.on_device(device));
    return worlds;
  }
};

TEST_P(ModelAnswers, LogProbabilities) {
  const at::Tensor expected = world_.all_log_probs(world_.states);
  for (const World& there : worlds()) {
    EXPECT_LT(largest_difference(entry_log_probs(there.weights, there.batch, there.states).cpu(),
                                 world_.entries(expected)),
              3e-6);
    const at::Tensor sums = answer_log_probs(there.weights, there.batch, there.states).cpu();
    EXPECT_LT(largest_difference(sums, world_.answers(expected)), 1e-5);
    EXPECT_TRUE(sums.select(1, -1).eq(0).all().item<bool>()) << "an empty answer is certain";
  }
}

/// The loss sum(sin(log p + k)) of lane k hangs on the log-probabilities and on the lane.
TEST_P(ModelAnswers, GradientsEqualAutograd) {
  const at::Tensor exact = world_.states.to(at::kDouble).requires_grad_();
  const at::Tensor phase = at::arange(exact.size(0), at::kDouble).unsqueeze(1);
  const at::Tensor loss = (world_.answers(world_.all_log_probs(exact)) + phase).sin().sum();
  const at::Tensor expected = torch::autograd::grad({loss}, {exact})[0];
  std::vector<std::int64_t> all(static_cast<std::size_t>(exact.size(0)));
  for (std::size_t k = 0; k < all.size(); ++k) all[k] = static_cast<std::int64_t>(k);
  for (const World& there : worlds()) {
    std::vector<std::int64_t> seen;
    const at::Tensor phases = phase.to(there.states.device());
    const auto slope = [&](const at::Tensor& log_probs, std::int64_t first) {
      for (std::int64_t k = 0; k < log_probs.size(0); ++k) seen.push_back(first + k);
      return (log_probs + phases.narrow(0, first, log_probs.size(0))).cos().to(at::kFloat);
    };
    const at::Tensor found = answer_gradient(there.weights, there.batch, there.states, slope).cpu();
    EXPECT_EQ(seen, all) << "each lane once, in order";
    EXPECT_LT(relative_difference(found, expected), 5e-6);
    for (std::int64_t row = 0; row < found.size(1); ++row)
      EXPECT_LT(relative_difference(found.select(1, row), expected.select(1, row)), 2e-5) << "row " << row;
  }
}

TEST_P(ModelAnswers, Divergences) {
  Random random(1, "unedited");
  const at::Tensor unedited = draw({1, world_.states.size(1), 20}, random);
  const at::Tensor before = world_.all_log_probs(unedited), after = world_.all_log_probs(world_.states);
  const at::Tensor rows = (before.exp() * (before - after)).sum(-1);  // [K, R]
  const at::Tensor expected = rows.index_select(1, world_.batch.entry_row);
  EXPECT_GT(expected.min().item<double>(), 0.01);
  for (const World& there : worlds()) {
    const at::Tensor same = unedited.to(there.states.device());
    const Divergence found = entry_divergence(there.weights, there.batch, same, there.states);
    EXPECT_LT(((found.kl.cpu() - expected).abs() / expected).max().item<double>(), 3e-5);
    EXPECT_LT(largest_difference(found.log_probs.cpu(), world_.entries(after)), 3e-6);
  }
}

/// A small divergence is the difference of large numbers; it must not drown in their rounding.
TEST_P(ModelAnswers, SmallDivergencesKeepTheirSize) {
  const at::Tensor unedited = world_.states.narrow(0, 0, 1);
  const at::Tensor edited = unedited + 1e-2 * (world_.states - unedited);
  const at::Tensor before = world_.all_log_probs(unedited), after = world_.all_log_probs(edited);
  const at::Tensor rows = (before.exp() * (before - after)).sum(-1);
  const Divergence found = entry_divergence(world_.weights, world_.batch, unedited, edited);
  const at::Tensor expected = rows.index_select(1, world_.batch.entry_row);
  EXPECT_LT(largest_difference(found.kl, expected), 3e-6);
  EXPECT_LT(found.kl[0].abs().max().item<double>(), 3e-6) << "lane 0 is the unedited model";
}

INSTANTIATE_TEST_SUITE_P(LanesAndWords, ModelAnswers, testing::Values(std::pair{3, 37}, std::pair{40, 5003}));

}  // namespace
}  // namespace headsweep
