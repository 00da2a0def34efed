// data, private: a tokenizer's model, which turns one word into ids.
#pragma once

#include <headsweep/json.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/vocabulary.hpp"

namespace headsweep {

class WordModel {
 public:
  virtual ~WordModel() = default;
  /// Appends the ids of a word that is not empty. BadInput `where: ...` if it cannot represent the word.
  virtual void encode(std::string_view word, const std::string& where, std::vector<int>& ids) const = 0;
  [[nodiscard]] virtual const Vocabulary& words() const = 0;
};

/// One token a word: the model WordLevel.
std::unique_ptr<WordModel> make_word_level(const Json& model, const std::string& where);
/// Byte-pair encoding: the model BPE.
std::unique_ptr<WordModel> make_bpe(const Json& model, const std::string& where);

}  // namespace headsweep
