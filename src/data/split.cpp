// data: which questions train, validate and test. In: groups and a seed; out: one split, or one a fold. A
// group is never in two parts, and neither is a question's text.
#include <cmath>
#include <map>
#include <set>

#include "data/checks.hpp"

namespace headsweep {
namespace {

/// A question that stands in two groups could be trained on and tested.
void check_no_leak(const Behaviour& behaviour) {
  std::map<std::string, std::size_t> first_with;
  for (std::size_t i = 0; i < behaviour.questions.size(); ++i) {
    const Question& question = behaviour.questions[i];
    const std::size_t first = first_with.emplace(question.text, i).first->second;
    const Question& same = behaviour.questions[first];
    require(same.group == question.group, place_of(behaviour, i), ": the question of line ", same.line,
            " again, in group ", quote(question.group), " and not ", quote(same.group),
            ": it could stand in training and in test");
  }
}

/// Names of the groups, shuffled; the order of the file does not matter.
std::vector<std::string> shuffle_groups(const Behaviour& behaviour, std::uint64_t seed) {
  std::set<std::string> names;
  for (const Question& question : behaviour.questions) names.insert(question.group);
  std::vector<std::string> groups(names.begin(), names.end());
  Random(seed, "split").shuffle(groups);
  return groups;
}

/// `parts[g]` is the part of the g-th shuffled group.
Split split_by_group(const Behaviour& behaviour, const std::vector<std::string>& groups,
                     const std::vector<SplitPart>& parts) {
  std::map<std::string, SplitPart> part_of_group;
  for (std::size_t g = 0; g < groups.size(); ++g) part_of_group.emplace(groups[g], parts[g]);
  Split split;
  for (const Question& question : behaviour.questions)
    split.part_of.push_back(part_of_group.at(question.group));
  return split;
}

/// Parts of the groups by shares; the borders are rounded sums of shares, so that no group is lost.
std::vector<SplitPart> share_out(std::size_t groups, const SplitSpec& spec, const std::string& file) {
  const auto border = [&](double share) {
    return static_cast<std::size_t>(std::llround(static_cast<double>(groups) * share));
  };
  const std::size_t train_end = border(spec.train), val_end = border(spec.train + spec.val);
  const auto check = [&](double share, std::size_t size, const char* part) {
    require(share == 0.0 || size > 0, file, ": shares ", spec.train, ", ", spec.val, ", ", spec.test, " of ",
            groups, " groups of questions leave none for ", part);
  };
  expect(val_end <= groups, "shares of a split whose sum is 1");
  check(spec.train, train_end, "train");
  check(spec.val, val_end - train_end, "val");
  check(spec.test, groups - val_end, "test");
  std::vector<SplitPart> parts(groups, SplitPart::test);
  for (std::size_t g = 0; g < val_end; ++g) parts[g] = g < train_end ? SplitPart::train : SplitPart::val;
  return parts;
}

/// Parts of the groups in one fold of several.
std::vector<SplitPart> fold_out(std::size_t groups, std::size_t folds, std::size_t fold) {
  std::vector<SplitPart> parts(groups, SplitPart::train);
  const auto mark = [&](std::size_t share, SplitPart part) {
    for (std::size_t g = share * groups / folds; g < (share + 1) * groups / folds; ++g) parts[g] = part;
  };
  mark((fold + 1) % folds, SplitPart::val);
  mark(fold, SplitPart::test);
  return parts;
}

}  // namespace

std::vector<int> Split::questions(SplitPart part) const {
  std::vector<int> indices;
  for (std::size_t i = 0; i < part_of.size(); ++i)
    if (part_of[i] == part) indices.push_back(static_cast<int>(i));
  return indices;
}

std::vector<Split> make_splits(const Behaviour& behaviour, const SplitSpec& spec, std::uint64_t seed) {
  check_no_leak(behaviour);
  const std::vector<std::string> groups = shuffle_groups(behaviour, seed);
  if (spec.folds == 0)
    return {split_by_group(behaviour, groups, share_out(groups.size(), spec, behaviour.file))};
  require(spec.folds >= 3, behaviour.file, ": ", spec.folds,
          " folds, at least 3 are due: to train, validate and test");
  const auto folds = static_cast<std::size_t>(spec.folds);
  require(folds <= groups.size(), behaviour.file, ": ", groups.size(), " groups of questions, fewer than ",
          folds, " folds");
  std::vector<Split> splits;
  for (std::size_t fold = 0; fold < folds; ++fold)
    splits.push_back(split_by_group(behaviour, groups, fold_out(groups.size(), folds, fold)));
  return splits;
}

}  // namespace headsweep
