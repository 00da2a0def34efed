// data: NFC, as the Unicode Standard's chapter 3.11 defines it: decompose, order the marks, compose.
#include "data/nfc.hpp"

#include <algorithm>
#include <charconv>
#include <headsweep/base.hpp>
#include <unordered_map>
#include <vector>

#include "data/utf8.hpp"
#include "data/words.hpp"

namespace headsweep {
namespace {

// Hangul syllables are computed: chapter 3.12.
constexpr char32_t first_syllable = 0xAC00, first_lead = 0x1100, first_vowel = 0x1161, before_tails = 0x11A7;
constexpr char32_t leads = 19, vowels = 21, tails = 28;

class Tables {
 public:
  Tables() {
    for (const std::string_view entry : cut_words(nfc_decompositions, WordCut::whitespace_split))
      read_decomposition(std::string(entry));
    for (const std::string_view entry : cut_words(nfc_classes, WordCut::whitespace_split))
      read_class(std::string(entry));
  }

  void decompose(char32_t character, std::u32string& out) const {
    const auto found = parts_of_.find(character);
    if (character >= first_syllable && character < first_syllable + leads * vowels * tails) {
      const char32_t index = character - first_syllable;
      out += first_lead + index / (vowels * tails);
      out += first_vowel + index / tails % vowels;
      if (index % tails > 0) out += before_tails + index % tails;
    } else if (found == parts_of_.end()) {
      out += character;
    } else {
      for (const char32_t part : found->second) decompose(part, out);
    }
  }

  /// What two characters compose to, 0 if to nothing.
  [[nodiscard]] char32_t compose(char32_t first, char32_t second) const {
    if (first >= first_lead && first < first_lead + leads && second >= first_vowel &&
        second < first_vowel + vowels)
      return first_syllable + ((first - first_lead) * vowels + (second - first_vowel)) * tails;
    const bool open_syllable = first >= first_syllable && first < first_syllable + leads * vowels * tails &&
                               (first - first_syllable) % tails == 0;
    if (open_syllable && second > before_tails && second < before_tails + tails)
      return first + (second - before_tails);
    const auto found = composite_of_.find(key(first, second));
    return found == composite_of_.end() ? 0 : found->second;
  }

  [[nodiscard]] int class_of(char32_t character) const {
    const auto found = class_of_.find(character);
    return found == class_of_.end() ? 0 : found->second;
  }

 private:
  static std::uint64_t key(char32_t first, char32_t second) { return std::uint64_t{first} << 32U | second; }

  static std::uint32_t number(std::string_view digits, int base) {
    std::uint32_t value = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    expect(read.ec == std::errc{}, "a number in the tables of NFC");
    return value;
  }

  void read_decomposition(const std::string& entry) {
    const std::size_t equals = entry.find('='), plus = entry.find('+');
    const char32_t composite = number(entry.substr(0, equals), 16);
    std::u32string parts(1, number(entry.substr(equals + 1), 16));
    if (plus != std::string::npos) parts += number(entry.substr(plus + 1), 16);
    if (entry.back() != '!' && parts.size() == 2) composite_of_.emplace(key(parts[0], parts[1]), composite);
    parts_of_.emplace(composite, parts);
  }

  void read_class(const std::string& entry) {
    const std::size_t dash = entry.find('-'), colon = entry.find(':');
    const char32_t last = number(entry.substr(dash + 1), 16);
    for (char32_t character = number(entry.substr(0, dash), 16); character <= last; ++character)
      class_of_.emplace(character, static_cast<int>(number(entry.substr(colon + 1), 10)));
  }

  std::unordered_map<char32_t, std::u32string> parts_of_;
  std::unordered_map<std::uint64_t, char32_t> composite_of_;
  std::unordered_map<char32_t, int> class_of_;
};

/// Decomposed, with each run of marks in the order of their classes.
std::u32string decompose(std::string_view text, const Tables& tables) {
  std::u32string characters;
  for (std::size_t at = 0; at < text.size();) tables.decompose(read_code_point(text, at), characters);
  const auto is_mark = [&](char32_t character) { return tables.class_of(character) != 0; };
  for (auto begin = characters.begin(); begin != characters.end();) {
    begin = std::find_if(begin, characters.end(), is_mark);
    const auto end = std::find_if_not(begin, characters.end(), is_mark);
    std::stable_sort(begin, end,
                     [&](char32_t a, char32_t b) { return tables.class_of(a) < tables.class_of(b); });
    begin = end;
  }
  return characters;
}

/// Joins each character with the last starter unless one between them, of its class or a higher one, blocks
/// it.
std::u32string compose(const std::u32string& characters, const Tables& tables) {
  std::u32string composed;
  std::size_t starter = std::u32string::npos;
  int last_class = 0;  // of what stands between the starter and here
  for (const char32_t character : characters) {
    const int own_class = tables.class_of(character);
    const bool after_starter = starter != std::u32string::npos;
    const bool adjacent = after_starter && starter + 1 == composed.size();
    const bool reaches = adjacent || (after_starter && last_class != 0 && last_class < own_class);
    const char32_t composite = reaches ? tables.compose(composed[starter], character) : 0;
    if (composite != 0) {
      composed[starter] = composite;
      continue;
    }
    if (own_class == 0) starter = composed.size();
    last_class = own_class;
    composed += character;
  }
  return composed;
}

}  // namespace

std::string compose_nfc(std::string_view text) {
  constexpr char32_t first_changed = 0x300;  // all below stay as they are beside each other
  bool plain = true;
  for (std::size_t at = 0; plain && at < text.size();) plain = read_code_point(text, at) < first_changed;
  if (plain) return std::string(text);
  static const Tables tables;
  std::string result;
  for (const char32_t character : compose(decompose(text, tables), tables))
    append_code_point(result, character);
  return result;
}

}  // namespace headsweep
