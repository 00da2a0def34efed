// Unicode by itself: the normal form NFC by the examples of the standard, repaired UTF-8.
#include "data/nfc.hpp"
#include "data/utf8.hpp"
#include "unit/data_support.hpp"

namespace headsweep {
namespace {

TEST(Nfc, ComposesAsTheStandardSays) {
  EXPECT_EQ(compose_nfc("plain, naïve"), "plain, naïve");
  EXPECT_EQ(compose_nfc("e\u0301"), "\u00e9");
  EXPECT_EQ(compose_nfc("\u0301e"), "\u0301e");
  EXPECT_EQ(compose_nfc("a\u0308\u0323"), "\u1ea1\u0308");               // the mark below comes first
  EXPECT_EQ(compose_nfc("s\u0307\u0323"), "\u1e69");                     // both
  EXPECT_EQ(compose_nfc("o\u0328\u0304\u0301"), "\u01ed\u0301");         // one is blocked
  EXPECT_EQ(compose_nfc("\u212b\u2126z\u0340"), "\u00c5\u03a9z\u0300");  // singletons
  EXPECT_EQ(compose_nfc("\u0958"), "\u0915\u093c");                      // excluded from composition
  EXPECT_EQ(compose_nfc("\u1112\u1161\u11ab \ud55c \u1100\u1161"), "\ud55c \ud55c \uac00");
  EXPECT_EQ(compose_nfc("\uac00\u11a7"), "\uac00\u11a7");
  EXPECT_EQ(compose_nfc("\u09c7\u09be"), "\u09cb");  // two starters
  EXPECT_EQ(compose_nfc("\ufb01"), "\ufb01");        // compatibility only
}

TEST(Nfc, OfAMegabyteOfMarksEnds) {
  std::string text = "e";
  while (text.size() < 1'000'000) text += "\u0301\u0323";
  const std::string composed = compose_nfc(text);
  EXPECT_EQ(composed.substr(0, 5), "\u1eb9\u0323");
  EXPECT_EQ(compose_nfc(composed), composed);
}

TEST(Utf8, IsRepairedWhereACharacterBreaksOff) {
  EXPECT_EQ(repair_utf8("abc é"), "abc é");
  EXPECT_EQ(repair_utf8("\xF0\x9F\x98"), "\uFFFD");
  EXPECT_EQ(repair_utf8("\xF0\x9Fz\xC3"), "\uFFFDz\uFFFD");
  EXPECT_EQ(repair_utf8("\xE0\x80\x80"), "\uFFFD\uFFFD\uFFFD");  // an overlong form begins no character
  EXPECT_EQ(repair_utf8("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(repair_utf8("\xC0\xAF\xFF"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(repair_utf8(""), "");
  for (const char32_t code_point : {U'a', U'\u00e9', U'\u0800', U'\uffff', U'\U0010ffff'}) {
    std::string text = "x";
    append_code_point(text, code_point);
    std::size_t at = 1;
    EXPECT_EQ(read_code_point(text, at), code_point);
    EXPECT_EQ(at, text.size());
  }
}

}  // namespace
}  // namespace headsweep
