// Behaviour files and running text: what is read, and the exact message of each bad input.
#include <utility>
#include <vector>

#include "unit/data_support.hpp"

namespace headsweep {
namespace {

const std::string good =
    R"({"id":"a","group":"g","question":"Is é 1?","best":"No.","correct":["Yes.","No."],"incorrect":["Ü"],"refusals":["?"]})"
    "\n"
    R"({"id":"b","group":"g","question":"Is é 1?","correct":["Yes."],"incorrect":["No.","\u00dc"]})"
    "\n";

/// What reading `bytes` says after the file's name.
std::string complaint(const std::string& bytes) {
  const TemporaryFolder folder;
  const auto file = folder.put("b.jsonl", bytes);
  const std::string message = message_of([&] { read_behaviour(file); });
  EXPECT_EQ(message.find('\n'), std::string::npos);
  return message.starts_with(file.string()) ? message.substr(file.string().size()) : message;
}

/// A second line in which `field` is `value`, or absent.
std::string second_line(const std::string& field, const std::string& value) {
  std::vector<std::pair<std::string, std::string>> row = {{"id", R"("b")"},
                                                          {"group", R"("g")"},
                                                          {"question", R"("Q?")"},
                                                          {"correct", R"(["Yes."])"},
                                                          {"incorrect", R"(["No."])"}};
  std::string line = "{";
  bool known = false;
  for (auto& [name, text] : row) {
    known = known || name == field;
    if (name == field) text = value;
    if (!text.empty()) line += cat(line.size() > 1 ? "," : "", "\"", name, "\":", text);
  }
  if (!known) line += cat(",\"", field, "\":", value);
  return good.substr(0, good.find('\n') + 1) + line + "}\n";
}

TEST(Behaviour, IsReadWithDefaults) {
  const TemporaryFolder folder;
  for (const std::string& bytes : {good, good.substr(0, good.size() - 1)}) {  // the last line feed may lack
    const auto file = folder.put("b.jsonl", bytes);
    const Behaviour read = read_behaviour(file);
    EXPECT_EQ(read.file, file.string());
    EXPECT_EQ(read.hash, hash_file(file));
    ASSERT_EQ(read.questions.size(), 2U);
    const Question &first = read.questions[0], &second = read.questions[1];
    EXPECT_EQ(first.id + first.group + first.text + first.best, "agIs é 1?No.");
    EXPECT_EQ(first.correct, (std::vector<std::string>{"Yes.", "No."}));
    EXPECT_EQ(first.refusals, std::vector<std::string>{"?"});
    EXPECT_EQ(second.best, "Yes.");
    EXPECT_EQ(second.incorrect, (std::vector<std::string>{"No.", "Ü"}));
    EXPECT_TRUE(second.refusals.empty());
  }
}

TEST(Behaviour, RefusesBadFieldsWithTheirLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {second_line("refusal", "[]"),
       ":2: unknown field 'refusal', did you mean 'refusals'? (allowed: id, group, question, best, correct, "
       "incorrect, refusals)"},
      {second_line("group", ""), ":2: 'group' is missing"},
      {second_line("question", "\"\""), ":2: 'question' holds an empty text"},
      {second_line("question", "3"), ":2: question = 3, text is due"},
      {second_line("id", R"("b ")"), ":2: 'id' begins or ends with a blank: 'b '"},
      {second_line("id", R"("a")"), ":2: id 'a' is that of line 1 already"},
      {second_line("correct", "[]"), ":2: 'correct' is empty, at least one answer is due"},
      {second_line("incorrect", "[]"), ":2: 'incorrect' is empty, at least one answer is due"},
      {second_line("incorrect", R"(["No.",""])"), ":2: 'incorrect' holds an empty text"},
      {second_line("incorrect", R"(["  "])"), ":2: 'incorrect' begins or ends with a blank: '  '"},
      {second_line("incorrect", R"(["a\u0000b"])"), ":2: 'incorrect' holds a NUL character"},
      {second_line("incorrect", R"([null])"), ":2: incorrect holds null, only texts are allowed"},
      {second_line("incorrect", R"(["Yes."])"),
       ":2: answer 'Yes.' stands in 'correct' and again in 'incorrect'"},
      {second_line("correct", R"(["A","A"])"), ":2: answer 'A' stands in 'correct' and again in 'correct'"},
      {second_line("refusals", R"(["No."])"),
       ":2: answer 'No.' stands in 'incorrect' and again in 'refusals'"},
      {second_line("best", R"("No.")"), ":2: 'best' is 'No.', one of 'correct' is due"},
      {second_line("best", "null"), ":2: best = null, text is due"},
      {second_line("refusals", "{}"), ":2: refusals = an object, a list of texts is due"}};
  for (const auto& [bytes, said] : cases) EXPECT_EQ(complaint(bytes), said);
}

TEST(Behaviour, RefusesBadBytesWithTheirLine) {
  const std::string line = good.substr(0, good.find('\n'));
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ": no question, one a line is due"},
      {"\xEF\xBB\xBF" + good, ":1: byte-order mark; plain UTF-8 without it is due"},
      {line + "\r\n", ":1: carriage return; lines end with a line feed alone"},
      {line + "\n\n", ":2: empty line, an object is due"},
      {line + "\n{\"id\":\"\xC3\"}\n", ":2: byte 7 is not UTF-8"},
      {line + "\n" + std::string(1, '\0') + "\n", ":2: NUL character"},
      {line + "\n[]\n", ":2: a list found, an object is due"},
      {line + "\n{\"id\":\n", ":2: not JSON at byte 7"},
      {line + "\n" + std::string(100'000, '[') + "\n", ":2: nested deeper than 64"},
      {R"({"id":"a","id":"b"})", ":1: key 'id' stands twice"},
      {R"({"id":"\ud800"})", ":1: not JSON at byte 14"},
      {R"({"id":NaN})", ":1: not JSON at byte 7"}};
  for (const auto& [bytes, said] : cases) EXPECT_EQ(complaint(bytes), said);
  EXPECT_EQ(message_of([] { read_behaviour("/nowhere/b.jsonl"); }), "/nowhere/b.jsonl: no such file");
}

TEST(Documents, AreTheFirstLinesThatHoldText) {
  const TemporaryFolder folder;
  const auto file = folder.put("text.txt", "one two\n\n  \t\n three \nfour");
  EXPECT_EQ(read_documents(file, 2), (std::vector<std::string>{"one two", " three "}));
  EXPECT_EQ(read_documents(file, 9).size(), 3U);
  for (const auto& [bytes, said] : std::vector<std::pair<std::string, std::string>>{
           {"a\n\xFF\n", ":2: byte 0 is not UTF-8"},
           {"a\r\n", ":1: carriage return; lines end with a line feed alone"},
           {"\xEF\xBB\xBFhi", ":1: byte-order mark; plain UTF-8 without it is due"},
           {" \n", ": no text, one document a line is due"}}) {
    const auto bad = folder.put("bad.txt", bytes);
    EXPECT_EQ(message_of([&] { read_documents(bad, 5); }), bad.string() + said);
  }
}

}  // namespace
}  // namespace headsweep
