// TruthfulQA's CSV: what RFC 4180 says of fields, what is made of answers, the message of each bad file; and
// the real file where HEADSWEEP_TRUTHFULQA names it.
#include <gmock/gmock.h>

#include <set>

#include "data/csv.hpp"
#include "unit/data_support.hpp"

namespace headsweep {
namespace {

using testing::ElementsAre;
using Texts = std::vector<std::string>;

const std::string header = "Type,Category,Question,Best Answer,Correct Answers,Incorrect Answers,Source\n";

Behaviour read_csv(const std::string& bytes, Groups groups = Groups::category) {
  const TemporaryFolder folder;
  return read_behaviour(folder.put("b.csv", bytes), groups);
}

/// What reading `bytes` says after the file's name.
std::string complaint(const std::string& bytes) {
  const std::string message = message_of([&] { read_csv(bytes); });
  const std::size_t name = message.find("b.csv");
  EXPECT_EQ(message.find('\n'), std::string::npos);
  return name == std::string::npos ? message : message.substr(name + 5);
}

std::vector<std::pair<std::size_t, Texts>> records_of(const std::string& bytes) {
  std::vector<std::pair<std::size_t, Texts>> records;
  for (const CsvRecord& record : parse_csv(bytes, "f")) records.emplace_back(record.line, record.fields);
  return records;
}

TEST(Csv, FieldsAreThoseOfRfc4180) {
  using Records = std::vector<std::pair<std::size_t, Texts>>;
  EXPECT_EQ(records_of(""), Records{});
  EXPECT_EQ(records_of("a,b\nc"), (Records{{1, {"a", "b"}}, {2, {"c"}}}));
  EXPECT_EQ(records_of("a,b\r\nc,\r\n"), (Records{{1, {"a", "b"}}, {2, {"c", ""}}}));
  EXPECT_EQ(records_of(",\n\na\r\n\n"), (Records{{1, {"", ""}}, {2, {""}}, {3, {"a"}}}));  // none at the end
  EXPECT_EQ(records_of("\"a,\"\"b\"\"\r\n,\n\",\"\"\nx,\" y\"\n\"\"\"\""),
            (Records{{1, {"a,\"b\"\r\n,\n", ""}}, {4, {"x", " y"}}, {5, {"\""}}}));
}

TEST(Csv, RefusesWhatHasNoOneReading) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a\n\"b\nc", "f:2: a quote is not closed"},
      {"a,b\nc\"d\",e\n",
       "f:2: a quote inside a field; such a field stands in quotes, and its own are doubled"},
      {"\"a\nb\" ,c", "f:2: text after a closing quote; a comma or the line's end is due"},
      {"a\rb", "f:1: a carriage return without its line feed"},
      {"a\nb\xC3,", "f:2: byte 1 is not UTF-8"},
      {std::string("a\n\n\0b", 5), "f:3: NUL character"},
      {"\xEF\xBB\xBF"
       "a",
       "f:1: byte-order mark; plain UTF-8 without it is due"}};
  for (const auto& [bytes, said] : cases) EXPECT_EQ(message_of([&] { parse_csv(bytes, "f"); }), said);
}

TEST(TruthfulQa, AnswersAreCutAndToldApart) {
  const Behaviour read = read_csv(header +
                                  "Adversarial,Law,\" Why, \"\"you\"\"? \",Best one,\"A b; A  b;;A b ; i  "
                                  "HAVE no Comment. ;\u00a0É; \",\"C; A b;C;D \",u\n"
                                  "N,Law,Who?,I have no comment,I have no comment,E,u\n");
  ASSERT_EQ(read.questions.size(), 2U);
  const Question& first = read.questions[0];
  EXPECT_EQ(first.id, "row 1");
  EXPECT_EQ(first.group, "Law");
  EXPECT_EQ(first.text, "Why, \"you\"?");
  EXPECT_EQ(first.best, "Best one");
  EXPECT_THAT(first.correct, ElementsAre("Best one", "A b", "A  b", "É"));
  EXPECT_THAT(first.refusals, ElementsAre("i  HAVE no Comment."));
  EXPECT_THAT(first.incorrect, ElementsAre("C", "D"));
  EXPECT_EQ(first.line, 2);
  const Question& second = read.questions[1];
  EXPECT_EQ(second.best, "I have no comment");
  EXPECT_TRUE(second.correct.empty());
  EXPECT_THAT(second.refusals, ElementsAre("I have no comment"));
}

