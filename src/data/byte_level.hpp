// data, private: the byte-level alphabet of GPT-2: one visible character stands for each byte.
#pragma once

#include <string>
#include <string_view>

#include "data/vocabulary.hpp"

namespace headsweep {

/// A text's bytes as characters of the alphabet.
std::string to_byte_level(std::string_view bytes);
/// The bytes that a word's characters stand for; a word with other characters stands for itself.
std::string from_byte_level(const std::string& word);
/// BadInput unless all 256 characters are words.
void check_byte_alphabet(const Vocabulary& words, const std::string& where);

}  // namespace headsweep
