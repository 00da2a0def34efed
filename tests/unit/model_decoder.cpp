// model: generation with a cache against the plain forward of the whole texts, rows dropped on the way; its
// attention.
#include <gtest/gtest.h>

#include <limits>

#include "model/cached.hpp"
#include "unit/devices.hpp"
#include "unit/model_support.hpp"

namespace headsweep {
namespace {

using namespace model_test;

constexpr int prompts_count = 6;

/// Prompts of 1 to 23 tokens; some edits start late.
std::vector<TokenTree> random_prompts() {
  std::vector<TokenTree> prompts = without_answers(random_trees(prompts_count));
  for (TokenTree& prompt : prompts)
    prompt.edit_start = std::min<int>(prompt.edit_start, static_cast<int>(prompt.prompt.size()));
  return prompts;
}

/// A row of the decoder with its text so far.
struct Line {
  std::int64_t lane = 0;
  plain::Text text;
};

class ModelDecoder : public testing::Test {
 protected:
  ModelDecoder() { at::set_num_threads(1); }
  [[nodiscard]] static std::vector<Line> lines_of(const std::vector<TokenTree>& prompts,
                                                  const LaneEdits& edits) {
    std::vector<Line> lines;
    for (int lane = 0; lane < edits.lanes; ++lane)
      for (const TokenTree& prompt : prompts) lines.push_back({lane, {prompt.prompt, prompt.edit_start}});
    return lines;
  }
  /// The decoder's distributions of all rows against those of their texts run anew: largest difference, nats.
  [[nodiscard]] double difference(const Decoder& decoder, const std::vector<Line>& lines,
                                  const LaneEdits& exact) const {
    const at::Tensor logits = decoder.logits().cpu();
    EXPECT_EQ(logits.sizes(), (std::vector<std::int64_t>{static_cast<std::int64_t>(lines.size()), 37}));
    double worst = 0;
    for (std::size_t row = 0; row < lines.size(); ++row) {
      const at::Tensor found = at::log_softmax(logits[static_cast<std::int64_t>(row)].to(at::kDouble), 0);
      const at::Tensor expected = plain_.log_probs(lines[row].text, exact, lines[row].lane)[-1];
      worst = std::max(worst, largest_difference(found, expected));
    }
    return worst;
  }
  const Weights weights_ = random_weights();
  const plain::Forward plain_{weights_};
  const std::vector<TokenTree> prompts_ = random_prompts();
  const TokenBatch packed_ = pack(prompts_, Keep::last, at::kCPU);
};

/// The parameter counts edit_sets(); one more: no edits.
class ModelDecoderEdited : public ModelDecoder, public testing::WithParamInterface<int> {
 protected:
  const LaneEdits edits_ =
      GetParam() < static_cast<int>(edit_sets().size()) ? edits_of_set(GetParam()) : LaneEdits{2, {}};
  void compare(const std::vector<TokenTree>& prompts, at::Device device) const;
};

/// Which of so many rows go on before step `step`: all, two in three, every second, all but the first, the
/// last.
std::vector<std::int64_t> kept_rows(int step, std::int64_t rows) {
  std::vector<std::int64_t> kept;
  for (std::int64_t row = 0; row < rows; ++row) {
    const bool goes_on[] = {true, row % 3 != 1, row % 2 == 0, row != 0, row == rows - 1};
    if (goes_on[step]) kept.push_back(row);
  }
  return kept;
}

void ModelDecoderEdited::compare(const std::vector<TokenTree>& prompts, at::Device device) const {
  const LaneEdits exact = plain::in_double(edits_);
  const Weights weights = on(weights_, device);
  const TokenBatch packed = pack(prompts, Keep::last, device, Starts::joined);
  std::vector<Line> lines = lines_of(prompts, edits_);
  Random random(0, "continuations");
  const int room = 5;
  Decoder decoder(weights, packed, on(edits_, device), room);
  EXPECT_LT(difference(decoder, lines, exact), 1e-5) << "after the prompts";
  for (int step = 0; step < room; ++step) {
    const std::vector<std::int64_t> kept = kept_rows(step, static_cast<std::int64_t>(lines.size()));
    std::vector<Line> still;
    for (const std::int64_t row : kept) still.push_back(lines[static_cast<std::size_t>(row)]);
    lines = still;
    if (step > 0) {
      const at::Tensor before = decoder.logits();
      decoder.keep(kept);
      EXPECT_LT(largest_difference(decoder.logits(), before.index_select(0, at::tensor(kept).to(device))),
                1e-5);
    }
    const std::vector<int> ids = random_ids(static_cast<int>(lines.size()), random);
    for (std::size_t row = 0; row < lines.size(); ++row) lines[row].text.ids.push_back(ids[row]);
    decoder.step(at::tensor(ids, at::kLong).to(device));
    EXPECT_LT(difference(decoder, lines, exact), 1e-5) << "after step " << step;
  }
  EXPECT_THROW(decoder.step(at::zeros({1}, at::kLong)), std::logic_error) << "no room is left";
}

TEST_P(ModelDecoderEdited, EqualsTheForwardOfWholeTextsAsRowsEnd) {
  for (const at::Device device : devices_here()) {
    SCOPED_TRACE(device.str());
    compare(prompts_, device);
  }
}

TEST_P(ModelDecoderEdited, EqualsItWherePromptsShareTheirStart) {
  for (const bool edited_start : {false, true}) {
    std::vector<TokenTree> prompts = without_answers(trees_with_common_start(prompts_count, edited_start));
    for (TokenTree& prompt : prompts)
      prompt.edit_start = std::min<int>(prompt.edit_start, static_cast<int>(prompt.prompt.size()));
    ASSERT_EQ(shared_start(prompts), 17);
    for (const at::Device device : devices_here()) {
      SCOPED_TRACE(device.str());
      compare(prompts, device);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, ModelDecoderEdited,
                         testing::Range(0, static_cast<int>(edit_sets().size()) + 1), [](const auto& set) {
                           return set.param < static_cast<int>(edit_sets().size()) ? set_name(set.param)
                                                                                   : "Unedited";
                         });

TEST_F(ModelDecoder, ALaneThatFailsFailsAlone) {
  const LaneEdits edits = mixed_edits();
  LaneEdits broken = edits;
  broken.layers[1].write = edits.layers.at(1).write.clone();
  broken.layers[1].write[1].fill_(std::numeric_limits<double>::quiet_NaN());
  Decoder sound(weights_, packed_, edits, 2), hurt(weights_, packed_, broken, 2);
  for (int token = 0; token < 2; ++token) {
    const at::Tensor ids = sound.logits().argmax(-1);
    sound.step(ids);
    hurt.step(ids);
    const at::Tensor expected = sound.logits().view({3, prompts_count, 37}),
                     found = hurt.logits().view({3, prompts_count, 37});
    for (const int lane : {0, 2}) EXPECT_TRUE(at::equal(found[lane], expected[lane]));
    EXPECT_TRUE(found[1].isnan().all().item<bool>());
  }
}

TEST_F(ModelDecoder, RefusesMoreThanTheModelsLongestText) {
  EXPECT_THROW(Decoder(weights_, packed_, {}, 64 - 23 + 1), std::logic_error);
  EXPECT_NO_THROW(Decoder(weights_, packed_, {}, 64 - 23));
}

// ---- attention to the cache

struct CachedShape {
  const char* name;
  int heads, kv_heads, width;
  bool shared;  ///< the prompts' keys are the same for all lanes
  at::ScalarType number;
};

class ModelCached : public testing::TestWithParam<CachedShape> {};

TEST_P(ModelCached, EqualsPlainSums) {
  at::set_num_threads(1);
  const auto [name, heads, kv_heads, width, shared, number] = GetParam();
  ModelConfig config = small_config();
  config.heads = heads;
  config.kv_heads = kv_heads;
  config.head_dim = width;
  const std::vector<TokenTree> texts = random_prompts();
  const TokenBatch prompts = pack(texts, Keep::last, at::kCPU);
  constexpr std::int64_t lanes = 3, room = 4, generated = 3;
  const std::vector<std::int32_t> slots{1, 2, 5, 6, 8, 13, 14, 17};  // lane * prompts + prompt
  std::vector<std::int32_t> lane, first, length, first_of_lane, none(slots.size(), 0);
  for (const std::int32_t slot : slots) {
    const auto tree = static_cast<std::size_t>(slot % prompts_count);
    lane.push_back(slot / prompts_count);
    first.push_back(prompts.prompt_begin[tree]);
    first_of_lane.push_back(lane.back() * prompts.tokens + first.back());
    length.push_back(static_cast<std::int32_t>(texts[tree].prompt.size()));
  }
  Random random(0, "cache");
  const std::int64_t kv_width = std::int64_t{kv_heads} * width, rows = std::ssize(slots);
  const at::Tensor joined = draw({shared ? 1 : lanes, prompts.tokens, 3 * kv_width}, random, 2).to(number);
  const at::Tensor keys = draw({lanes * prompts_count, room, kv_width}, random, 2).to(number),
                   values = draw({lanes * prompts_count, room, kv_width}, random, 2).to(number);
  const at::Tensor asked = draw({rows, config.width() + 3}, random, 2).to(number);
  const auto attend_on = [&](at::Device device) {
    const auto numbers = [&](const std::vector<std::int32_t>& of_rows) {
      return at::tensor(of_rows).to(device);
    };
    const llama::DecoderRows there{numbers(lane),          numbers(slots), numbers(length), numbers(first),
                                   numbers(first_of_lane), numbers(none),  numbers(none),   {}};
    const at::Tensor beside = joined.to(device);
    const llama::LayerCache cache{beside.narrow(2, kv_width, kv_width),
                                  beside.narrow(2, 2 * kv_width, kv_width), keys.to(device),
                                  values.to(device)};
    return attend({config, prompts, there, generated}, cache, asked.to(device).narrow(1, 0, config.width()))
        .cpu();
  };
  std::vector<at::Tensor> expected;
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto at_row = static_cast<std::size_t>(row);
    const auto text_of = [&](std::int64_t part, const at::Tensor& own) {  // [H, S, D]
      const at::Tensor before = joined[shared ? 0 : lane[at_row]]
                                    .narrow(0, first[at_row], length[at_row])
                                    .narrow(1, part * kv_width, kv_width);
      return at::cat({before, own[slots[at_row]].narrow(0, 0, generated)})
          .to(at::kDouble)
          .unflatten(1, {kv_heads, width})
          .transpose(0, 1)
          .repeat_interleave(heads / kv_heads, 0);
    };
    const at::Tensor query = asked[row].narrow(0, 0, config.width()).to(at::kDouble).view({heads, width, 1});
    const at::Tensor shares = at::softmax(at::matmul(text_of(1, keys), query) / std::sqrt(width), 1);
    expected.push_back((shares * text_of(2, values)).sum(1).flatten());
  }
  for (const at::Device device : devices_here()) {
    const at::Tensor found = attend_on(device);
    for (std::int64_t row = 0; row < rows; ++row)
      EXPECT_LT(relative_difference(found[row], expected[static_cast<std::size_t>(row)]),
                number == at::kFloat ? 2e-6 : 8e-3)
          << "row " << row << " on " << device;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, ModelCached,
                         testing::Values(CachedShape{"Shared", 4, 2, 6, true, at::kFloat},
                                         CachedShape{"OwnLanes", 4, 1, 16, false, at::kFloat},
                                         CachedShape{"OwnKeys", 3, 3, 40, false, at::kFloat},
                                         CachedShape{"SharedBf16", 4, 1, 16, true, at::kBFloat16},
                                         CachedShape{"OwnLanesBf16", 4, 2, 6, false, at::kBFloat16}),
                         [](const auto& shape) { return shape.param.name; });

}  // namespace
}  // namespace headsweep
