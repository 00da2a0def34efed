// plan: what a comparison can find: quantiles, the smallest p of so many draws, the difference that so many
// questions detect, and both said of a job before it is run.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <headsweep/plan.hpp>
#include <iterator>
#include <set>

namespace headsweep {
namespace {

constexpr double usual_power = 0.8;

/// The sum of quantiles that a two-sided test's difference is measured in.
double reach(double level) { return normal_quantile(1 - level / 2) + normal_quantile(usual_power); }

int questions_for(double standard_errors, double difference) {
  const double questions = std::pow(standard_errors * usual_spread / difference, 2);
  return static_cast<int>(std::min(std::ceil(questions), 2e9));
}

std::string rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

std::string listed(const std::set<double>& strengths) {
  std::string text;
  for (const double strength : strengths) text += cat(text.empty() ? "" : ", ", strength);
  return text;
}

/// A claimed set beside random ones under one kind of edit.
struct RankTest {
  EditKind edit = EditKind::optimal;
  const LocationSpec* claimed = nullptr;
  const LocationSpec* among = nullptr;
  int draws = 0;
  bool primary = false;
  [[nodiscard]] std::string text() const {
    return cat(to_text(edit), " at ", claimed->name, " among ", among->name, primary ? " (primary)" : "");
  }
};

class PowerReport {
 public:
  PowerReport(const JobSpec& job, int tested, int all)
      : job_(job), comparison_(job.comparison), tested_(tested), all_(all) {}

  std::vector<std::string> write() {
    const std::vector<const LocationSpec*> claimed = claimed_sets();
    if (claimed.empty()) return {};
    lines_.push_back(cat("comparison: level ", comparison_.level, ", margin ", comparison_.margin));
    const std::vector<RankTest> tests = rank_tests(claimed);
    for (const RankTest& test : tests)
      lines_.push_back(cat("  ", test.text(), ": ", test.draws, test.draws == 1 ? " draw" : " draws",
                           ", smallest p ", rounded(smallest_p(test.draws))));
    add_differences();
    if (comparison_.primary.claimed.empty())
      warn(cat("comparison.primary names no test of ", claimed.front()->name,
               "; name one before results are seen"));
    for (const RankTest& test : tests) {
      check(test);
      check_strengths(test);
    }
    check_caps();
    return std::move(lines_);
  }

 private:
  void warn(const std::string& text) { lines_.push_back("warning: " + text); }

  /// Entries of `edits` that do this kind of edit at a set, with true labels.
  [[nodiscard]] std::vector<const EditSpec*> entries_of(EditKind kind, const LocationSpec& set) const {
    std::vector<const EditSpec*> entries;
    for (const EditSpec& edit : job_.edits) {
      const bool there = std::find(edit.at.begin(), edit.at.end(), set.name) != edit.at.end();
      if (edit.kind == kind && edit.labels == Labels::truth && there) entries.push_back(&edit);
    }
    return entries;
  }
  /// Draws of a set, 1 of others, that these entries take.
  [[nodiscard]] int draws_of(EditKind kind, const LocationSpec& set) const {
    int draws = 0;
    for (const EditSpec* edit : entries_of(kind, set)) {
      const int own = std::max(1, set.draws);
      draws = std::max(draws, edit->draws > 0 ? std::min(edit->draws, own) : own);
    }
    return draws;
  }
  [[nodiscard]] std::set<double> strengths_of(EditKind kind, const LocationSpec& set) const {
    std::set<double> strengths;
    for (const EditSpec* edit : entries_of(kind, set))
      strengths.insert(edit->strengths.begin(), edit->strengths.end());
    return strengths;
  }
  [[nodiscard]] std::vector<const LocationSpec*> claimed_sets() const {
    std::vector<const LocationSpec*> sets;
    for (const LocationSpec& set : job_.locations) {
      const bool named = set.kind == LocationKind::top || set.kind == LocationKind::list;
      if (named && draws_of(EditKind::optimal, set) + draws_of(EditKind::iti, set) > 0) sets.push_back(&set);
    }
    return sets;
  }
  [[nodiscard]] bool is_primary(const RankTest& test) const {
    const PrimarySpec& primary = comparison_.primary;
    return test.edit == primary.edit && test.claimed->name == primary.claimed &&
           test.among->name == primary.among;
  }
  /// Random sets and subspaces matched to a claimed set, and random sets of as many heads.
  static bool compares(const LocationSpec& claimed, const LocationSpec& among) {
    if (!among.matched_to.empty()) return among.matched_to == claimed.name;
    const int size =
        claimed.kind == LocationKind::top ? claimed.size : static_cast<int>(claimed.heads.size());
    return among.kind == LocationKind::random && among.size == size;
  }
  [[nodiscard]] std::vector<RankTest> rank_tests(const std::vector<const LocationSpec*>& claimed) const {
    std::vector<RankTest> tests;
    for (const EditKind kind : {EditKind::optimal, EditKind::iti})
      for (const LocationSpec* one : claimed)
        for (const LocationSpec& among : job_.locations) {
          RankTest test{.edit = kind, .claimed = one, .among = &among, .draws = draws_of(kind, among)};
          test.primary = is_primary(test);
          const bool done = test.draws > 0 && draws_of(kind, *one) > 0;
          if (done && (test.primary || compares(*one, among))) tests.push_back(test);
        }
    std::stable_partition(tests.begin(), tests.end(), [](const RankTest& test) { return test.primary; });
    return tests;
  }

