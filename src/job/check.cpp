// job: checks across keys.
#include "job/check.hpp"

#include <algorithm>
#include <cmath>

namespace headsweep {
namespace {

/// The words that stand in braces with nothing but letters and underscores.
std::vector<std::string> names_in_braces(const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t open = text.find('{'); open != std::string::npos; open = text.find('{', open + 1)) {
    const auto* letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    const std::size_t close = text.find_first_not_of(letters, open + 1);
    if (close != std::string::npos && text[close] == '}' && close > open + 1)
      names.push_back(text.substr(open + 1, close - open - 1));
  }
  return names;
}

class JobCheck {
 public:
  JobCheck(const JobSpec& job, const JobPlaces& places) : job_(job), places_(places) {}

  void run() const {
    check_split();
    check_prompt();
    const JudgeSpec& judge = job_.evaluation.judge;
    if (judge.by_model()) check_judge(judge.truth, "evaluation.judge.truth");
    if (!judge.info.folder.empty()) check_judge(judge.info, "evaluation.judge.info");
    for (const LocationSpec& set : job_.locations) check_match(set);
    for (std::size_t i = 0; i < job_.edits.size(); ++i)
      check_edit(job_.edits[i], cat("edits[", i, "].", to_text(job_.edits[i].kind)));
  }

 private:
  /// `file:line: key: `, with file and line of the nearest key that is given.
  [[nodiscard]] std::string place(const std::string& key) const {
    std::string known = key;
    while (!places_.contains(known) && known.find_last_of(".[") != std::string::npos)
      known.resize(known.find_last_of(".["));
    const auto found = places_.find(known);
    YamlPlace place = found == places_.end() ? YamlPlace{.file = job_.file, .line = 1} : found->second;
    place.key = key;
    return place.text();
  }

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

  void check_prompt() const {
    const std::string& prompt = job_.behaviour.prompt;
    const std::string slot = "{question}";
    const std::size_t first = prompt.find(slot);
    const bool once = first != std::string::npos && prompt.find(slot, first + 1) == std::string::npos;
    require(once, place("behaviour.prompt"), describe(yaml_text(prompt)),
            " found, a text that holds {question} once is due");
  }

  /// Words in braces are slots; other braces are text.
  void check_judge(const JudgePrompt& asked, const std::string& key) const {
    const std::vector<std::string> slots = {"question", "answer"};
    for (const std::string& name : names_in_braces(asked.prompt))
      require(std::find(slots.begin(), slots.end(), name) != slots.end(), place(key + ".prompt"), "slot {",
              name, "} found", did_you_mean(name, slots), ", {question} and {answer} are known");
    for (const std::string& name : slots)
      require(asked.prompt.find("{" + name + "}") != std::string::npos, place(key + ".prompt"),
              describe(yaml_text(asked.prompt)), " found, a text that holds {", name, "} is due");
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
    const std::string key = "locations." + set.name + ".random.matched_to";
    const LocationKind kind = find_set(set.matched_to, key).kind;
    require(kind == LocationKind::top || kind == LocationKind::list, place(key), "'", set.matched_to,
            "' is of kind ", to_text(kind), ", a set of kind top or heads is due");
  }

  void check_edit(const EditSpec& edit, const std::string& key) const {
    bool random = false;
    for (const std::string& name : edit.at) {
      const LocationSpec& set = find_set(name, key + ".at");
      require(edit.kind != EditKind::lora || set.kind == LocationKind::all, place(key + ".at"), "'", name,
              "' found, lora edits every o_proj whole: a set 'all' is due");
      if (set.kind != LocationKind::random) continue;
      random = true;
      require(edit.draws <= set.draws, place(key + ".draws"), edit.draws, " found, '", name, "' has ",
              set.draws, " draws");
    }
    require(edit.draws == 0 || random, place(key + ".draws"), edit.draws,
            " found, but no set of 'at' is random");
  }

  const JobSpec& job_;
  const JobPlaces& places_;
};

}  // namespace

void check_job(const JobSpec& job, const JobPlaces& places) { JobCheck(job, places).run(); }

}  // namespace headsweep
