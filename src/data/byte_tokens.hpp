// data, private: the tokens <0x00> to <0xFF>, which spell what a vocabulary has no word for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/vocabulary.hpp"

namespace headsweep {

/// Ids of the 256 byte tokens. BadInput if one is missing.
std::vector<int> read_byte_tokens(const Vocabulary& words, const std::string& where);
/// The byte that a token stands for, -1 if it is no byte token.
int byte_of_token(std::string_view token);
/// Each run of byte tokens becomes its text, or one U+FFFD a byte where the run is not UTF-8.
std::vector<std::string> join_byte_tokens(const std::vector<std::string>& tokens);

}  // namespace headsweep
