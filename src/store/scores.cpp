// store: JSON lines -> a verdict for every answer of the results, none too few and none too many.
#include "store/scores.hpp"

#include <algorithm>
#include <headsweep/json.hpp>

#include "store/asked.hpp"

namespace headsweep {
namespace {

/// A line's word on one matter, 0 or 1, with its probability.
struct Word {
  float verdict = not_measured, probability = not_measured;
};

class ScoreReader {
 public:
  ScoreReader(const ResultsFile& results, const OutsideScores& request) : request_(request) {
    list_answers(results, [&](const AskedAnswer& answer) {
      line_of_.emplace(answer.id, 0);
      order_.push_back(answer.id);
    });
  }

  Scores run() {
    for (const std::string& text : split_text(read_file(request_.scores), '\n')) {
      ++line_;
      if (text.find_first_not_of(" \r\t") != std::string::npos) take(parse_json(text, where()));
    }
    require_all();
    return std::move(scores_);
  }

 private:
  [[nodiscard]] std::string where() const { return cat(request_.scores.string(), ":", line_); }

  void take(const Json& line) {
    require(line.is_object(), where(), ": ", json_kind(line), " found, an object is due");
    check_keys(line);
    const std::string id = id_of(line);
    const auto answer = line_of_.find(id);
    require(answer != line_of_.end(), where(), ": '", id, "' is none of the results' answers");
    require(answer->second == 0, where(), ": '", id, "' was scored in line ", answer->second, " already");
    answer->second = line_;
    const bool has_info = line.contains("info") || line.contains("p_info");
    if (scores_.empty()) has_info_ = has_info;
    require(has_info == has_info_, where(), ": ", has_info ? "" : "no ", "info found, lines before it ",
            has_info_ ? "have" : "have none");
    const Word truth = word_of(line, "truth"), info = has_info ? word_of(line, "info") : Word{};
    scores_.emplace(id, Verdict{.truth = truth.verdict,
                                .info = info.verdict,
                                .p_truth = truth.probability,
                                .p_truth_no = 1 - truth.probability,
                                .p_info = info.probability,
                                .p_info_no = 1 - info.probability});
  }

  void check_keys(const Json& line) const {
    static const std::vector<std::string> allowed = {"id",    "question", "answer", "kind",
                                                     "truth", "p_truth",  "info",   "p_info"};
    for (const auto& [key, value] : line.items()) {
      const bool known = std::find(allowed.begin(), allowed.end(), key) != allowed.end();
      const std::string near = known ? "" : nearest(key, allowed);
      require(known, where(), ": unknown key '", key, "'",
              near.empty() ? "" : cat(" (did you mean '", near, "'?)"), "; allowed: ", join(allowed, ", "));
    }
  }

  [[nodiscard]] std::string id_of(const Json& line) const {
    if (line.contains("id")) return json_text(line, "id", where());
    const std::string question = json_text(line, "question", where());
    return answer_id(question, json_text(line, "answer", where()));
  }

  [[nodiscard]] Word word_of(const Json& line, const std::string& name) const {
    const std::string likely = "p_" + name;
    require(line.contains(name) != line.contains(likely), where(), ": one of '", name, "' (0 or 1) and '",
            likely, "' is due");
    if (line.contains(name)) {
      const auto verdict = static_cast<float>(json_integer(line, name, where(), 0, 1));
      return {verdict, verdict};
    }
    const double probability = json_number(line, likely, where());
    require(probability >= 0 && probability <= 1, where(), ": ", likely, " = ", probability,
            ", a number from 0 to 1 is due");
    return {probability >= request_.threshold ? 1.0F : 0.0F, static_cast<float>(probability)};
  }

  void require_all() const {
    std::vector<std::string> missing;
    for (const std::string& id : order_)
      if (line_of_.at(id) == 0) missing.push_back(id);
    require(missing.empty(), request_.scores.string(), ": ", missing.size(), " of ", order_.size(),
            " answers have no score, the first is '", missing.empty() ? "" : missing.front(), "'");
  }

  const OutsideScores& request_;
  std::unordered_map<std::string, int> line_of_;  ///< of each answer's score; 0: none yet
  std::vector<std::string> order_;                ///< of the answers' ids
  Scores scores_;
  int line_ = 0;
  bool has_info_ = false;
};

}  // namespace

Scores read_scores(const ResultsFile& results, const OutsideScores& request) {
  return ScoreReader(results, request).run();
}

}  // namespace headsweep