  void add_differences() {
    if (comparison_.score == Score::kl_teacher) return;  // what its differences spread is not known
    const auto [level, margin] = std::pair(comparison_.level, comparison_.margin);
    lines_.push_back(cat(
        "  ", tested_, " test questions: a difference of ", rounded(detectable_difference(tested_, level)),
        " between two locations is detected with 80 %, if they disagree on 16 % of the questions"));
    const int needed = questions_to_detect(margin, level);
    if (tested_ < needed)
      lines_.push_back(cat("  a margin of ", margin, " needs ", needed, " questions: ",
                           job_.split.folds == 0 && all_ >= needed ? "folds" : "more of them"));
    const int least = questions_for_equivalence(margin, level);
    lines_.push_back(cat("  equivalence within the margin, where there is no difference, is shown with 80 %",
                         tested_ < least ? cat(" only by ", least, " questions") : ""));
  }

  void check(const RankTest& test) {
    if (smallest_p(test.draws) > comparison_.level)
      warn(cat(test.text(), ": ", test.draws, test.draws == 1 ? " draw" : " draws",
               " cannot give p <= ", comparison_.level, ", ", draws_for(comparison_.level), " can"));
    if (test.primary && test.among->matched_to != test.claimed->name)
      warn(cat("comparison.primary: the sets of ", test.among->name, " lie in other layers than ",
               test.claimed->name, "; `matched_to: ", test.claimed->name, "` draws them in the same"));
  }
  /// What one side may choose from and the other may not is left out.
  void check_strengths(const RankTest& test) {
    const std::set<double> own = strengths_of(test.edit, *test.claimed),
                           theirs = strengths_of(test.edit, *test.among);
    if (own == theirs) return;
    std::set<double> shared;
    std::set_intersection(own.begin(), own.end(), theirs.begin(), theirs.end(),
                          std::inserter(shared, shared.end()));
    warn(cat(
        test.text(), ": strengths ", listed(own), " of ", test.claimed->name, ", ", listed(theirs), " of ",
        test.among->name,
        shared.empty() ? ": they share none, so nothing is compared" : "; only those of both are compared"));
  }
  /// Strengths are compared at the same cost by kl_text on validation.
  void check_caps() {
    const auto& drift = job_.evaluation.drift;
    if (std::find(drift.begin(), drift.end(), SplitPart::val) == drift.end())
      warn("comparison.caps are on kl_text of validation, but evaluation.drift lacks val");
    else if (job_.behaviour.text.empty())
      warn("comparison.caps are on kl_text, but behaviour.text names no running text");
  }

  const JobSpec& job_;
  const ComparisonSpec& comparison_;
  int tested_, all_;
  std::vector<std::string> lines_;
};

}  // namespace

double normal_quantile(double p) {
  expect(p > 0 && p < 1, "a probability between 0 and 1");
  if (p > 0.5) return -normal_quantile(1 - p);
  double low = -40, high = 0;  // of which a share of p lies below: erfc keeps small shares exact
  for (int halving = 0; halving < 80; ++halving) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::sqrt(2.0)) / 2 < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

double smallest_p(int draws) { return 1.0 / (draws + 1.0); }

int draws_for(double level) {
  constexpr double rounding = 1e-9;
  return static_cast<int>(std::min(std::ceil(1 / level - 1 - rounding), 2e9));
}

double detectable_difference(double questions, double level) {
  return reach(level) * usual_spread / std::sqrt(questions);
}

int questions_to_detect(double difference, double level) { return questions_for(reach(level), difference); }

int questions_for_equivalence(double margin, double level) {
  return questions_for(normal_quantile(1 - level) + normal_quantile((1 + usual_power) / 2), margin);
}

std::vector<std::string> power_report(const JobSpec& job, int tested, int all) {
  return PowerReport(job, tested, all).write();
}

}  // namespace headsweep
