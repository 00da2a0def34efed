// data: texts cut into words by two fixed patterns; none ever comes from a file.
#include "data/words.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <headsweep/data.hpp>
#include <memory>
#include <string>

namespace headsweep {
namespace {

struct Free {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

class Pattern {
 public:
  explicit Pattern(std::string_view pattern) {
    int error = 0;
    std::size_t offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF, &error,
                              &offset, nullptr));
    expect(code_ != nullptr,
           "PCRE2 of 10.40 or newer, which knows the Unicode properties of the word pattern");
  }

  /// All matches from left to right, without overlap.
  [[nodiscard]] std::vector<std::string_view> find_all(std::string_view text) const {
    const std::unique_ptr<pcre2_match_data, Free> match(pcre2_match_data_create(1, nullptr));
    std::vector<std::string_view> found;
    for (std::size_t at = 0; at < text.size();) {
      // Without NO_UTF_CHECK each call would read the whole rest of the text: quadratic time.
      const int count = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                    PCRE2_NO_UTF_CHECK, match.get(), nullptr);
      if (count == PCRE2_ERROR_NOMATCH) break;
      expect(count > 0, "a pattern that matches without an error");
      const std::size_t* bounds = pcre2_get_ovector_pointer(match.get());
      found.push_back(text.substr(bounds[0], bounds[1] - bounds[0]));
      at = bounds[1];
    }
    return found;
  }

 private:
  std::unique_ptr<pcre2_code, Free> code_;
};

// \w and \s of Rust's regex, which Hugging Face uses, spelt out: PCRE2's own \w leaves out marks and joiners
// (and so cuts Hindi words), and takes in numbers such as a superscript two.
const std::string word_class = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control})";
const std::string space_class = R"(\p{White_Space})";

}  // namespace

std::vector<std::string_view> cut_words(std::string_view text, WordCut cut) {
  // `++` never gives a character back, so time is linear.
  static const Pattern whitespace(cat("[", word_class, "]++|[^", word_class, space_class, "]++"));
  static const Pattern whitespace_split(cat("[^", space_class, "]++"));
  if (cut == WordCut::none) return text.empty() ? std::vector<std::string_view>{} : std::vector{text};
  return (cut == WordCut::whitespace ? whitespace : whitespace_split).find_all(text);
}

std::vector<std::string> cut_words(const std::string& text) {
  expect(find_invalid_utf8(text) == std::string::npos, "words are cut from UTF-8");
  const std::vector<std::string_view> words = cut_words(text, WordCut::whitespace);
  return {words.begin(), words.end()};
}

}  // namespace headsweep
