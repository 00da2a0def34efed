// data, private: tokens that stand beside a tokenizer's model and are cut out of a text before it.
#pragma once

#include <headsweep/json.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "data/vocabulary.hpp"

namespace headsweep {

/// A token with its flags, as in the `added_tokens` of tokenizer.json.
struct AddedToken {
  std::string content;
  int id = -1;
  bool single_word = false;  ///< only where no word goes on before or after it
  bool lstrip = false;       ///< takes the white space before it along
  bool rstrip = false;       ///< takes the white space after it along
  bool normalized = false;   ///< is looked for in the normalized text
  bool special = false;      ///< is left out of decoded text
};
/// The flags and the content of an object; all but the content may be absent.
AddedToken read_added_token(const Json& token, const std::string& where);

/// Tokens that are looked for together: leftmost first, of those the longest.
class TokenSearch {
 public:
  void add(const std::string& content, int token);
  struct Match {
    std::size_t length = 0;
    int token = -1;
  };
  [[nodiscard]] Match longest_at(std::string_view text, std::size_t at) const;

 private:
  struct Node {
    std::map<char, std::size_t> next;
    int token = -1;
  };
  std::vector<Node> nodes_ = std::vector<Node>(1);
};

class AddedTokens {
 public:
  /// Puts a token in, or gives a known one new flags. BadInput if id or content belong to another one.
  void add(const AddedToken& token, const std::string& where);
  /// Once all are in: looks for them in texts and in normalized texts.
  template <class Normalize>
  void prepare(const Normalize& normalize) {
    for (std::size_t i = 0; i < tokens_.size(); ++i)
      if (tokens_[i].normalized)
        normalized_.add(normalize(tokens_[i].content), static_cast<int>(i));
      else
        plain_.add(tokens_[i].content, static_cast<int>(i));
  }

  [[nodiscard]] const std::vector<AddedToken>& tokens() const { return tokens_; }
  /// Null: no such token.
  [[nodiscard]] const AddedToken* find(int id) const;
  [[nodiscard]] const AddedToken* find(std::string_view content) const;
  [[nodiscard]] int largest_id() const { return names_.largest_id(); }

  /// Either an added token (id >= 0) or the text between two of them.
  struct Piece {
    std::string_view text;
    int id = -1;
  };
  [[nodiscard]] std::vector<Piece> cut(std::string_view text) const { return cut(text, plain_); }
  [[nodiscard]] std::vector<Piece> cut_normalized(std::string_view text) const {
    return cut(text, normalized_);
  }

 private:
  [[nodiscard]] std::vector<Piece> cut(std::string_view text, const TokenSearch& search) const;

  std::vector<AddedToken> tokens_;
  std::map<int, std::size_t> index_of_;  ///< by id
  Vocabulary names_;
  TokenSearch plain_, normalized_;
};

}  // namespace headsweep
