// data, private: texts cut into words, as the pre-tokenizers of Hugging Face's tokenizers do; words and
// blanks at a text's ends. All texts are valid UTF-8, all times linear.
#pragma once

#include <string_view>
#include <vector>

namespace headsweep {

enum class WordCut {
  whitespace,        ///< `Whitespace`: runs of word characters, runs of other visible characters
  whitespace_split,  ///< `WhitespaceSplit`: runs of visible characters
};
/// Words of a text, as views into it.
std::vector<std::string_view> cut_words(std::string_view text, WordCut cut);

/// Whether a text's first or last character belongs to a word; an empty text has none.
bool begins_with_word(std::string_view text);
bool ends_with_word(std::string_view text);
/// Bytes of white space at a text's begin or end.
std::size_t blanks_at_begin(std::string_view text);
std::size_t blanks_at_end(std::string_view text);

}  // namespace headsweep
