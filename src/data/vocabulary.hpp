// data, private: the words of a tokenizer's model and their ids.
#pragma once

#include <headsweep/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>

namespace headsweep {

/// One id a word, one word an id.
class Vocabulary {
 public:
  /// The object `vocab` of a model in tokenizer.json.
  Vocabulary(const Json& model, const std::string& where);
  Vocabulary() = default;

  /// BadInput if the word has another id or the id another word.
  void add(const std::string& word, int id, const std::string& where);
  [[nodiscard]] int id_of(std::string_view word) const;         ///< -1: unknown
  [[nodiscard]] const std::string* word_of(int id) const;       ///< null: unknown
  [[nodiscard]] int largest_id() const { return largest_id_; }  ///< -1: empty

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view word) const { return std::hash<std::string_view>{}(word); }
  };
  std::unordered_map<std::string, int, Hash, std::equal_to<>> id_of_;
  std::unordered_map<int, std::string> word_of_;
  int largest_id_ = -1;
};

}  // namespace headsweep
