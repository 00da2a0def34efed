// Splits: no group in two parts, shares to the group, folds that test each question once, leaks refused.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "unit/data_support.hpp"

namespace headsweep {
namespace {

constexpr std::array parts = {SplitPart::train, SplitPart::val, SplitPart::test};

/// Each question in one part, each group in one part, `questions` ascending and complete.
void expect_clean(const Behaviour& behaviour, const Split& split) {
  std::map<std::string, std::set<SplitPart>> parts_of_group;
  ASSERT_EQ(split.part_of.size(), behaviour.questions.size());
  for (std::size_t i = 0; i < split.part_of.size(); ++i)
    parts_of_group[behaviour.questions[i].group].insert(split.part_of[i]);
  for (const auto& [group, found] : parts_of_group) EXPECT_EQ(found.size(), 1U) << group;
  std::set<int> all;
  for (const SplitPart part : parts) {
    const std::vector<int> questions = split.questions(part);
    EXPECT_FALSE(questions.empty());
    EXPECT_TRUE(std::is_sorted(questions.begin(), questions.end()));
    for (const int question : questions) EXPECT_TRUE(all.insert(question).second);
  }
  EXPECT_EQ(all.size(), behaviour.questions.size());
}

TEST(Split, KeepsGroupsWholeAndSharesExact) {
  for (const int groups : {5, 7, 20, 163}) {
    const Behaviour behaviour = make_behaviour(groups * 3, 3);
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      const SplitSpec spec{.train = 0.6, .val = 0.2, .test = 0.2};
      const std::vector<Split> splits = make_splits(behaviour, spec, seed);
      ASSERT_EQ(splits.size(), 1U);
      expect_clean(behaviour, splits[0]);
      EXPECT_EQ(splits[0].questions(SplitPart::train).size(),
                3U * static_cast<unsigned>(std::lround(groups * 0.6)));
      EXPECT_LE(
          std::abs(static_cast<double>(splits[0].questions(SplitPart::val).size()) / 3.0 - groups * 0.2),
          1.0);
    }
  }
}

TEST(Split, GivesEachGroupItsShareOverSeeds) {
  const Behaviour behaviour = make_behaviour(20, 1);
  std::vector<int> tested(20, 0);
  for (std::uint64_t seed = 0; seed < 2000; ++seed)
    for (const int question : make_splits(behaviour, {}, seed)[0].questions(SplitPart::test))
      ++tested[static_cast<std::size_t>(question)];
  for (const int times : tested) EXPECT_NEAR(times, 400, 90);  // 5 standard deviations
}

TEST(Split, HangsOnSeedAndGroupsNotOnTheOrderOfTheFile) {
  const Behaviour behaviour = make_behaviour(60, 2);
  Behaviour reversed = behaviour;
  std::reverse(reversed.questions.begin(), reversed.questions.end());
  const SplitSpec spec{.folds = 5};
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto one = make_splits(behaviour, spec, seed), other = make_splits(reversed, spec, seed);
    for (std::size_t fold = 0; fold < one.size(); ++fold) {
      auto back = other[fold].part_of;
      std::reverse(back.begin(), back.end());
      EXPECT_EQ(one[fold].part_of, back);
    }
  }
  EXPECT_NE(make_splits(behaviour, spec, 0)[0].part_of, make_splits(behaviour, spec, 1)[0].part_of);
}

TEST(Folds, TestAndValidateEachQuestionOnce) {
  for (const auto& [groups, folds] : {std::pair{3, 3}, {5, 5}, {17, 5}, {100, 10}, {23, 4}}) {
    const Behaviour behaviour = make_behaviour(groups * 2, 2);
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
      const std::vector<Split> splits = make_splits(behaviour, {.folds = folds}, seed);
      ASSERT_EQ(splits.size(), static_cast<std::size_t>(folds));
      std::vector<int> tested(behaviour.questions.size(), 0), validated(tested);
      for (const Split& split : splits) {
        expect_clean(behaviour, split);
        for (const int q : split.questions(SplitPart::test)) ++tested[static_cast<std::size_t>(q)];
        for (const int q : split.questions(SplitPart::val)) ++validated[static_cast<std::size_t>(q)];
      }
      EXPECT_EQ(tested, std::vector<int>(tested.size(), 1));
      EXPECT_EQ(validated, tested);
      for (std::size_t f = 0; f < splits.size(); ++f)
        EXPECT_EQ(splits[f].questions(SplitPart::val),
                  splits[(f + 1) % splits.size()].questions(SplitPart::test));
    }
  }
}

TEST(Split, RefusesLeaksAndEmptyParts) {
  Behaviour leaking = make_behaviour(6, 2);
  leaking.questions[3].text = leaking.questions[2].text;  // the same group: allowed
  EXPECT_EQ(make_splits(leaking, {.folds = 3}, 0).size(), 3U);
  leaking.questions[4].text = leaking.questions[1].text;
  EXPECT_EQ(
      message_of([&] { make_splits(leaking, {.folds = 3}, 0); }),
      "made.jsonl:5: the question of line 2 again, in group 'group2' and not 'group0': it could stand in "
      "training and in test");
  const Behaviour small = make_behaviour(4, 2);
  EXPECT_EQ(message_of([&] { make_splits(small, {}, 0); }),
            "made.jsonl: shares 0.6, 0.2, 0.2 of 2 groups of questions leave none for test");
  EXPECT_EQ(message_of([&] { make_splits(small, {.folds = 3}, 0); }),
            "made.jsonl: 2 groups of questions, fewer than 3 folds");
  EXPECT_EQ(message_of([&] { make_splits(small, {.folds = 2}, 0); }),
            "made.jsonl: 2 folds, at least 3 are due: to train, validate and test");
  const Split no_test =
      make_splits(small, {.train = 0.5, .val = 0.5, .test = 0.0}, 0)[0];  // asked for: allowed
  EXPECT_TRUE(no_test.questions(SplitPart::test).empty());
  EXPECT_EQ(no_test.questions(SplitPart::val).size(), 2U);
}

}  // namespace
}  // namespace headsweep
