// data, private: what tokenizer_config.json and its older companions say beside a tokenizer's own file.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/added_tokens.hpp"

namespace headsweep {

struct TokenizerConfig {
  std::string where;            ///< for messages: the file's name
  std::string tokenizer_class;  ///< without `Fast`; empty: not named
  std::string model_type;       ///< of config.json; empty: not named
  std::optional<bool> legacy, add_prefix_space, add_bos, add_eos;
  std::vector<AddedToken> added;             ///< with their ids
  std::map<std::string, std::string> names;  ///< `bos_token`, ... -> the token
  std::vector<std::string> special;  ///< all tokens that have a name or stand in a list of special ones
};
/// Reads tokenizer_config.json; where that lists no added tokens, special_tokens_map.json and
/// added_tokens.json, too. All may be absent.
TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder);

/// Puts the config's tokens to those of the tokenizer's file. Special tokens that nobody lists are found in
/// the model's words; unknown ones are left out.
void add_config_tokens(const TokenizerConfig& config, const Vocabulary& words, AddedTokens& added);

}  // namespace headsweep
