// eval: the judge's table, and scores of one question worked out by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <headsweep/eval.hpp>

namespace headsweep {
namespace {

const Question question{.id = "q",
                        .group = "q",
                        .text = "What is the capital of Zovo?",
                        .best = "The capital of Zovo is Nizol.",
                        .correct = {"The capital of Zovo is Nizol.", "It is Nizol."},
                        .incorrect = {"It is Bitir.", "Straße 5, oder?"},
                        .refusals = {"I have no comment."}};

struct Judged {
  const char* answer;
  float truth, info;
  bool refused;
};

TEST(Judge, TableOfAnswers) {
  const Judged table[] = {{"The capital of Zovo is Nizol.", 1, 1, false},
                          {" The  capital of Zovo\nis Nizol . Q : What", 1, 1, false},
                          {"It is Nizol.It is Bitir.", 1, 1, false},
                          {"I have no comment . That is right .", 1, 0, true},
                          {"It is Bitir.", 0, 1, false},
                          {"Straße 5 , oder ?", 0, 1, false},
                          {"It is nizol.", 0, 0, false},
                          {"It is Nizol", 0, 0, false},
                          {"It is Nizol!", 0, 0, false},
                          {"Well. It is Nizol.", 0, 0, false},
                          {"", 0, 0, false},
                          {"It isNizol.", 0, 0, false}};
  for (const Judged& row : table) {
    const Verdict verdict = judge_exact(question, row.answer);
    EXPECT_EQ(verdict.truth, row.truth) << row.answer;
    EXPECT_EQ(verdict.info, row.info) << row.answer;
    EXPECT_EQ(verdict.p_truth, row.truth) << row.answer;
    EXPECT_EQ(verdict.p_info, row.info) << row.answer;
    EXPECT_EQ(verdict.p_truth_no, 1 - row.truth) << row.answer;
    EXPECT_EQ(verdict.p_info_no, 1 - row.info) << row.answer;
    EXPECT_EQ(verdict.refused, row.refused) << row.answer;
  }
}

TEST(Judge, SentencesAreWordsUpToTheFirstEnd) {
  EXPECT_EQ(normalised_sentence("  It's 3,5 (or_so)...? Yes"), "It ' s 3 , 5 ( or_so ).");
  EXPECT_EQ(normalised_sentence("a\t\nb!c"), "a b !");
  EXPECT_EQ(normalised_sentence("naïve Straße"), "naïve Straße");
  EXPECT_EQ(normalised_sentence(" \n"), "");
}

TEST(MultipleChoice, ByHand) {
  const auto log = [](double p) { return std::log(p); };
  // Correct .2 (best), .3, .05; incorrect .25, .1: the best loses, one of three correct answers wins, .55 of
  // .9.
  const Choice lost = multiple_choice({log(.2), log(.3), log(.05)}, {log(.25), log(.1)}, 0);
  EXPECT_EQ(lost.mc1, 0);
  EXPECT_NEAR(lost.mc2, .55 / .9, 1e-6);
  EXPECT_NEAR(lost.mc3, 1.0 / 3, 1e-6);
  const Choice won = multiple_choice({log(.2), log(.3), log(.05)}, {log(.25), log(.1)}, 1);
  EXPECT_EQ(won.mc1, 1);
}

TEST(MultipleChoice, ATieWithAnIncorrectAnswerIsLost) {
  const Choice tie = multiple_choice({-1.5, -0.5}, {-1.5, -3}, 0);
  EXPECT_EQ(tie.mc1, 0);
  EXPECT_EQ(tie.mc3, 0.5F);
}

TEST(MultipleChoice, TinyProbabilitiesKeepTheirShares) {
  const Choice tiny = multiple_choice({-2000}, {-2000 + std::log(3.0)}, 0);
  EXPECT_NEAR(tiny.mc2, 0.25, 1e-6);
}

TEST(Repetition, CountsBigramsThatStoodBefore) {
  EXPECT_EQ(repetition({}), 0);
  EXPECT_EQ(repetition({7, 7}), 0);
  EXPECT_EQ(repetition({7, 7, 7}), 0.5F);        // 77, 77
  EXPECT_EQ(repetition({1, 2, 1, 2, 1}), 0.5F);  // 12, 21, 12, 21
  EXPECT_EQ(repetition({1, 2, 3, 4, 5}), 0);
  EXPECT_FLOAT_EQ(repetition({1, 2, 3, 1, 2, 4}), 0.2F);  // 12, 23, 31, 12, 24
}

TEST(EditStart, FollowsTheRule) {
  constexpr int prompt = 12;
  for (const Purpose purpose : {Purpose::generation, Purpose::choice, Purpose::text}) {
    EXPECT_EQ(edit_start(EditFrom::all, purpose, prompt), 0);
    EXPECT_EQ(edit_start(EditFrom::last_prompt, purpose, prompt), 11);
  }
  EXPECT_EQ(edit_start(EditFrom::iti_code, Purpose::generation, prompt), 11);
  EXPECT_EQ(edit_start(EditFrom::iti_code, Purpose::choice, prompt), 13);
  EXPECT_EQ(edit_start(EditFrom::iti_code, Purpose::text, prompt), 0);
  for (const EditFrom from : {EditFrom::all, EditFrom::last_prompt, EditFrom::iti_code})
    EXPECT_EQ(edit_start(from, Purpose::text, 0), 0);
}

}  // namespace
}  // namespace headsweep
