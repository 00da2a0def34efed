// probe: what a localiser says of heads whose truth is known, what it must not look at, and the capture of
// outputs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <headsweep/probe.hpp>

namespace headsweep {
namespace {

constexpr std::int64_t planted = 4;  ///< L1.H1 tells true from false along its first axis
constexpr std::int64_t mute = 0;     ///< L0.H0 says the same of every text
const ModelConfig config{.layers = 2, .heads = 3, .head_dim = 4};

/// 40 questions of four texts each; three in five train, one validates, one tests.
struct World {
  std::vector<ProbeText> texts;
  Split split;
  at::Tensor outputs;  ///< [n, L, C]

  explicit World(std::uint64_t seed = 0) {
    for (int question = 0; question < 40; ++question) {
      split.part_of.push_back(question % 5 < 3    ? SplitPart::train
                              : question % 5 == 3 ? SplitPart::val
                                                  : SplitPart::test);
      for (int text = 0; text < 4; ++text)
        texts.push_back({.question = question, .label = text % 2 == 0, .ids = {}});
    }
    Random random(seed, "outputs");
    outputs = at::empty({160, 2, 12});
    for (std::int64_t i = 0; i < outputs.numel(); ++i)
      outputs.data_ptr<float>()[i] = static_cast<float>(2 * random.uniform() - 1);
    const at::Tensor heads = outputs.view({160, 6, 4});
    heads.select(1, mute).fill_(0.1F);
    for (std::size_t i = 0; i < texts.size(); ++i)
      heads[static_cast<std::int64_t>(i)][planted][0].add_(texts[i].label ? 2.0F : -2.0F);
  }
  [[nodiscard]] ProbeData data() const { return {texts, outputs}; }
  [[nodiscard]] HeadTable table() const { return locate(data(), data(), split, config, 1); }
  /// Spoils the outputs of one part's texts.
  void spoil(SplitPart part) {
    for (std::size_t i = 0; i < texts.size(); ++i)
      if (split.part_of[static_cast<std::size_t>(texts[i].question)] == part)
        outputs[static_cast<std::int64_t>(i)].neg_();
  }
};

TEST(Locate, FindsThePlantedHead) {
  const HeadTable table = World().table();
  EXPECT_EQ(table.ranking(config.heads).front(), (Head{1, 1}));
  EXPECT_EQ(table.score[planted].item<float>(), 1);
  EXPECT_EQ(table.train_accuracy[planted].item<float>(), 1);
  EXPECT_EQ(table.auc[planted].item<float>(), 1);
  EXPECT_LT(table.log_loss[planted].item<float>(), 0.1);
  EXPECT_GT(table.direction[planted][0].item<float>(), 0.99);
  const at::Tensor lengths = table.direction.norm(2, 1);
  EXPECT_LT((lengths.narrow(0, 1, 5) - 1).abs().max().item<float>(), 1e-6);
}

TEST(Locate, AMuteHeadHasNoDirectionAndNoNaN) {
  const HeadTable table = World().table();
  EXPECT_EQ(table.direction[mute].abs().max().item<float>(), 0);
  EXPECT_EQ(table.sigma[mute].item<float>(), 0);
  EXPECT_EQ(table.auc[mute].item<float>(), 0.5);
  EXPECT_NEAR(table.log_loss[mute].item<float>(), std::log(2.0), 1e-6);
}

TEST(Locate, SigmaIsThePooledDeviationOfTheOtherReadingsTrainingTexts) {
  const World world(0), other(1);
  const HeadTable table = locate(world.data(), other.data(), world.split, config, 1);
  const at::Tensor u = table.direction[planted].to(at::kDouble);
  std::vector<double> projections[2];
  for (std::size_t i = 0; i < other.texts.size(); ++i) {
    if (world.split.part_of[static_cast<std::size_t>(other.texts[i].question)] != SplitPart::train) continue;
    const at::Tensor o =
        other.outputs.view({160, 6, 4})[static_cast<std::int64_t>(i)][planted].to(at::kDouble);
    projections[other.texts[i].label ? 1 : 0].push_back((o * u).sum().item<double>());
  }
  double squares = 0, count = 0;
  for (const auto& of_class : projections) {
    double mean = 0;
    for (const double p : of_class) mean += p / static_cast<double>(of_class.size());
    for (const double p : of_class) squares += (p - mean) * (p - mean);
    count += static_cast<double>(of_class.size());
  }
  EXPECT_NEAR(table.sigma[planted].item<double>(), std::sqrt(squares / (count - 2)), 1e-6);
}

TEST(Locate, LooksAtNoTestTextAndFitsOnNoValidationText) {
  const HeadTable table = World().table();
  World without_test;
  without_test.spoil(SplitPart::test);
  const HeadTable same = without_test.table();
  for (const auto column :
       {&HeadTable::score, &HeadTable::train_accuracy, &HeadTable::auc, &HeadTable::log_loss,
        &HeadTable::weights, &HeadTable::bias, &HeadTable::direction, &HeadTable::sigma})
    EXPECT_TRUE(at::equal(table.*column, same.*column));
  World other_validation;
  other_validation.spoil(SplitPart::val);
  const HeadTable scored = other_validation.table();
  for (const auto column : {&HeadTable::train_accuracy, &HeadTable::weights, &HeadTable::bias,
                            &HeadTable::direction, &HeadTable::sigma})
    EXPECT_TRUE(at::equal(table.*column, scored.*column));
  EXPECT_EQ(scored.score[planted].item<float>(), 0);
}

TEST(Locate, RefusesAPartOfOneClass) {
  World world;
  for (ProbeText& text : world.texts)
    if (world.split.part_of[static_cast<std::size_t>(text.question)] == SplitPart::val) text.label = true;
  try {
    static_cast<void>(world.table());
    FAIL() << "one class accepted";
  } catch (const BadInput& error) {
    EXPECT_STREQ(
        error.what(),
        "probe: the texts of the part 'val' hold 32 correct and 0 incorrect answers; at least one of each is "
        "needed");
  }
}

TEST(Ranking, BreaksTiesByLogLossThenByPlace) {
  HeadTable table;
  table.score = at::tensor({0.5F, 0.9F, 0.9F, 0.5F, 0.9F, 0.5F});
  table.log_loss = at::tensor({0.7F, 0.4F, 0.3F, 0.7F, 0.4F, 0.6F});
  EXPECT_THAT(table.ranking(3),
              testing::ElementsAre(Head{0, 2}, Head{0, 1}, Head{1, 1}, Head{1, 2}, Head{0, 0}, Head{1, 0}));
}

TEST(Capture, CallsTogetherHoldTheLastTokensOutputsOfEveryText) {
  const auto folder = std::filesystem::path(HEADSWEEP_ROOT) / "jobs" / "tinyworld";
  const Weights weights = load_weights(folder, read_config(folder), {});
  std::vector<ProbeText> texts;
  for (int i = 0; i < 7; ++i) {
    texts.push_back({.question = i, .label = false, .ids = {1}});
    for (int token = 0; token < 5 + i; ++token) texts.back().ids.push_back(3 + (i * 17 + token * 31) % 300);
  }
  ASSERT_EQ(capture_calls(texts.size(), 3), 3);
  EXPECT_EQ(capture_calls(6, 3), 2);
  EXPECT_EQ(capture_calls(0, 3), 0);
  std::vector<at::Tensor> outputs;
  for (int call = 0; call < 3; ++call) outputs.push_back(capture(weights, texts, 3, call));
  const at::Tensor together = at::cat(outputs);
  ASSERT_EQ(together.sizes(), (std::vector<std::int64_t>{7, 8, 128}));
  for (std::int64_t i = 0; i < 7; ++i) {
    const TokenBatch alone =
        pack({{.prompt = texts[static_cast<std::size_t>(i)].ids, .answers = {}}}, Keep::last, at::kCPU);
    for (int layer = 0; layer < 8; ++layer) {
      const at::Tensor expected = run_prefix(weights, alone, layer).outputs[-1];
      const double difference = (together[i][layer] - expected).norm().item<double>();
      EXPECT_LT(difference, 1e-5 * expected.norm().item<double>()) << "text " << i << " layer " << layer;
    }
  }
}

}  // namespace
}  // namespace headsweep
