// store: a copy of the results by another judge: verdicts of items and references, and all means of them.
#include <headsweep/store.hpp>

#include "store/asked.hpp"
#include "store/fields.hpp"
#include "store/header.hpp"
#include "store/items.hpp"
#include "store/new_file.hpp"
#include "store/scores.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;

class Rejudge {
 public:
  Rejudge(const ResultsFile& results, const Scores& scores, h5::File* file)
      : results_(results), scores_(scores), file_(file), questions_(results.questions()) {}

  void run() {
    for (int fold = 0; fold < results_.folds(); ++fold) {
      const SweepHeader::Baseline baseline = results_.baseline(fold);
      const Place place{baseline_items, "baseline", static_cast<std::uint64_t>(fold), fold};
      rejudge(baseline.items, place, results_.item_questions(fold));
    }
    for (int trial = 0; trial < results_.trials(); ++trial) {
      const ResultsFile::Row row = results_.trial(TrialId{trial});
      if (row.record.status != TrialStatus::done) continue;
      const Place place{trial_items, "metrics", static_cast<std::uint64_t>(trial), row.fold};
      rejudge(row.record.items, place, row.item_question);
    }
    rejudge_references();
  }

 private:
  /// A row of items and its means.
  struct Place {
    const ItemGroup& items;
    std::string metrics;
    std::uint64_t row = 0;
    int fold = 0;
  };

  [[nodiscard]] Verdict verdict_on(int question, const std::string& answer) const {
    return scores_.at(answer_id(questions_.at(static_cast<std::size_t>(question)).text, answer));
  }
  /// The judge's word; refusals stay what they are.
  void replace(Verdict& old, Verdict verdict) const {
    verdict.refused = old.refused;
    old = verdict;
  }

  void rejudge(std::vector<Item> items, const Place& place, const std::vector<int>& rows) {
    if (items.empty()) return;
    std::map<SplitPart, std::vector<Item>> by_part = {{SplitPart::val, {}}, {SplitPart::test, {}}};
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (was_asked(items[i])) replace(items[i], verdict_on(rows.at(i), items[i].answer));
      const QuestionRow& question = questions_.at(static_cast<std::size_t>(rows.at(i)));
      by_part[question.part.at(static_cast<std::size_t>(place.fold))].push_back(items[i]);
    }
    for (const auto& field : verdict_fields()) {
      std::vector<float> values;
      for (const Item& item : items) values.push_back(field.get(item));
      const std::string path = cat(place.items.group, "/", field.name);
      values.resize(file_->shape(path).dims.at(1), not_measured);
      file_->write_rows(path, {place.row, 1}, values.data());
    }
    write_means(by_part[SplitPart::val], cat(place.metrics, "/validation/"), place.row);
    write_means(by_part[SplitPart::test], cat(place.metrics, "/test/"), place.row);
  }

  void write_means(const std::vector<Item>& items, const std::string& group, std::uint64_t row) {
    Metrics metrics;
    set_judged_means(items, metrics);
    const std::pair<const char*, float> means[] = {{"truth", metrics.truth},
                                                   {"info", metrics.info},
                                                   {"truth_info", metrics.truth_info},
                                                   {"both", metrics.both}};
    for (const auto& [name, mean] : means) file_->write_rows(group + name, {row, 1}, &mean);
  }

  void rejudge_references() {
    std::vector<Reference> references = results_.references();
    for (Reference& reference : references)
      replace(reference.verdict, verdict_on(reference.question, reference.answer));
    for (const auto& field : verdict_fields()) {
      std::vector<float> values;
      for (const Reference& reference : references) values.push_back(field.get(reference.verdict));
      file_->write_rows(cat("judge/", field.name), {0, values.size()}, values.data());
    }
    write_quality(file_, references);
  }

  const ResultsFile& results_;
  const Scores& scores_;
  h5::File* file_;
  std::vector<QuestionRow> questions_;
};

}  // namespace

int apply_scores(const OutsideScores& request) {
  require(!fs::exists(request.output), request.output.string(),
          ": is there already; the results by another judge get a file of their own");
  const ResultsFile results(request.results);
  const Scores scores = read_scores(results, request);
  put_new_file(request.output, [&](const fs::path& temporary) {
    std::error_code error;
    fs::copy_file(request.results, temporary, error);
    require(!error, request.output.string(), ": cannot be written: ", error.message());
    h5::File file = h5::File::open_to_change(temporary);
    Rejudge(results, scores, &file).run();
    file.set_attribute("/", "judged_by",
                       cat(request.scores.filename().string(), " (", scores.size(), " answers, hash ",
                           hash_file(request.scores), ", threshold ", request.threshold, ")"));
    file.close();
  });
  return static_cast<int>(scores.size());
}

}  // namespace headsweep
