// data, private: a tokenizer of exchangeable parts, in the order in which a text passes through them.
#pragma once

#include <headsweep/data.hpp>
#include <memory>

#include "data/added_tokens.hpp"
#include "data/decoder.hpp"
#include "data/normalizer.hpp"
#include "data/pre_tokenizer.hpp"
#include "data/token_template.hpp"
#include "data/tokenizer_config.hpp"
#include "data/word_model.hpp"

namespace headsweep {

struct TokenizerParts {
  AddedTokens added;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::unique_ptr<WordModel> model;
  TokenTemplate around;
  Decoder decoder;
};
/// Checks that the parts know the same tokens; `where` names the file for messages.
std::unique_ptr<Tokenizer> make_pipeline(TokenizerParts parts, const std::string& where);

/// From the text of a folder's tokenizer.json.
std::unique_ptr<Tokenizer> read_tokenizer_json(const std::filesystem::path& file,
                                               const TokenizerConfig& config);
/// From a folder's tokenizer.model of sentencepiece.
std::unique_ptr<Tokenizer> read_sentencepiece(const std::filesystem::path& file,
                                              const TokenizerConfig& config);

}  // namespace headsweep
