// plan: the power of a comparison: quantiles beside scipy's, numbers of the paper's test set, what is said of
// a job.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "unit/plan_job.hpp"

namespace headsweep {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(Power, QuantilesAreThoseOfTheNormalDistribution) {
  // scipy.stats.norm.ppf
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-15);
  EXPECT_NEAR(normal_quantile(0.8), 0.8416212335729143, 1e-14);
  EXPECT_NEAR(normal_quantile(0.95), 1.6448536269514722, 1e-14);
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-14);
  EXPECT_NEAR(normal_quantile(0.995), 2.5758293035489004, 1e-14);
  EXPECT_NEAR(normal_quantile(0.025), -1.959963984540054, 1e-14);
  EXPECT_NEAR(normal_quantile(1e-10), -6.361340902404056, 1e-13);
  EXPECT_NEAR(normal_quantile(1e-300), -37.0470962993612, 1e-11);
}

TEST(Power, OfDrawsIsTheSmallestRankP) {
  EXPECT_DOUBLE_EQ(smallest_p(16), 1.0 / 17);
  EXPECT_EQ(draws_for(0.05), 19);
  EXPECT_EQ(draws_for(0.01), 99);
  EXPECT_EQ(draws_for(0.001), 999);
  EXPECT_EQ(draws_for(0.06), 16);
  for (const double level : {0.5, 0.1, 0.05, 0.03, 0.01, 0.007, 1e-4}) {
    EXPECT_LE(smallest_p(draws_for(level)), level * (1 + 1e-9)) << level;
    EXPECT_GT(smallest_p(draws_for(level) - 1), level) << level;
  }
}

TEST(Power, OfQuestionsIsThatOfThePapersTestSet) {
  EXPECT_NEAR(detectable_difference(163, 0.05), 0.08777483594475094, 1e-14);
  EXPECT_NEAR(detectable_difference(817, 0.05), 0.03920602390292139, 1e-14);
  EXPECT_EQ(questions_to_detect(0.05, 0.05), 503);         // 502.33
  EXPECT_EQ(questions_to_detect(0.1, 0.01), 187);          // 186.86
  EXPECT_EQ(questions_for_equivalence(0.05, 0.05), 549);   // 548.1
  EXPECT_EQ(questions_for_equivalence(0.02, 0.01), 5207);  // 5206.9
  for (const double difference : {0.013, 0.05, 0.2}) {
    const int questions = questions_to_detect(difference, 0.05);
    EXPECT_LE(detectable_difference(questions, 0.05), difference);
    EXPECT_GT(detectable_difference(questions - 1, 0.05), difference);
  }
}

const std::string sets =
    "best: {top: {size: 3}}, like: {random: {matched_to: best, draws: 40}}, "
    "some: {random: {size: 3, draws: 16}}, pairs: {random: {size: 2, draws: 50}}, "
    "turned: {subspace: {of: best, draws: 8}}, every: all";
JobSpec job_of(const std::string& edits, const std::string& comparison) {
  JobSpec job =
      small_job(sets, edits, "evaluation: {drift: [val, test]}\ncomparison: {" + comparison + "}\n");
  job.behaviour.text = "text";
  return job;
}

TEST(Power, IsSaidOfEachClaimedSetBesideItsRandomOnes) {
  const JobSpec job = job_of(
      "optimal: {at: [best, some, like, pairs, turned], tau: [1]}, iti: {at: [best, like], alpha: [1], "
      "draws: 30}, "
      "optimal: {at: [some], tau: [2], draws: 10}, optimal: {at: [every], tau: [1], labels: swapped}",
      "primary: {claimed: best, among: like}");
  EXPECT_THAT(
      power_report(job, 163, 817),
      ElementsAre(
          "comparison: level 0.05, margin 0.05",
          "  optimal at best among like (primary): 40 draws, smallest p 0.0244",
          "  optimal at best among some: 16 draws, smallest p 0.0588",
          "  optimal at best among turned: 8 draws, smallest p 0.111",
          "  iti at best among like: 30 draws, smallest p 0.0323",
          "  163 test questions: a difference of 0.0878 between two locations is detected with 80 %, if they "
          "disagree on 16 % of the questions",
          "  a margin of 0.05 needs 503 questions: folds",
          "  equivalence within the margin, where there is no difference, is shown with 80 % only by 549 "
          "questions",
          "warning: optimal at best among some: 16 draws cannot give p <= 0.05, 19 can",
          "warning: optimal at best among some: strengths 1 of best, 1, 2 of some; only those of both are "
          "compared",
          "warning: optimal at best among turned: 8 draws cannot give p <= 0.05, 19 can"));
  const auto folded = power_report(job, 817, 817);
  EXPECT_THAT(folded,
              Contains("  equivalence within the margin, where there is no difference, is shown with 80 %"));
  EXPECT_THAT(folded, Not(Contains(HasSubstr("a margin of"))));
  EXPECT_THAT(power_report(job, 163, 400), Contains("  a margin of 0.05 needs 503 questions: more of them"));
}

TEST(Power, WarnsOfWhatHadBetterBeMended) {
  const std::string edits = "optimal: {at: [best, some, like], tau: [1]}";
  const auto warnings = [](const JobSpec& job) {
    std::vector<std::string> found;
    for (const std::string& line : power_report(job, 817, 817))
      if (line.starts_with("warning: ")) found.push_back(line.substr(9));
    return found;
  };
  EXPECT_THAT(warnings(job_of(edits, "level: 0.06")),
              ElementsAre("comparison.primary names no test of best; name one before results are seen"));
  EXPECT_THAT(
      warnings(job_of(edits, "level: 0.06, primary: {claimed: best, among: some}")),
      ElementsAre("comparison.primary: the sets of some lie in other layers than best; `matched_to: best` "
                  "draws them in the same"));
  EXPECT_THAT(warnings(job_of("optimal: {at: [best], tau: [1]}, optimal: {at: [like], tau: [2]}",
                              "primary: {claimed: best, among: like}")),
              ElementsAre("optimal at best among like (primary): strengths 1 of best, 2 of like: they share "
                          "none, so nothing is compared"));
  JobSpec job = job_of(edits, "level: 0.06, primary: {claimed: best, among: like}");
  EXPECT_THAT(warnings(job), ElementsAre());
  job.behaviour.text = "";
  EXPECT_THAT(warnings(job), ElementsAre(HasSubstr("behaviour.text names no running text")));
  job.evaluation.drift = {SplitPart::test};
  EXPECT_THAT(warnings(job), ElementsAre(HasSubstr("evaluation.drift lacks val")));
  EXPECT_THAT(
      power_report(job_of("optimal: {at: [some, pairs], tau: [1]}, lora: {at: [every], tau: [1]}", ""), 9, 9),
      ElementsAre())
      << "where nothing is claimed nothing is compared";
}

}  // namespace
}  // namespace headsweep