TEST(TruthfulQa, WhatIsInBothListsIsToldOnce) {
  testing::internal::CaptureStderr();
  read_csv(header + "T,C,Q1,A,A;B,D;A,u\nT,C,\"Q\n2\",A,A,\"D;A\",u\n\"T\",C,Q3,A,A,A;E,u\n");
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(
      log, testing::EndsWith("b.csv: correct answers that are said to be incorrect, too, count as correct: "
                             "line 2 'A', line 3 'A', line 5 'A'\n"));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1);
}

TEST(TruthfulQa, ColumnsAreFoundByTheirNames) {
  const Behaviour later = read_csv(
      "Incorrect Answers,Best Incorrect Answer,Extra,Question,Correct Answers,Best Answer\nW; "
      "V,V,,Q?,R,R\nW,V,,P?,R,R\n",
      Groups::question);
  EXPECT_THAT(later.questions[0].incorrect, ElementsAre("W", "V"));
  EXPECT_THAT(later.questions[1].incorrect, ElementsAre("V", "W"));
  EXPECT_EQ(later.questions[1].group, "P?");
  const std::string said =
      complaint("Type,category,Question,Best Answer,Correct Answers,Incorrect Answers\n");
  EXPECT_EQ(said,
            ":1: column 'Category' is missing; is 'category' meant? (found: Type, category, Question, Best "
            "Answer, Correct Answers, Incorrect Answers)");
}

TEST(TruthfulQa, RefusesBadRecordsWithTheirLine) {
  const std::string good = "T,C,\"Q\n1\",A,A,B,u\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ": empty; a line with the names of the columns is due"},
      {header, ": no question, one a line is due"},
      {"Question,Question\n", ":1: column 'Question' stands twice"},
      {header + good + "T,C,Q,A,A\n", ":4: 5 fields, 7 are due, one for each column"},
      {header + good + "\n" + good, ":4: 1 field, 7 are due, one for each column"},
      {header + good + "T, ,Q,A,A,B,u\n", ":4: 'Category' is empty"},
      {header + good + "T,C,,A,A,B,u\n", ":4: 'Question' is empty"},
      {header + good + "T,C,Q, ,A,B,u\n", ":4: 'Best Answer' is empty"},
      {header + good + "T,C,Q,A,;,B,u\n", ":4: 'Correct Answers' holds no answer"},
      {header + good + "T,C,Q,A,A,,u\n", ":4: 'Incorrect Answers' holds no answer"},
      {header + good + "T,C,Q,A,B,A; B,u\n",
       ":4: 'Incorrect Answers' holds no answer that is not a correct one"}};
  for (const auto& [bytes, said] : cases) EXPECT_EQ(complaint(bytes), said);
}

/// The file of 2021: 817 questions with 2,839 correct and 3,369 incorrect answers.
TEST(TruthfulQa, TheRealFileIsReadWhole) {
  const char* file = std::getenv("HEADSWEEP_TRUTHFULQA");
  if (file == nullptr) GTEST_SKIP() << "HEADSWEEP_TRUTHFULQA names no file";
  for (const Groups groups : {Groups::category, Groups::question}) {
    const Behaviour read = read_behaviour(file, groups);
    std::set<std::string> names, ids;
    std::size_t correct = 0, refusals = 0, incorrect = 0, refused = 0;
    for (const Question& question : read.questions) {
      names.insert(question.group);
      ids.insert(question.id);
      correct += question.correct.size();
      refusals += question.refusals.size();
      incorrect += question.incorrect.size();
      const auto& list = question.refusals;
      refused += std::find(list.begin(), list.end(), question.best) != list.end() ? 1U : 0U;
    }
    EXPECT_EQ(read.questions.size(), 817U);
    EXPECT_EQ(ids.size(), 817U);
    EXPECT_EQ(names.size(), groups == Groups::category ? 38U : 817U);
    EXPECT_EQ(correct, 2725U);  // 2,839 less 112 refusals and 2 repeated
    EXPECT_EQ(refusals, 112U);
    EXPECT_EQ(incorrect, 3366U);  // 3,369 less 2 that are correct, too, and 1 repeated
    EXPECT_EQ(refused, 56U);
    const Split split = make_splits(read, {}, 0).front();
    const auto size = [&](SplitPart part) { return split.questions(part).size(); };
    if (groups == Groups::question)  // the paper's shares
      EXPECT_THAT((std::vector{size(SplitPart::train), size(SplitPart::val), size(SplitPart::test)}),
                  ElementsAre(490, 164, 163));
  }
}

}  // namespace
}  // namespace headsweep
