// data: the WordLevel tokenizer of a tokenizer.json. In: text; out: one id a word, with the template's
// special tokens.
#include "data/word_level.hpp"

#include <algorithm>
#include <unordered_map>

#include "data/checks.hpp"
#include "data/special_tokens.hpp"
#include "data/words.hpp"

namespace headsweep {
namespace {

class WordLevel : public Tokenizer {
 public:
  WordLevel(const Json& tokenizer, const std::string& where)
      : special_(tokenizer, where), template_(read_template(tokenizer, where)) {
    part_type(tokenizer, "normalizer", {"null"}, where);
    part_type(tokenizer, "decoder", {"null"}, where);
    cut_ = read_cut(tokenizer, where);
    read_vocabulary(tokenizer["model"], cat(where, ": model"));
    for (const auto& [word, id] : special_.ids()) add(word, id, cat(where, ": added_tokens"));
    for (const auto* side : {&template_.before, &template_.after})
      for (const int id : *side)
        require(word_of_.contains(id), where, ": post_processor: id ", id, " is not in the vocabulary");
  }

  [[nodiscard]] std::vector<int> encode(const std::string& text, const std::string& where) const override {
    const std::size_t bad = find_invalid_utf8(text);
    require(bad == std::string::npos, where, ": byte ", bad, " of the text is not UTF-8");
    std::vector<int> ids = template_.before;
    for (const auto& piece : special_.cut(text)) {
      if (piece.id >= 0)
        ids.push_back(piece.id);
      else
        for (const std::string_view word : cut_words(piece.text, cut_)) ids.push_back(id_of(word, where));
    }
    ids.insert(ids.end(), template_.after.begin(), template_.after.end());
    return ids;
  }

  [[nodiscard]] std::string decode(const std::vector<int>& ids) const override {
    std::vector<std::string> words;
    for (const int id : ids) {
      const auto word = word_of_.find(id);  // a model's vocabulary may be padded: such ids have no word
      if (word != word_of_.end() && !special_.contains(id)) words.push_back(word->second);
    }
    return join(words, " ");
  }

  [[nodiscard]] int vocab_size() const override { return largest_id_ + 1; }

 private:
  static WordCut read_cut(const Json& tokenizer, const std::string& where) {
    const std::string type =
        part_type(tokenizer, "pre_tokenizer", {"null", "Whitespace", "WhitespaceSplit"}, where);
    if (type == "null") return WordCut::none;
    check_fields(tokenizer["pre_tokenizer"], {"type"}, cat(where, ": pre_tokenizer"));
    return type == "Whitespace" ? WordCut::whitespace : WordCut::whitespace_split;
  }

  void read_vocabulary(const Json& model, const std::string& where) {
    check_fields(model, {"type", "vocab", "unk_token"}, where);
    require(model.contains("vocab") && model["vocab"].is_object(), where, ": an object 'vocab' is due");
    for (const auto& [word, id] : model["vocab"].items())
      add(word, read_token_id(id, cat(where, ": vocab: ", quote(word))), where);
    require(!id_of_.empty(), where, ": 'vocab' is empty");
    const auto unknown = id_of_.find(json_text(model, "unk_token", where));
    if (unknown != id_of_.end()) unknown_id_ = unknown->second;
  }

  /// A special token may stand in the vocabulary, too, under the same id.
  void add(const std::string& word, int id, const std::string& where) {
    const int known_id = id_of_.emplace(word, id).first->second;
    require(known_id == id, where, ": ", quote(word), " has id ", id, ", but ", known_id,
            " in the vocabulary");
    const std::string& known_word = word_of_.emplace(id, word).first->second;
    require(known_word == word, where, ": id ", id, " is that of ", quote(known_word), " and of ",
            quote(word));
    largest_id_ = std::max(largest_id_, id);
  }

  [[nodiscard]] int id_of(std::string_view word, const std::string& where) const {
    const auto known = id_of_.find(std::string(word));
    if (known != id_of_.end()) return known->second;
    require(unknown_id_ >= 0, where, ": word ", quote(word), " is not in the tokenizer's vocabulary");
    return unknown_id_;
  }

  SpecialTokens special_;
  TokenTemplate template_;
  WordCut cut_ = WordCut::none;
  std::unordered_map<std::string, int> id_of_;
  std::unordered_map<int, std::string> word_of_;
  int unknown_id_ = -1;  ///< of what stands for unknown words; -1: nothing does
  int largest_id_ = -1;
};

}  // namespace

std::unique_ptr<Tokenizer> make_word_level(const Json& tokenizer, const std::string& where) {
  return std::make_unique<WordLevel>(tokenizer, where);
}

}  // namespace headsweep
