// eval: how answers are cut out of what was generated, against the cuts written as ITI's code does them, and
// when generation may stop.
#include <gtest/gtest.h>

#include <headsweep/eval.hpp>

namespace headsweep {
namespace {

const AnswerMarks iti{.after = "A:", .before = "Q:"};

/// The pieces between a text's separators.
std::vector<std::string> split_at(const std::string& text, const std::string& separator) {
  std::vector<std::string> pieces;
  std::size_t begin = 0;
  for (std::size_t at = text.find(separator); at != std::string::npos; at = text.find(separator, begin)) {
    pieces.push_back(text.substr(begin, at - begin));
    begin = at + separator.size();
  }
  pieces.push_back(text.substr(begin));
  return pieces;
}
std::string strip(const std::string& text) { return std::string(strip_blanks(text)); }

/// Piece by piece, as the code does it: an index that does not exist leaves the text as it is.
std::string plain_cut(std::string text, const AnswerMarks& marks) {
  text = strip(text);
  if (!marks.before.empty()) text = strip(split_at(text, marks.before)[0]);
  if (marks.after.empty()) return text;
  const auto pieces = split_at(text, marks.after);
  return pieces.size() > 1 ? strip(pieces[1]) : text;
}

TEST(AnswerCut, GivesWhatStandsBetweenTheMarks) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\nA: Nothing happens.\n\nQ: Why?\nA: So.", "Nothing happens."},
      {"\nA: Nothing.\nA: Something.", "Nothing."},
      {" Nothing at all. ", "Nothing at all."},
      {"Nothing. Q: Why? A: So.", "Nothing."},
      {"Q: Why?\nA: So.", ""},
      {"\nA:", ""},
      {"\nA: \u3000 Caf\u00e9\u00a0\n", "Caf\u00e9"},
      {"USA: A: so", ""},  // `A:` is found wherever it stands
      {"", ""}};
  for (const auto& [text, answer] : cases) {
    EXPECT_EQ(cut_answer(text, iti), answer) << text;
    EXPECT_EQ(plain_cut(text, iti), answer) << text;
  }
  EXPECT_EQ(cut_answer(" a Q: b A: c ", {}), "a Q: b A: c");
  EXPECT_EQ(cut_answer("a Q: b A: c", {.after = "A:", .before = {}}), "c");
  EXPECT_EQ(cut_answer("a A: b Q: c", {.after = {}, .before = "Q:"}), "a A: b");
}

/// Random texts of pieces of marks: the plain cut, and once a cut is final nothing behind it matters.
TEST(AnswerCut, EqualsThePlainCutAndIsFinalWhenItSaysSo) {
  const std::vector<AnswerMarks> all = {iti,
                                        {.after = "A:", .before = {}},
                                        {.after = {}, .before = "Q:"},
                                        {.after = ":A", .before = ":x"},
                                        {.after = "\n", .before = "\n\n"},
                                        {.after = "A: ", .before = " Q:"}};
  const std::vector<std::string> pieces = {"A", ":", "Q", " ", "\n", "x", "A:", "Q:"};
  int finals = 0, opens = 0;
  for (std::uint64_t round = 0; round < 3000; ++round) {
    Random random(round, "texts to cut");
    const AnswerMarks& marks = all[random.below(all.size())];
    std::string text;
    bool final = false;
    std::string cut;
    for (int piece = 0; piece < 14; ++piece) {
      text += pieces[random.below(pieces.size())];
      EXPECT_EQ(cut_answer(text, marks), plain_cut(text, marks)) << text;
      if (final) EXPECT_EQ(cut_answer(text, marks), cut) << text;
      if (!final && cut_is_final(text, marks)) {
        final = true;
        cut = cut_answer(text, marks);
      }
    }
    ++(final ? finals : opens);
  }
  EXPECT_GT(finals, 500);
  EXPECT_GT(opens, 500);
}

TEST(AnswerCut, IsFinalAtTheFirstMarkThatDecides) {
  EXPECT_TRUE(cut_is_final("A: no. Q:", iti));
  EXPECT_FALSE(cut_is_final("A: no. Q", iti));
  EXPECT_FALSE(cut_is_final("A: no. A:", iti));  // its last character might begin a mark of two
  EXPECT_TRUE(cut_is_final("A: no. A: ", {.after = "A:", .before = {}}));
  EXPECT_TRUE(cut_is_final("A: no. A: y", iti));
  EXPECT_FALSE(cut_is_final("A: no.", iti));
  EXPECT_FALSE(cut_is_final("no.", {}));
}

}  // namespace
}  // namespace headsweep
