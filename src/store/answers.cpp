// store: every distinct answer of a results file, for judges from outside.
#include <headsweep/store.hpp>
#include <unordered_set>

#include "store/asked.hpp"

namespace headsweep {

std::string to_text(ReferenceKind kind) {
  static const std::vector<std::string> words = {"correct", "refusal", "incorrect"};
  return words.at(static_cast<std::size_t>(kind));
}

std::string answer_id(const std::string& question, const std::string& answer) {
  return hash_hex(cat(question.size(), " ", question, answer));
}

void list_answers(const ResultsFile& results, const std::function<void(const AskedAnswer&)>& put) {
  const std::vector<QuestionRow> questions = results.questions();
  std::unordered_set<std::string> known;
  const auto add = [&](int row, const std::string& answer, std::optional<ReferenceKind> kind) {
    const std::string& question = questions.at(static_cast<std::size_t>(row)).text;
    std::string id = answer_id(question, answer);
    if (known.insert(id).second)
      put({.id = std::move(id), .question = question, .answer = answer, .kind = kind});
  };
  const auto add_items = [&](const std::vector<Item>& items, const std::vector<int>& rows) {
    for (std::size_t i = 0; i < items.size(); ++i)
      if (was_asked(items[i])) add(rows.at(i), items[i].answer, std::nullopt);
  };
  for (const Reference& reference : results.references())
    add(reference.question, reference.answer, reference.kind);
  for (int fold = 0; fold < results.folds(); ++fold)
    add_items(results.baseline(fold).items, results.item_questions(fold));
  for (int trial = 0; trial < results.trials(); ++trial) {
    const ResultsFile::Row row = results.trial(TrialId{trial});
    if (row.record.status == TrialStatus::done) add_items(row.record.items, row.item_question);
  }
}

}  // namespace headsweep
