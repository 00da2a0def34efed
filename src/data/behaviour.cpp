// data: behaviour files (questions with their answers) and running text, read line by line and checked. In:
// files; out: Behaviour, documents.
#include <map>
#include <utility>

#include "data/checks.hpp"
#include "data/truthfulqa.hpp"

namespace headsweep {
namespace {

const std::vector<std::string> fields = {"id",      "group",     "question", "best",
                                         "correct", "incorrect", "refusals"};

/// Blanks at the ends would be tokens of their own, or vanish, as the tokenizer likes.
void check_text(const std::string& text, const std::string& field, const std::string& where) {
  constexpr const char* blanks = " \t\n\v\f\r";
  require(!text.empty(), where, ": '", field, "' holds an empty text");
  require(text.find('\0') == std::string::npos, where, ": '", field, "' holds a NUL character");
  const bool bare = text.find_first_of(blanks) != 0 && text.find_last_of(blanks) != text.size() - 1;
  require(bare, where, ": '", field, "' begins or ends with a blank: ", quote(text));
}

std::string read_text(const Json& row, const std::string& field, const std::string& where) {
  std::string text = json_text(row, field, where);
  check_text(text, field, where);
  return text;
}

/// The answers of one question, none of them twice.
class AnswerReader {
 public:
  AnswerReader(const Json& row, const std::string& where) : row_(row), where_(where) {}

  std::vector<std::string> read(const std::string& field, std::size_t least) {
    std::vector<std::string> answers = json_texts(row_, field, where_);
    require(answers.size() >= least, where_, ": '", field, "' is empty, at least one answer is due");
    for (const std::string& answer : answers) {
      check_text(answer, field, where_);
      const auto [other, is_new] = field_of_.emplace(answer, field);
      require(is_new, where_, ": answer ", quote(answer), " stands in '", other->second, "' and again in '",
              field, "'");
    }
    return answers;
  }
  [[nodiscard]] bool stands_in(const std::string& answer, const std::string& field) const {
    const auto found = field_of_.find(answer);
    return found != field_of_.end() && found->second == field;
  }

 private:
  const Json& row_;
  const std::string& where_;
  std::map<std::string, std::string> field_of_;
};

Question read_question(std::string_view line, const std::string& where, Groups groups) {
  require(!line.empty(), where, ": empty line, an object is due");
  const Json row = parse_json(line, where);
  require(row.is_object(), where, ": ", json_kind(row), " found, an object is due");
  check_fields(row, fields, where);
  Question question;
  question.id = read_text(row, "id", where);
  question.group = read_text(row, "group", where);
  question.text = read_text(row, "question", where);
  if (groups == Groups::question) question.group = question.text;
  AnswerReader answers(row, where);
  question.correct = answers.read("correct", 1);
  question.incorrect = answers.read("incorrect", 1);
  if (row.contains("refusals")) question.refusals = answers.read("refusals", 0);
  question.best = row.contains("best") ? json_text(row, "best", where) : question.correct.front();
  require(answers.stands_in(question.best, "correct"), where, ": 'best' is ", quote(question.best),
          ", one of 'correct' is due");
  return question;
}

std::vector<Question> read_jsonl(std::string_view bytes, const std::string& file, Groups groups) {
  std::vector<Question> questions;
  std::map<std::string, int> line_of_id;
  for (const std::string_view line : cut_lines(bytes, file)) {
    const int number = static_cast<int>(questions.size()) + 1;
    const std::string where = cat(file, ":", number);
    Question& question = questions.emplace_back(read_question(line, where, groups));
    question.line = number;
    const auto [other, is_new] = line_of_id.emplace(question.id, number);
    require(is_new, where, ": id ", quote(question.id), " is that of line ", other->second, " already");
  }
  return questions;
}

}  // namespace

Behaviour read_behaviour(const std::filesystem::path& file, Groups groups) {
  constexpr std::uint64_t most_bytes = 100'000'000;
  const std::string bytes = read_file(file, most_bytes);
  const bool csv = file.extension() == ".csv" || file.extension() == ".CSV";
  Behaviour behaviour{file.string(), hash_hex(bytes), {}};
  behaviour.questions = (csv ? read_truthfulqa : read_jsonl)(bytes, behaviour.file, groups);
  require(!behaviour.questions.empty(), behaviour.file, ": no question, one a line is due");
  return behaviour;
}

std::vector<std::string> read_documents(const std::filesystem::path& file, int most) {
  const std::string bytes = read_file(file);
  std::vector<std::string> documents;
  for (const std::string_view line : cut_lines(bytes, file.string())) {
    if (documents.size() == static_cast<std::size_t>(most)) break;
    if (line.find_first_not_of(" \t\v\f") != std::string_view::npos) documents.emplace_back(line);
  }
  require(!documents.empty(), file.string(), ": no text, one document a line is due");
  return documents;
}

}  // namespace headsweep
