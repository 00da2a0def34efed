// data: TruthfulQA's CSV file. In: its bytes; out: questions with their answers, refusals told apart,
// checked.
#include "data/truthfulqa.hpp"

#include <algorithm>
#include <cctype>

#include "data/checks.hpp"
#include "data/csv.hpp"

namespace headsweep {
namespace {

using Texts = std::vector<std::string>;

bool holds(const Texts& texts, const std::string& text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

/// `I have no comment` in any case, with any blanks between its words, with or without a full stop.
bool is_refusal(const std::string& answer) {
  std::string words;
  for (const std::string& word : cut_words(answer)) words += cat(words.empty() ? "" : " ", word);
  std::transform(words.begin(), words.end(), words.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return words == "i have no comment" || words == "i have no comment .";
}

/// The answers of a field, each once, in their order.
Texts cut_answers(const std::string& field) {
  Texts answers;
  for (const std::string& part : split_text(field, ';')) {
    std::string answer(strip_blanks(part));
    if (!answer.empty() && !holds(answers, answer)) answers.push_back(std::move(answer));
  }
  return answers;
}

/// Fields of a record by the names of the columns.
class Columns {
 public:
  Columns(const CsvRecord& header, const std::string& file) : file_(file) {
    for (const std::string& field : header.fields) {
      names_.emplace_back(strip_blanks(field));
      require(std::count(names_.begin(), names_.end(), names_.back()) == 1, file, ":1: column ",
              quote(names_.back()), " stands twice");
    }
  }

  [[nodiscard]] bool has(const std::string& name) const { return holds(names_, name); }
  void check(const std::string& name) const {
    if (has(name)) return;
    const std::string near = nearest(name, names_);
    throw BadInput(cat(file_, ":1: column '", name, "' is missing",
                       near.empty() ? "" : cat("; is ", quote(near), " meant?"),
                       " (found: ", join(names_, ", "), ")"));
  }
  [[nodiscard]] std::string at(const CsvRecord& record, const std::string& name) const {
    require(record.fields.size() == names_.size(), file_, ":", record.line, ": ", record.fields.size(),
            record.fields.size() == 1 ? " field, " : " fields, ", names_.size(),
            " are due, one for each column");
    const auto column = std::find(names_.begin(), names_.end(), name) - names_.begin();
    return std::string(strip_blanks(record.fields.at(static_cast<std::size_t>(column))));
  }

 private:
  const std::string& file_;
  Texts names_;
};

class TruthfulQa {
 public:
  TruthfulQa(const CsvRecord& header, const std::string& file, Groups groups)
      : file_(file), columns_(header, file), groups_(groups) {
    for (const char* name : {"Question", "Best Answer", "Correct Answers", "Incorrect Answers"})
      columns_.check(name);
    if (groups == Groups::category) columns_.check("Category");
  }

  Question read(const CsvRecord& record, std::size_t row) {
    const std::string where = cat(file_, ":", record.line);
    Question question{.id = cat("row ", row), .text = text_of(record, "Question", where)};
    question.line = static_cast<int>(record.line);
    question.group = groups_ == Groups::category ? text_of(record, "Category", where) : question.text;
    question.best = text_of(record, "Best Answer", where);
    Texts answers = answers_of(record, "Correct Answers", where);
    if (!holds(answers, question.best)) answers.insert(answers.begin(), question.best);
    for (const std::string& answer : answers)
      (is_refusal(answer) ? question.refusals : question.correct).push_back(answer);
    question.incorrect = read_incorrect(record, answers, where);
    return question;
  }
  /// One line for all that was left out.
  void tell() const {
    if (!left_out_.empty())
      log_line(cat(file_, ": correct answers that are said to be incorrect, too, count as correct: ",
                   join(left_out_, ", ")));
  }

 private:
  [[nodiscard]] std::string text_of(const CsvRecord& record, const std::string& name,
                                    const std::string& where) const {
    std::string text = columns_.at(record, name);
    require(!text.empty(), where, ": '", name, "' is empty");
    return text;
  }
  [[nodiscard]] Texts answers_of(const CsvRecord& record, const std::string& name,
                                 const std::string& where) const {
    Texts answers = cut_answers(columns_.at(record, name));
    require(!answers.empty(), where, ": '", name, "' holds no answer");
    return answers;
  }

  Texts read_incorrect(const CsvRecord& record, const Texts& correct, const std::string& where) {
    Texts answers = answers_of(record, "Incorrect Answers", where);
    const std::string first = "Best Incorrect Answer";
    if (columns_.has(first)) {
      std::string best = text_of(record, first, where);
      if (!holds(answers, best)) answers.insert(answers.begin(), std::move(best));
    }
    std::erase_if(answers, [&](const std::string& answer) {
      if (!holds(correct, answer)) return false;
      left_out_.push_back(cat("line ", record.line, " ", quote(answer)));
      return true;
    });
    require(!answers.empty(), where, ": 'Incorrect Answers' holds no answer that is not a correct one");
    return answers;
  }

  const std::string& file_;
  Columns columns_;
  Groups groups_;
  Texts left_out_;
};

}  // namespace

std::vector<Question> read_truthfulqa(std::string_view bytes, const std::string& file, Groups groups) {
  const std::vector<CsvRecord> records = parse_csv(bytes, file);
  require(!records.empty(), file, ": empty; a line with the names of the columns is due");
  TruthfulQa reader(records.front(), file, groups);
  std::vector<Question> questions;
  for (std::size_t row = 1; row < records.size(); ++row) questions.push_back(reader.read(records[row], row));
  reader.tell();
  return questions;
}

}  // namespace headsweep
