// data: texts cut into words, and what a word is made of.
#include "data/words.hpp"

#include <headsweep/data.hpp>
#include <string>

#include "data/pattern.hpp"

namespace headsweep {
namespace {

// \w of Rust's regex, which Hugging Face uses, spelt out: PCRE2's own \w leaves out marks and joiners (and so
// cuts Hindi words), and takes in numbers such as a superscript two.
const std::string word_class = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control})";

/// A character's text, at the beginning or the end.
std::string_view first_character(std::string_view text) {
  std::size_t length = std::min<std::size_t>(1, text.size());
  while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) ++length;
  return text.substr(0, length);
}
std::string_view last_character(std::string_view text) {
  std::size_t begin = text.empty() ? 0 : text.size() - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U) --begin;
  return text.substr(begin);
}

bool is_word_character(std::string_view character) {
  static const Pattern word(cat("[", word_class, "]"));
  return !word.find_all(character).empty();
}
bool is_blank(std::string_view character) {
  static const Pattern blank("\\s");
  return !blank.find_all(character).empty();
}

}  // namespace

std::vector<std::string_view> cut_words(std::string_view text, WordCut cut) {
  // `++` never gives a character back, so time is linear.
  static const Pattern whitespace(cat("[", word_class, "]++|[^", word_class, "\\s]++"));
  static const Pattern whitespace_split("[^\\s]++");
  return (cut == WordCut::whitespace ? whitespace : whitespace_split).find_all(text);
}

std::vector<std::string> cut_words(const std::string& text) {
  expect(find_invalid_utf8(text) == std::string::npos, "words are cut from UTF-8");
  const std::vector<std::string_view> words = cut_words(text, WordCut::whitespace);
  return {words.begin(), words.end()};
}

bool begins_with_word(std::string_view text) { return is_word_character(first_character(text)); }
bool ends_with_word(std::string_view text) { return is_word_character(last_character(text)); }

std::size_t blanks_at_begin(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && is_blank(first_character(text.substr(length))))
    length += first_character(text.substr(length)).size();
  return length;
}
std::size_t blanks_at_end(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0 && is_blank(last_character(text.substr(0, end))))
    end -= last_character(text.substr(0, end)).size();
  return text.size() - end;
}

std::string_view strip_blanks(std::string_view text) {
  text.remove_prefix(blanks_at_begin(text));
  text.remove_suffix(blanks_at_end(text));
  return text;
}

}  // namespace headsweep
