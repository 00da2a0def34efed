// edit: lora of any rank: how it starts, what is stored and restored of many lanes, its size, a training.
#include <gtest/gtest.h>

#include <cmath>

#include "unit/edit_support.hpp"

namespace headsweep {
namespace {

using namespace edit_test;

LaneSpec everywhere(double rate = 0.01, double tau = 0.1, std::uint64_t seed = 0) {
  std::vector<Head> all;
  for (int layer = 0; layer < weights().config.layers; ++layer)
    for (int head = 0; head < weights().config.heads; ++head) all.push_back({layer, head});
  return lane(all, rate, tau, seed);
}

LoraSpec linear(int rank) { return {.rank = rank, .targets = {edit_targets.begin(), edit_targets.end()}}; }

LaneParams start(const LoraSpec& lora, const std::vector<LaneSpec>& lanes, const TrainingSpec& spec = {},
                 at::Device device = at::kCPU) {
  return LaneParams::start(EditKind::lora, lanes, spec, weights(device), lora);
}

TEST(Adapters, StartAsPlainLoraDoesAtItsFirstRank) {
  const TrainingSpec spec{.start_b = 0.1};
  const auto plain = start({}, {everywhere()}, spec).layers_of(0);
  const auto wide =
      start({.rank = 3, .targets = {EditTarget::down, EditTarget::o}}, {everywhere()}, spec).layers_of(0);
  ASSERT_EQ(plain.size(), 8U);
  ASSERT_EQ(wide.size(), 8U * 2 * 3);
  std::set<std::vector<float>> all;
  for (const EditLayer& row : wide) {
    const bool down = row.target == EditTarget::down;
    const double bound = 1 / std::sqrt(static_cast<double>(row.a.size()));
    EXPECT_EQ(row.a.size(), down ? weights().config.intermediate : weights().config.width());
    const at::Tensor a = at::tensor(row.a);
    EXPECT_LE(a.abs().max().item<double>(), bound);
    EXPECT_GT(a.abs().max().item<double>(), 0.9 * bound);
    EXPECT_TRUE(all.insert(row.a).second) << "each rank has its own start";
  }
  for (std::size_t layer = 0; layer < 8; ++layer) {
    const EditLayer& first = wide[6 * layer];
    EXPECT_EQ(first.target, EditTarget::o) << "targets in the order of the layer";
    EXPECT_EQ(first.a, plain[layer].a);
    EXPECT_EQ(first.b, plain[layer].b);
  }
  // The same for every set of targets and every rank; other with another seed.
  EXPECT_EQ(start({.rank = 5, .targets = {EditTarget::down}}, {everywhere()}, spec).layers_of(0)[2].a,
            wide[5].a);
  EXPECT_NE(
      start({.rank = 5, .targets = {EditTarget::down}}, {everywhere(0.01, 0.1, 1)}, spec).layers_of(0)[2].a,
      wide[5].a);
}

TEST(Adapters, BeginAtTheUneditedModel) {
  const PairBatch batch = pack_pairs(weights(), some_pairs(4), TrainingSpec{});
  const LaneEdits edits = start(linear(4), {everywhere(), everywhere()}).edits(weights());
  const at::Tensor deltas =
      pair_deltas(weights(), batch, run_prefix(weights(), batch.tokens, -1), edits, LogProb::sum);
  EXPECT_LT(deltas.abs().max().item<double>(), 1e-5);
}

/// log pi/pi0 differences of the lanes.
at::Tensor deltas_of(const LaneParams& params, const PairBatch& batch) {
  const LaneEdits edits = params.edits(weights());
  const int first = edits.first_layer(weights().config.layers);
  return pair_deltas(weights(), batch, run_prefix(weights(), batch.tokens, first), edits, LogProb::sum);
}

TEST(Adapters, OfRankOneOnOProjArePlainLora) {
  const TrainingSpec spec{.start_b = 0.3};
  const LaneParams plain = start({}, {everywhere()}, spec);
  // A second rank of zeros makes adapters of it.
  std::vector<EditLayer> rows;
  for (const EditLayer& row : plain.layers_of(0)) {
    rows.push_back(row);
    rows.push_back(
        {.layer = row.layer, .a = std::vector<float>(row.a.size()), .b = std::vector<float>(row.b.size())});
  }
  const LaneParams wide = LaneParams::restore(EditKind::lora, {rows}, weights());
  ASSERT_TRUE(wide.layers().front().is_adapter());
  EXPECT_FALSE(plain.layers().front().is_adapter());
  const PairBatch batch = pack_pairs(weights(), some_pairs(6), TrainingSpec{});
  const at::Tensor expected = deltas_of(plain, batch);
  EXPECT_GT(expected.abs().max().item<double>(), 0.1);
  EXPECT_LT(largest_difference(deltas_of(wide, batch), expected), 1e-4);
}

TEST(Adapters, OfManyLanesAreRestoredBesideEachOther) {
  const TrainingSpec spec{.start_b = 0.05};
  const std::vector<LoraSpec> loras = {linear(2),
                                       {.rank = 5, .targets = {EditTarget::q, EditTarget::down}},
                                       {},
                                       {.rank = 1, .targets = {EditTarget::v}}};
  const PairBatch batch = pack_pairs(weights(), some_pairs(6), TrainingSpec{});
  std::vector<std::vector<EditLayer>> stored;
  std::vector<at::Tensor> expected;
  for (const LoraSpec& lora : loras) {
    const LaneParams one = start(lora, {everywhere(0.01, 0.1, stored.size())}, spec);
    stored.push_back(one.layers_of(0));
    expected.push_back(deltas_of(one, batch)[0]);
  }
  const LaneParams together = LaneParams::restore(EditKind::lora, stored, weights());
  EXPECT_EQ(together.count(), 4);
  const at::Tensor found = deltas_of(together, batch);
  for (std::size_t k = 0; k < loras.size(); ++k) {
    EXPECT_GT(expected[k].abs().max().item<double>(), 0.02) << k;
    EXPECT_LT(largest_difference(found[static_cast<std::int64_t>(k)], expected[k]), 1e-4) << k;
  }
  // Edits of heads, too: what each lane has at a layer stays its own.
  const std::vector<LaneSpec> heads = {lane({{1, 1}, {4, 4}}), lane({{4, 0}}), lane({{2, 2}})};
  const LaneParams optimal = LaneParams::start(EditKind::optimal, heads, spec, weights());
  std::vector<std::vector<EditLayer>> layers;
  for (const int k : {2, 0, 1}) layers.push_back(optimal.layers_of(k));
  const at::Tensor one_way = deltas_of(optimal, batch),
                   other = deltas_of(LaneParams::restore(EditKind::optimal, layers, weights()), batch);
  for (const auto& [from, to] : {std::pair{2, 0}, {0, 1}, {1, 2}})
    EXPECT_LT(largest_difference(other[to], one_way[from]), 1e-5) << from;
}

TEST(Adapters, ThatDoNotFitTheModelAreRefused) {
  const auto refusal = [](EditKind kind, const std::vector<std::vector<EditLayer>>& lanes) {
    try {
      LaneParams::restore(kind, lanes, weights());
    } catch (const BadInput& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  const auto row = [](int layer, EditTarget target, std::size_t a, std::size_t b) {
    return EditLayer{
        .layer = layer, .target = target, .a = std::vector<float>(a), .b = std::vector<float>(b)};
  };
  using enum EditTarget;
  EXPECT_EQ(refusal(EditKind::lora, {{row(8, o, 128, 128)}}),
            "the stored edit of layer 8, o_proj: the model has 8 layers");
  EXPECT_EQ(refusal(EditKind::optimal, {{row(3, q, 128, 128)}}),
            "the stored edit of layer 3, q_proj: optimal acts at o_proj only");
  EXPECT_EQ(refusal(EditKind::lora, {{row(3, down, 128, 128)}}),
            cat("the stored edit of layer 3, down_proj: a has 128 values, ", weights().config.intermediate,
                " are due"));
  EXPECT_EQ(refusal(EditKind::lora, {{row(3, q, 128, 5)}}),
            "the stored edit of layer 3, q_proj: b has 5 values, 128 are due");
  EXPECT_EQ(refusal(EditKind::optimal, {{row(3, o, 128, 128)}, {row(3, o, 0, 128)}}),
            "the stored edits of layer 3: some read their layer and some have a constant gate; they cannot "
            "be lanes "
            "of one set");
  EXPECT_EQ(refusal(EditKind::optimal, {{row(3, o, 128, 128), row(3, o, 128, 128)}}),
            "a stored edit has two rows for one layer; only lora has a rank");
}

TEST(Adapters, HaveTheSizeOfWhatTheyWriteAtOProj) {
  const TrainingSpec spec{.start_b = 0.05};
  const PairBatch batch = pack_pairs(weights(), some_pairs(3), spec);
  const LoraSpec lora{.rank = 2, .targets = {EditTarget::o, EditTarget::up}};
  const LaneParams params = start(lora, {everywhere()}, spec);
  double prompt = 0, answer = 0;
  int prompt_tokens = 0, answer_tokens = 0;
  const auto rows = params.layers_of(0);
  for (int layer = 0; layer < 8; ++layer) {
    const Prefix prefix = run_prefix(weights(), batch.tokens, layer);
    const EditLayer &first = rows[static_cast<std::size_t>(4 * layer)],
                    &second = rows[static_cast<std::size_t>(4 * layer + 1)];
    for (std::int64_t t = 0; t < batch.tokens.tokens; ++t) {
      at::Tensor written = at::zeros({weights().config.hidden});
      for (const EditLayer* row : {&first, &second})
        written += (prefix.outputs[t] * at::tensor(row->a)).sum() * at::tensor(row->b);
      const double size = written.norm().item<double>() / prefix.residual[t].norm().item<double>();
      const bool in_prompt =
          batch.tokens.positions[t].item<int>() < 12;  // every prompt of the built-in world has 12 tokens
      (in_prompt ? prompt : answer) += size;
      ++(in_prompt ? prompt_tokens : answer_tokens);
    }
  }
  const RelativeSize sizes = relative_size(weights(), batch, params.edits(weights()));
  EXPECT_NEAR(sizes.prompt.item<double>(), prompt / prompt_tokens, 1e-5);
  EXPECT_NEAR(sizes.answer.item<double>(), answer / answer_tokens, 1e-5);
  const LaneParams elsewhere = start({.rank = 2, .targets = {EditTarget::up}}, {everywhere()}, spec);
  EXPECT_TRUE(std::isnan(relative_size(weights(), batch, elsewhere.edits(weights())).prompt.item<double>()));
}

TEST(Adapters, LearnMoreThanRankOneOnOProj) {
  const TrainingSpec spec{.batch = 8, .epochs = 12};
  for (const at::Device device : devices_here()) {
    const TrainingData data = pack_training(weights(device), some_pairs(32), spec, 0, 0);
    const auto losses = [&](const LoraSpec& lora) {
      const std::vector<LaneSpec> lanes = {everywhere(0.003), everywhere(0.003, 0.2)};
      LaneParams params = start(lora, lanes, spec, device);
      TrainingPrefixes prefixes(weights(device), data);
      const TrainedLanes trained = train_lanes({weights(device), data, prefixes, spec}, lanes, params, [] {});
      EXPECT_NEAR(trained.training[0].curve.front(), 25, 1e-3);
      EXPECT_NEAR(trained.training[1].curve.front(), 6.25, 1e-3);
      return std::pair(trained.training[0].train_loss, trained.training[1].train_loss);
    };
    const auto [plain, plain_weak] = losses({});
    const auto [wide, wide_weak] = losses(linear(4));
    EXPECT_LT(wide, 0.5 * plain) << device;
    EXPECT_LT(wide_weak, plain_weak) << device;
  }
}

}  // namespace
}  // namespace headsweep
