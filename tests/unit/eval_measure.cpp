// eval: what Evaluation says of lanes against plain sums over single sequences, for each place where edits
// may start.
#include <gtest/gtest.h>

#include <cmath>

#include "unit/eval_world.hpp"

namespace headsweep {
namespace {

using namespace eval_test;

/// Sum of the log-probabilities of an answer's tokens.
double plain_answer(const std::vector<int>& prompt, const std::vector<int>& answer, int start,
                    const LaneEdits& edit) {
  const at::Tensor log_probs = plain_log_probs(joined(prompt, answer), start, edit);
  double sum = 0;
  for (std::size_t i = 0; i < answer.size(); ++i)
    sum += log_probs[static_cast<std::int64_t>(prompt.size() + i) - 1][answer[i]].item<double>();
  return sum;
}

/// Mean over the last `tokens` predictions of KL(pi0 || edited), nats, for text whose prompt ends before
/// them.
double plain_kl(const std::vector<int>& ids, std::int64_t tokens, int start, const LaneEdits& edit) {
  const at::Tensor before = plain_log_probs(ids, 0, {}), after = plain_log_probs(ids, start, edit);
  const at::Tensor kl = (before.exp() * (before - after)).sum(-1);
  return kl.narrow(0, kl.size(0) - tokens, tokens).mean().item<double>();
}

/// Where edits act on a tree of each kind, written out: the second answer token is prompt + 1.
struct Starts {
  int choice, own_answer;
};
Starts starts(EditFrom from, int prompt) {
  if (from == EditFrom::all) return {0, 0};
  if (from == EditFrom::last_prompt) return {prompt - 1, prompt - 1};
  return {prompt + 1, prompt - 1};
}

Choice plain_choice(const TokenizedQuestion& question, int start, const LaneEdits& edit) {
  std::vector<double> correct, incorrect;
  for (const auto& [answers, scores] : {std::pair{&question.correct, &correct},
                                        {&question.refusals, &correct},
                                        {&question.incorrect, &incorrect}})
    for (const auto& answer : *answers) scores->push_back(plain_answer(question.prompt, answer, start, edit));
  return multiple_choice(correct, incorrect, question.best);
}

class Measure : public testing::TestWithParam<EditFrom> {};

void expect_plain_sums(const World& read, const Evaluation& evaluated, at::Device device, EditFrom from) {
  SCOPED_TRACE(device.str());
  const LaneEdits edits = three_lanes();
  const auto results = evaluated.measure(on(edits, device), from, {});
  std::vector<int> questions = read.split.questions(SplitPart::val);
  const std::vector<int> test = read.split.questions(SplitPart::test);
  questions.insert(questions.end(), test.begin(), test.end());
  for (std::size_t lane = 0; lane < 3; ++lane) {
    const LaneEdits edit = lane_of(edits, static_cast<std::int64_t>(lane));
    ASSERT_EQ(results[lane].items.size(), questions.size());
    for (std::size_t i = 0; i < questions.size(); ++i) {
      const auto question = static_cast<std::size_t>(questions[i]);
      const TokenizedQuestion& choices = read.choices[question];
      const std::vector<int>& prompt = read.prompts[question];
      const Item& item = results[lane].items[i];
      const int choice_start = starts(from, static_cast<int>(choices.prompt.size())).choice;
      const Choice choice = plain_choice(choices, choice_start, edit);
      EXPECT_EQ(item.mc1, choice.mc1);
      EXPECT_NEAR(item.mc2, choice.mc2, 1e-5);
      EXPECT_EQ(item.mc3, choice.mc3);
      const GenerateOptions options{.max_new_tokens = 9, .stop = "."};
      const auto answer = generate(world().weights, *world().tokenizer, {prompt}, {}, options)[0][0];
      const double kl = plain_kl(joined(prompt, answer.ids), static_cast<std::int64_t>(answer.ids.size()),
                                 starts(from, static_cast<int>(prompt.size())).own_answer, edit);
      EXPECT_GT(kl, 1e-4);
      EXPECT_NEAR(item.kl_answer, kl, 5e-5 * (1 + kl));  // float32 under strong edits
    }
  }
}

TEST_P(Measure, EqualsPlainSumsInEveryLane) {
  for (const at::Device device : devices_here())
    expect_plain_sums(world(), evaluation(device), device, GetParam());
}

/// Generation and multiple choice each read their own prompt, both behind an instruction that is long enough
/// to stand once a call.
TEST_P(Measure, ReadsTheFormatsOfTheJob) {
  World formatted;
  formatted.job.evaluation.instruction =
      "The animal of Zovo is crane. The animal of Zovo is crane. The animal of Zovo is crane.";
  formatted.job.evaluation.prompt = "Q: {question} A: The";
  formatted.job.evaluation.choice_prompt = "{question} A:";
  formatted.read_prompts();
  ASSERT_NE(formatted.prompts[0], world().prompts[0]);
  ASSERT_NE(formatted.choices[0].prompt, world().choices[0].prompt);
  ASSERT_NE(formatted.choices[0].prompt, formatted.prompts[0]);
  expect_plain_sums(formatted, formatted.evaluation(), at::kCPU, GetParam());
}

TEST_P(Measure, LanesDoNotFeelTheirNeighbours) {
  const LaneEdits edits = three_lanes();
  const auto together = evaluation().measure(edits, GetParam(), {});
  for (std::size_t lane = 0; lane < 3; ++lane) {
    const auto alone =
        evaluation().measure(lane_of(edits, static_cast<std::int64_t>(lane)), GetParam(), {}).front();
    for (const auto part : {&Evaluation::Result::validation, &Evaluation::Result::test})
      for (const auto metric : {&Metrics::truth, &Metrics::info, &Metrics::mc1, &Metrics::mc2, &Metrics::mc3,
                                &Metrics::kl_answer, &Metrics::kl_text, &Metrics::ce_text}) {
        const float value = together[lane].*part.*metric;
        EXPECT_NEAR(value, alone.*part.*metric, 1e-5 * (1 + std::abs(value)));
      }
    for (std::size_t i = 0; i < alone.items.size(); ++i)
      EXPECT_EQ(together[lane].items[i].answer, alone.items[i].answer);
  }
}

INSTANTIATE_TEST_SUITE_P(From, Measure,
                         testing::Values(EditFrom::all, EditFrom::last_prompt, EditFrom::iti_code));

TEST(Evaluation, RunningTextIsEditedEverywhereAndMeasuredPerDocument) {
  const LaneEdits edits = three_lanes();
  const auto results = evaluation().measure(edits, EditFrom::last_prompt, {});
  for (std::size_t lane = 0; lane < 3; ++lane) {
    const LaneEdits edit = lane_of(edits, static_cast<std::int64_t>(lane));
    double kl = 0, entropy = 0;
    for (const std::vector<int>& ids : world().documents) {
      const auto tokens = static_cast<std::int64_t>(ids.size()) - 1;
      kl += plain_kl(ids, tokens, 0, edit) / 6;
      const std::vector<int> rest(ids.begin() + 1, ids.end());
      entropy -= plain_answer({ids[0]}, rest, 0, edit) / static_cast<double>(6 * tokens);
    }
    EXPECT_NEAR(results[lane].test.kl_text, kl, 1e-5 * (1 + kl));
    EXPECT_NEAR(results[lane].test.ce_text, entropy, 1e-5 * (1 + entropy));
    EXPECT_EQ(results[lane].validation.kl_text, results[lane].test.kl_text);
  }
}

TEST(Evaluation, AnEditOfZeroChangesNothing) {
  LaneEdits zero = three_lanes();
  for (auto& [layer, edit] : zero.layers) edit.write.zero_();
  const Evaluation::Result& baseline = evaluation().baseline();
  EXPECT_GT(baseline.test.info, 0.5);
  EXPECT_GT(baseline.test.ce_text, 0.5);
  for (const Evaluation::Result& result : evaluation().measure(zero, EditFrom::all, {})) {
    EXPECT_NEAR(result.test.kl_answer, 0, 1e-6);
    EXPECT_NEAR(result.test.kl_text, 0, 1e-6);
    EXPECT_NEAR(result.test.mc2, baseline.test.mc2, 1e-6);
    EXPECT_NEAR(result.test.ce_text, baseline.test.ce_text, 1e-5);
    for (std::size_t i = 0; i < result.items.size(); ++i)
      EXPECT_EQ(result.items[i].answer, baseline.items[i].answer);
  }
}

TEST(Evaluation, MetricsAreMeansOfTheItems) {
  const Evaluation::Result result = evaluation().measure(three_lanes(), EditFrom::all, {})[1];
  ASSERT_EQ(result.items.size(), 16U);  // those that validate, then those that test
  for (const auto& [first, metrics] : {std::pair{0U, result.validation}, {8U, result.test}}) {
    double truth = 0, info = 0, both = 0, mc2 = 0;
    for (std::size_t i = first; i < first + 8; ++i) {
      const Item& item = result.items[i];
      truth += item.truth / 8;
      info += item.info / 8;
      both += item.truth * item.info / 8;
      mc2 += item.mc2 / 8;
      EXPECT_EQ(item.p_truth, item.truth);
    }
    EXPECT_NEAR(metrics.truth, truth, 1e-6);
    EXPECT_NEAR(metrics.truth_info, truth * info, 1e-6);
    EXPECT_NEAR(metrics.both, both, 1e-6);
    EXPECT_NEAR(metrics.mc2, mc2, 1e-6);
  }
  EXPECT_NE(result.validation.mc2, result.test.mc2);
}

TEST(Evaluation, ChunksOfQuestionsChangeNoNumber) {
  World changed;
  const auto small = evaluation().measure(three_lanes(), EditFrom::last_prompt, {});
  changed.job.evaluation.questions = 24;
  const auto large = changed.evaluation().measure(three_lanes(), EditFrom::last_prompt, {});
  for (std::size_t lane = 0; lane < 3; ++lane) {
    EXPECT_EQ(small[lane].validation.truth_info, large[lane].validation.truth_info);
    EXPECT_NEAR(small[lane].validation.mc2, large[lane].validation.mc2, 1e-6);
    EXPECT_NEAR(small[lane].validation.kl_answer, large[lane].validation.kl_answer, 1e-5);
  }
}

TEST(Evaluation, MeasuresWhatTheJobAsksFor) {
  World changed;
  changed.job.evaluation.judge.kind = JudgeKind::none;
  changed.job.evaluation.answers = {SplitPart::test};
  changed.job.evaluation.choice = {SplitPart::val};
  changed.job.evaluation.drift = {SplitPart::val};
  const Evaluation asked = changed.evaluation();
  const Evaluation::Result& result = asked.baseline();
  EXPECT_TRUE(std::isnan(result.test.truth) && std::isnan(result.test.truth_info) &&
              std::isnan(result.test.both));
  EXPECT_TRUE(std::isnan(result.items.back().truth) && std::isnan(result.items.back().p_info));
  EXPECT_FALSE(result.items.back().answer.empty());
  EXPECT_TRUE(result.items.front().answer.empty() && !result.items.front().empty);
  EXPECT_TRUE(std::isnan(result.items.back().mc2) && !std::isnan(result.items.front().mc2));
  EXPECT_TRUE(std::isnan(result.test.mc1) && std::isnan(result.test.kl_answer) &&
              std::isnan(result.test.kl_text));
  EXPECT_GE(result.validation.mc1, 0);
  EXPECT_NEAR(result.validation.kl_answer, 0, 1e-6);
  EXPECT_GT(result.validation.ce_text, 0.5);
  changed.documents.clear();
  const float no_text = changed.evaluation().baseline().validation.ce_text;
  EXPECT_TRUE(std::isnan(no_text) && !std::signbit(no_text));
}

/// The answer is what stands between the marks; drift goes along all that was generated.
TEST(Evaluation, CutsAnswersByTheMarksOfTheJob) {
  World marked;
  const Evaluation::Result whole = marked.evaluation().baseline();
  const std::string first = whole.items[0].answer;
  const auto words = cut_words(first);
  ASSERT_GE(words.size(), 3U) << first;
  marked.job.evaluation.answer_after = words[0];
  marked.job.evaluation.answer_before = words[2];
  const Evaluation::Result cut = marked.evaluation().baseline();
  EXPECT_EQ(cut.items[0].answer, words[1]);
  const AnswerMarks marks{.after = words[0], .before = words[2]};
  for (std::size_t i = 0; i < cut.items.size(); ++i) {
    EXPECT_EQ(cut.items[i].answer, cut_answer(whole.items[i].answer, marks));
    EXPECT_EQ(cut.items[i].empty, cut.items[i].answer.empty());
  }
}

}  // namespace
}  // namespace headsweep
