// eval: greedy answers of lanes against a plain loop that runs the whole text again for every token.
#include <gtest/gtest.h>

#include <set>

#include "unit/eval_world.hpp"

namespace headsweep {
namespace {

using namespace eval_test;

/// The built-in model and prompts of 3 to 14 tokens.
struct Prompts {
  explicit Prompts(at::Device device = at::kCPU) : weights(on(world.weights, device)) { take(); }
  const World& world = eval_test::world();
  Weights weights;
  std::vector<std::vector<int>> ids;
  void take() {
    for (std::size_t i = 0; i < 8; ++i) {
      std::vector<int> prompt = world.documents[i % 6];
      prompt.resize(3 + 2 * (i / 2));
      ids.push_back(i % 2 == 0 ? world.prompts[i] : prompt);
    }
  }
  [[nodiscard]] auto answers(const LaneEdits& edits, const GenerateOptions& options) const {
    return generate(weights, *world.tokenizer, ids, on(edits, weights.device()), options);
  }
};

/// Tokens, each the likeliest after all before it; at most `most`, with whatever ends an answer in the
/// middle.
std::vector<int> plain_tokens(std::vector<int> ids, EditFrom from, const LaneEdits& edit, int most) {
  const int start = edit_start(from, Purpose::generation, static_cast<int>(ids.size()));
  std::vector<int> generated;
  for (int token = 0; token < most; ++token) {
    const at::Tensor next = plain_log_probs(joined(ids, {0}), start, edit)[-1];
    generated.push_back(static_cast<int>(next.argmax().item<std::int64_t>()));
    ids.push_back(generated.back());
  }
  return generated;
}

class Generate : public testing::TestWithParam<EditFrom> {};

void expect_plain_loop(at::Device device, EditFrom from) {
  SCOPED_TRACE(device.str());
  const Prompts prompts(device);
  const LaneEdits edits = three_lanes();
  constexpr int most = 7;
  const auto answers =
      prompts.answers(edits, {.max_new_tokens = most, .stop = "", .from = from, .questions = 3});
  const auto unedited = prompts.answers({}, {.max_new_tokens = most, .stop = "", .questions = 3});
  int changed = 0;
  ASSERT_EQ(answers.size(), 3U);
  for (std::size_t lane = 0; lane < 3; ++lane) {
    ASSERT_EQ(answers[lane].size(), prompts.ids.size());
    for (std::size_t i = 0; i < prompts.ids.size(); ++i) {
      const LaneEdits edit = lane_of(edits, static_cast<std::int64_t>(lane));
      const std::vector<int> expected = plain_tokens(prompts.ids[i], from, edit, most);
      EXPECT_EQ(answers[lane][i].ids, expected) << "lane " << lane << " prompt " << i;
      EXPECT_EQ(answers[lane][i].text, prompts.world.tokenizer->decode(expected));
      changed += answers[lane][i].ids != unedited[0][i].ids ? 1 : 0;
    }
  }
  EXPECT_GT(changed, 6) << "edits too weak to test anything";
}

TEST_P(Generate, EqualsAPlainLoopInEveryLane) {
  for (const at::Device device : devices_here()) expect_plain_loop(device, GetParam());
}

/// Rows end at the stop text, one after another; those that go on do not notice.
TEST_P(Generate, RowsThatEndLeaveTheOthersAlone) {
  const Prompts prompts;
  const LaneEdits edits = three_lanes();
  constexpr int most = 10;
  const auto answers =
      prompts.answers(edits, {.max_new_tokens = most, .stop = ".", .from = GetParam(), .questions = 4});
  std::set<std::size_t> lengths;
  for (std::size_t lane = 0; lane < 3; ++lane)
    for (std::size_t i = 0; i < prompts.ids.size(); ++i) {
      const LaneEdits edit = lane_of(edits, static_cast<std::int64_t>(lane));
      std::vector<int> expected;
      for (const int id : plain_tokens(prompts.ids[i], GetParam(), edit, most)) {
        expected.push_back(id);
        if (prompts.world.tokenizer->decode(expected).find('.') != std::string::npos) break;
      }
      EXPECT_EQ(answers[lane][i].ids, expected) << "lane " << lane << " prompt " << i;
      lengths.insert(expected.size());
    }
  EXPECT_GT(lengths.size(), 3U) << "too few lengths to test anything";
}

INSTANTIATE_TEST_SUITE_P(From, Generate,
                         testing::Values(EditFrom::all, EditFrom::last_prompt, EditFrom::iti_code));

TEST(GenerateEnds, AfterTheStopTextAtTheEndTokenOrAtTheLimit) {
  Prompts prompts;
  const auto long_answers = prompts.answers({}, {.max_new_tokens = 12, .stop = ""});
  const auto stopped = prompts.answers({}, {.max_new_tokens = 12, .stop = "."});
  prompts.weights.config.ends = {1, prompts.world.tokenizer->encode(".", "test").back()};
  const auto ended = prompts.answers({}, {.max_new_tokens = 12, .stop = ""});
  int cut = 0;
  for (std::size_t i = 0; i < prompts.ids.size(); ++i) {
    const std::vector<int>& all = long_answers[0][i].ids;
    ASSERT_EQ(all.size(), 12U);
    const auto end = std::find(all.begin(), all.end(), prompts.weights.config.ends.back());
    const bool found = end != all.end();
    cut += found ? 1 : 0;
    EXPECT_EQ(ended[0][i].ids, std::vector<int>(all.begin(), end));
    EXPECT_EQ(ended[0][i].end >= 0, found);
    EXPECT_EQ(ended[0][i].text, prompts.world.tokenizer->decode(ended[0][i].ids));
    EXPECT_EQ(stopped[0][i].ids, std::vector<int>(all.begin(), found ? end + 1 : end));
    EXPECT_EQ(stopped[0][i].end, -1);
    if (found) EXPECT_EQ(stopped[0][i].text.back(), '.');
  }
  EXPECT_GT(cut, 3);
}

TEST(GenerateEnds, InsideATokenTheTextIsCutAfterTheStop) {
  const Prompts prompts;
  const auto whole = prompts.answers({}, {.max_new_tokens = 2, .stop = ""}),
             cut = prompts.answers({}, {.max_new_tokens = 2, .stop = "h"});
  int inside = 0;
  for (std::size_t i = 0; i < prompts.ids.size(); ++i) {
    const std::size_t at = whole[0][i].text.find('h');
    EXPECT_EQ(cut[0][i].text,
              at == std::string::npos ? whole[0][i].text : whole[0][i].text.substr(0, at + 1));
    inside += at != std::string::npos && at + 1 < whole[0][i].text.size() ? 1 : 0;
  }
  EXPECT_GT(inside, 0);
}

/// A row with marks ends after the first token that makes its cut final, and its tokens are kept up to there.
TEST(GenerateEnds, AsSoonAsTheCutOfTheMarksIsFinal) {
  const Prompts prompts;
  const auto whole = prompts.answers({}, {.max_new_tokens = 12, .stop = ""});
  const AnswerMarks marks{.after = "is", .before = "."};
  const auto cut = prompts.answers({}, {.max_new_tokens = 12, .stop = "", .marks = marks});
  int shorter = 0;
  for (std::size_t i = 0; i < prompts.ids.size(); ++i) {
    const std::vector<int>& all = whole[0][i].ids;
    std::vector<int> expected;
    for (const int id : all) {
      expected.push_back(id);
      if (cut_is_final(prompts.world.tokenizer->decode(expected), marks)) break;
    }
    EXPECT_EQ(cut[0][i].ids, expected);
    EXPECT_EQ(cut[0][i].text, cut_answer(prompts.world.tokenizer->decode(all), marks));
    shorter += expected.size() < all.size() ? 1 : 0;
  }
  EXPECT_GT(shorter, 3);
}

TEST(GenerateEnds, TicksOnceATokenUntilAllAreFinished) {
  const Prompts prompts;
  int ticks = 0;
  const auto answers =
      generate(prompts.world.weights, *prompts.world.tokenizer, {prompts.ids[0], prompts.ids[2]}, {},
               {.max_new_tokens = 40, .stop = ".", .tick = [&] { ++ticks; }});
  const std::size_t longest = std::max(answers[0][0].ids.size(), answers[0][1].ids.size());
  EXPECT_LT(longest, 40U);
  EXPECT_EQ(ticks, static_cast<int>(longest));
}

}  // namespace
}  // namespace headsweep
