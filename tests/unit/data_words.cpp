// How texts are cut into words: as Hugging Face's pre-tokenizers Whitespace and WhitespaceSplit, whose
// answers stand here (tokenizers 0.23).
#include "data/words.hpp"
#include "unit/data_support.hpp"

namespace headsweep {
namespace {

struct Golden {
  std::string text;
  std::vector<std::string> words;
};
const std::vector<Golden> goldens = {
    {"What is the capital of Mip?", {"What", "is", "the", "capital", "of", "Mip", "?"}},
    {"Don't stop...now!!", {"Don", "'", "t", "stop", "...", "now", "!!"}},
    {"snake_case and e-mail@x.org", {"snake_case", "and", "e", "-", "mail", "@", "x", ".", "org"}},
    {"हिन्दी भाषा में लिखा", {"हिन्दी", "भाषा", "में", "लिखा"}},
    {"தமிழ் மொழி", {"தமிழ்", "மொழி"}},
    {"日本語の文。中国語", {"日本語の文", "。", "中国語"}},
    {"한국어 문장입니다.", {"한국어", "문장입니다", "."}},
    {"Ελληνικά, русский; עברית!", {"Ελληνικά", ",", "русский", ";", "עברית", "!"}},
    {"שָׁלוֹם עֲלֵיכֶם", {"שָׁלוֹם", "עֲלֵיכֶם"}},
    {"العربيّة نصٌّ", {"العربيّة", "نصٌّ"}},
    {"naïve café été", {"naïve", "café", "été"}},
    {"x² + y³ = ½ⅷ", {"x", "²", "+", "y", "³", "=", "½", "ⅷ"}},
    {"٣٤٥ १२३ 𝟘𝟙", {"٣٤٥", "१२३", "𝟘𝟙"}},
    {"👍🏽 👨\u200d👩\u200d👧 ok👌fine",
     {"👍🏽", "👨", "\u200d", "👩", "\u200d", "👧", "ok", "👌", "fine"}},
    {"ZW\u200cNJ zero\u200bwidth", {"ZW\u200cNJ", "zero", "\u200b", "width"}},
    {"a\u00a0b\u2003c\u3000d\302\205e\u180ef", {"a", "b", "c", "d", "e", "\u180e", "f"}},
    {"tab\tnew\nline\r\nend", {"tab", "new", "line", "end"}},
    {"\u203ftie\u203f ⓐ℃", {"\u203ftie\u203f", "ⓐ", "℃"}},
    {"\u201cquoted\u201d \u2013 dash\u2014dash",
     {"\u201c", "quoted", "\u201d", "\u2013", "dash", "\u2014", "dash"}},
    {"𐍈𐌰 𒀀", {"𐍈𐌰", "𒀀"}},
    {"a\u00adb \ufeffc", {"a", "\u00ad", "b", "\ufeff", "c"}},
    {"ﬁ ĳ ª º", {"ﬁ", "ĳ", "ª", "º"}},
    {"", {}},
    {"   ", {}},
    {"🇩🇪🇫🇷", {"🇩🇪🇫🇷"}},
    {"C++ #1 50%", {"C", "++", "#", "1", "50", "%"}},
};

TEST(Words, AreThoseOfWhitespace) {
  for (const Golden& golden : goldens) EXPECT_EQ(cut_words(golden.text), golden.words) << golden.text;
  const std::string with_nul("nul\0in", 6), nul(1, '\0');
  EXPECT_EQ(cut_words(with_nul), (std::vector<std::string>{"nul", nul, "in"}));
}

TEST(Words, OfWhitespaceSplitJoinWhatWhitespaceCutsInside) {
  for (const Golden& golden : goldens) {
    const auto words = cut_words(golden.text, WordCut::whitespace_split);
    std::string joined, all;
    for (const auto& word : words) joined += word;
    for (const auto& word : golden.words) all += word;
    EXPECT_EQ(joined, all) << golden.text;
  }
  EXPECT_EQ(cut_words("Don't  x\u00b2\u3000(e-mail)\u2003now!\n", WordCut::whitespace_split),
            (std::vector<std::string_view>{"Don't", "x\u00b2", "(e-mail)", "now!"}));
}

TEST(Words, OfAMegabyteAreCutInLinearTime) {  // in quadratic time this would not end
  const std::size_t length = 1'000'000;
  for (const char* character : {"a", "!", " "}) {
    std::string text;
    while (text.size() < length) text += character;
    EXPECT_EQ(cut_words(text).size(), *character == ' ' ? 0U : 1U);
  }
  std::string words, marks;
  while (words.size() < length) words += "a ";
  while (marks.size() < length) marks += "\u093f\u2019";
  EXPECT_EQ(cut_words(words).size(), length / 2);
  EXPECT_EQ(cut_words(marks).size(), 2 * (marks.size() / 6));
}

}  // namespace
}  // namespace headsweep
