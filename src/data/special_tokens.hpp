// data, private: the parts of a tokenizer.json that all its types share: special tokens and the template
// around a text.
#pragma once

#include <headsweep/json.hpp>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace headsweep {

/// A token's id: not negative, and 1 + id is an int.
int read_token_id(const Json& value, const std::string& where);

/// Type of a part of tokenizer.json ("null" where it is null or absent). BadInput, with the list, unless
/// supported.
std::string part_type(const Json& tokenizer, const std::string& part,
                      const std::vector<std::string>& supported, const std::string& where);

/// The added tokens of a tokenizer.json; all must be special and matched as they stand.
class SpecialTokens {
 public:
  SpecialTokens(const Json& tokenizer, const std::string& where);

  [[nodiscard]] const std::map<std::string, int>& ids() const { return ids_; }
  [[nodiscard]] bool contains(int id) const { return is_special_.contains(id); }

  /// Either a special token (id >= 0) or the text between two of them.
  struct Piece {
    std::string_view text;
    int id = -1;
  };
  /// Cuts out the special tokens that stand in a text: leftmost first, of those the longest.
  [[nodiscard]] std::vector<Piece> cut(std::string_view text) const;

 private:
  [[nodiscard]] Piece longest_at_start(std::string_view text) const;
  std::map<std::string, int> ids_;
  std::set<int> is_special_;
  std::string first_bytes_;  ///< with which a special token may begin
};

/// Token ids that stand before and after every text.
struct TokenTemplate {
  std::vector<int> before, after;
};
TokenTemplate read_template(const Json& tokenizer, const std::string& where);

}  // namespace headsweep
