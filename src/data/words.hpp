// data, private: texts cut into words, as the pre-tokenizers of Hugging Face's tokenizers do.
#pragma once

#include <string_view>
#include <vector>

namespace headsweep {

enum class WordCut {
  none,              ///< the text is one word
  whitespace,        ///< `Whitespace`: runs of word characters, runs of other visible characters
  whitespace_split,  ///< `WhitespaceSplit`: runs of visible characters
};
/// Words of a valid UTF-8 text, as views into it; in linear time.
std::vector<std::string_view> cut_words(std::string_view text, WordCut cut);

}  // namespace headsweep
