// job: checks across keys.
#include "job/check.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "job/leaf.hpp"

namespace headsweep {
namespace {

/// The names in braces of a template, as they stand.
std::vector<std::string> slots_of(const std::string& text) {
  std::vector<std::string> slots;
  for (std::size_t at = text.find('{'); at != std::string::npos; at = text.find('{', at + 1)) {
    const std::size_t end = text.find('}', at);
    const std::string name = text.substr(at + 1, end == std::string::npos ? 0 : end - at - 1);
    if (is_job_name(name)) slots.push_back(name);
  }
  return slots;
}

class JobCheck {
 public:
  JobCheck(const JobSpec& job, const JobPlaces& places) : job_(job), places_(places) {}

  void run() const {
    check_split();
    check_templates();
    const JudgeSpec& judge = job_.evaluation.judge;
    if (judge.by_model()) check_judge(judge.truth, "evaluation.judge.truth");
    if (!judge.info.folder.empty()) check_judge(judge.info, "evaluation.judge.info");
    for (const LocationSpec& set : job_.locations) check_match(set);
    for (std::size_t i = 0; i < job_.edits.size(); ++i)
      check_edit(job_.edits[i], cat("edits[", i, "].", to_text(job_.edits[i].kind)));
    check_grids();
    check_comparison();
    require(job_.evaluation.teacher.empty() || !job_.evaluation.drift.empty(), place("evaluation.teacher"),
            "found, but evaluation.drift names no part to be compared with it");
  }

 private:
  [[nodiscard]] std::string place(const std::string& key) const { return place_of(job_, places_, key); }

  void check_split() const {
    const SplitSpec& split = job_.split;
    if (split.folds > 0) {
      require(split.folds >= 3, place("split.folds"), split.folds,
              " found, 0 or at least 3 is due (each fold trains, validates and tests on other questions)");
      return;
    }
    const double sum = split.train + split.val + split.test;
    require(std::abs(sum - 1.0) < 1e-9, place("split"), "shares that sum to ", sum,
            " found, train + val + test = 1 is due");
    require(std::min({split.train, split.val, split.test}) > 0, place("split"),
            "a share of 0 found, train, val and test above 0 are due");
  }

  void check_templates() const {
    const EvaluationSpec& evaluation = job_.evaluation;
    check_slots("behaviour.prompt", job_.behaviour.prompt, {.due = {"question"}});
    check_slots("probe.text", job_.probe.text, {.due = {"question", "answer"}, .possible = "other"});
    if (!job_.probe.sigma_text.empty())
      check_slots("probe.sigma_text", job_.probe.sigma_text,
                  {.due = {"question", "answer"}, .possible = "other"});
    check_slots("evaluation.instruction", evaluation.instruction, {});
    if (!evaluation.prompt.empty())
      check_slots("evaluation.prompt", evaluation.prompt, {.due = {"question"}});
    if (!evaluation.choice_prompt.empty())
      check_slots("evaluation.choice_prompt", evaluation.choice_prompt, {.due = {"question"}});
  }

  /// What a template may hold in braces: each of `due` once, or more often if it may repeat, `possible` at
  /// most once, and nothing else that looks like a slot.
  struct Slots {
    std::vector<std::string> due;
    std::string possible = "";
    bool repeats = false;
  };
  void check_slots(const std::string& key, const std::string& text, const Slots& allowed) const {
    std::vector<std::string> known = allowed.due;
    if (!allowed.possible.empty()) known.push_back(allowed.possible);
    const std::vector<std::string> slots = slots_of(text);
    for (const std::string& slot : slots)
      require(std::find(known.begin(), known.end(), slot) != known.end(), place(key), "unknown slot {", slot,
              "}", did_you_mean(slot, known), "; ",
              known.empty() ? "none is filled here" : "allowed: {" + join(known, "}, {") + "}");
    for (const std::string& name : known) {
      const auto count = std::count(slots.begin(), slots.end(), name);
      const bool may_lack = name == allowed.possible;
      require(count == 1 || (count == 0 && may_lack) || (count > 1 && allowed.repeats), place(key),
              describe(yaml_text(text)), " found, a text that holds {", name, "} ",
              may_lack          ? "at most once is due"
              : allowed.repeats ? "is due"
                                : "once is due");
    }
  }

  void check_judge(const JudgePrompt& asked, const std::string& key) const {
    check_slots(key + ".prompt", asked.prompt, {.due = {"question", "answer"}, .repeats = true});
    require(asked.yes != asked.no, place(key + ".no"), describe(yaml_text(asked.no)),
            " found, another text than that of yes is due");
  }

  [[nodiscard]] const LocationSpec& find_set(const std::string& name, const std::string& key) const {
    std::vector<std::string> names;
    for (const LocationSpec& set : job_.locations) {
      if (set.name == name) return set;
      names.push_back(set.name);
    }
    throw BadInput(cat(place(key), "no set of locations is called '", name, "'", did_you_mean(name, names),
                       "; there are: ", join(names, ", ")));
  }

  void check_match(const LocationSpec& set) const {
    if (set.matched_to.empty()) return;
    const bool subspace = set.kind == LocationKind::subspace;
    const std::string key = cat("locations.", set.name, subspace ? ".subspace.of" : ".random.matched_to");
    const LocationKind kind = find_set(set.matched_to, key).kind;
    require(kind == LocationKind::top || kind == LocationKind::list, place(key), "'", set.matched_to,
            "' is of kind ", to_text(kind), ", a set of kind top or heads is due");
  }

  void check_edit(const EditSpec& edit, const std::string& key) const {
    bool random = false;
    for (const std::string& name : edit.at) {
      const LocationSpec& set = find_set(name, key + ".at");
      require(edit.kind != EditKind::lora || set.kind == LocationKind::all, place(key + ".at"), "'", name,
              "' found, lora edits every layer whole: a set 'all' is due");
      require(edit.kind == EditKind::optimal || set.kind != LocationKind::subspace, place(key + ".at"), "'",
              name, "' is of kind subspace, which only optimal edits know");
      require(job_.training.read != EditRead::heads || set.kind != LocationKind::subspace, place(key + ".at"),
              "'", name,
              "' is of kind subspace, which has no heads to read: training.read layer or constant is due");
      if (set.draws == 0) continue;
      random = true;
      require(edit.draws <= set.draws, place(key + ".draws"), edit.draws, " found, '", name, "' has ",
              set.draws, " draws");
    }
    require(edit.draws == 0 || random, place(key + ".draws"), edit.draws,
            " found, but no set of 'at' is random");
  }

  /// Every size is tuned alike.
  void check_grids() const {
    const TrainingSpec& training = job_.training;
    std::set<std::size_t> lengths;
    for (const auto& [size, rates] : training.learning_rate) lengths.insert(rates.size());
    if (!training.lora_learning_rate.empty()) lengths.insert(training.lora_learning_rate.size());
    if (lengths.size() <= 1) return;
    throw BadInput(cat(place("training.learning_rate"), "lists of ", *lengths.begin(), " and of ",
                       *lengths.rbegin(), " rates found, equally many for every size are due"));
  }

  void check_comparison() const {
    const ComparisonSpec& comparison = job_.comparison;
    const PrimarySpec& primary = comparison.primary;
    require(comparison.level > 0 && comparison.level < 1, place("comparison.level"), comparison.level,
            " found, a number between 0 and 1 is due");
    require(comparison.score != Score::kl_teacher || !job_.evaluation.teacher.empty(),
            place("comparison.score"), "kl_teacher found, but evaluation.teacher names none");
    if (primary.claimed.empty() && primary.among.empty()) return;
    const std::string claimed = "comparison.primary.claimed", among = "comparison.primary.among";
    const LocationSpec &one = find_set(primary.claimed, claimed), &others = find_set(primary.among, among);
    require(one.kind == LocationKind::top || one.kind == LocationKind::list, place(claimed), "'", one.name,
            "' is of kind ", to_text(one.kind), ", a set of kind top or heads is due");
    require(others.kind == LocationKind::random, place(among), "'", others.name, "' is of kind ",
            to_text(others.kind), ", a set of kind random is due");
    for (const LocationSpec* set : {&one, &others}) {
      const bool done = std::any_of(job_.edits.begin(), job_.edits.end(), [&](const EditSpec& edit) {
        const bool at = std::find(edit.at.begin(), edit.at.end(), set->name) != edit.at.end();
        return edit.kind == primary.edit && edit.labels == Labels::truth && at;
      });
      require(done, place("comparison.primary.edit"), "no entry of edits does ", to_text(primary.edit),
              " edits at '", set->name, "'");
    }
  }

  const JobSpec& job_;
  const JobPlaces& places_;
};

}  // namespace

std::string place_of(const JobSpec& job, const JobPlaces& places, const std::string& key) {
  std::string known = key;
  while (!places.contains(known) && known.find_last_of(".[") != std::string::npos)
    known.resize(known.find_last_of(".["));
  const auto found = places.find(known);
  YamlPlace place = found == places.end() ? YamlPlace{.file = job.file, .line = 1} : found->second;
  place.key = key;
  return place.text();
}

void check_job(const JobSpec& job, const JobPlaces& places) { JobCheck(job, places).run(); }

}  // namespace headsweep
