// data: the model BPE of a tokenizer.json. A word's characters are merged pair by pair, the pair of the
// lowest rank first, of equal ones the leftmost; a heap of pairs keeps that in n log n time.
#include <queue>
#include <tuple>
#include <unordered_map>

#include "data/byte_tokens.hpp"
#include "data/checks.hpp"
#include "data/token_fields.hpp"
#include "data/utf8.hpp"
#include "data/word_model.hpp"

namespace headsweep {
namespace {

/// What a pair of tokens becomes, and how early.
struct Merge {
  int rank = 0, id = -1;
};

class Merges {
 public:
  /// The list `merges`, whose items are written "a b" or ["a", "b"].
  void read(const Json& model, const Vocabulary& words, const std::string& where) {
    require(model.contains("merges") && model["merges"].is_array(), where, ": a list 'merges' is due");
    int rank = 0;
    for (const Json& item : model["merges"]) {
      const auto place = [&] { return cat(where, ": merges: ", rank + 1); };
      const auto id_of = [&](const std::string& word) {
        const int id = words.id_of(word);
        if (id < 0) throw BadInput(cat(place(), ": ", quote(word), " is not in the vocabulary"));
        return id;
      };
      const auto [left, right] = read_pair(item);
      if (left.empty() || right.empty())
        throw BadInput(cat(place(), ": two tokens are due, written \"a b\" or [\"a\", \"b\"]"));
      const int left_id = id_of(left), right_id = id_of(right);
      of_pair_.insert_or_assign(key(left_id, right_id), Merge{rank, id_of(left + right)});
      ++rank;
    }
  }

  [[nodiscard]] const Merge* find(int left, int right) const {
    const auto found = of_pair_.find(key(left, right));
    return found == of_pair_.end() ? nullptr : &found->second;
  }

 private:
  static std::uint64_t key(int left, int right) {
    return static_cast<std::uint64_t>(left) << 32U | static_cast<std::uint32_t>(right);
  }
  /// Empty texts unless the item is a pair.
  static std::pair<std::string, std::string> read_pair(const Json& item) {
    if (item.is_string()) {
      const auto& text = item.get_ref<const std::string&>();
      const std::size_t space = text.find(' ');
      if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) return {};
      return {text.substr(0, space), text.substr(space + 1)};
    }
    const bool is_pair = item.is_array() && item.size() == 2 && item[0].is_string() && item[1].is_string();
    if (!is_pair) return {};
    return {item[0].get<std::string>(), item[1].get<std::string>()};
  }

  std::unordered_map<std::uint64_t, Merge> of_pair_;
};

/// The tokens of one word while they are merged: a list linked by indices, which stay where they are.
class MergedWord {
 public:
  MergedWord(const Merges& merges, std::vector<int> ids) : merges_(merges), ids_(std::move(ids)) {
    const auto count = static_cast<int>(ids_.size());
    for (int i = 0; i < count; ++i) {
      before_.push_back(i - 1);
      after_.push_back(i + 1 < count ? i + 1 : -1);
    }
    for (int i = 0; i + 1 < count; ++i) offer(i);
  }

  void merge_all() {
    while (!offers_.empty()) {
      const auto [rank, left, id] = offers_.top();
      offers_.pop();
      const int right = ids_[at(left)] < 0 ? -1 : after_[at(left)];
      const Merge* merge = right < 0 ? nullptr : merges_.find(ids_[at(left)], ids_[at(right)]);
      if (merge == nullptr || merge->id != id) continue;  // the offer is older than a merge here
      ids_[at(left)] = id;
      ids_[at(right)] = -1;
      after_[at(left)] = after_[at(right)];
      if (after_[at(left)] >= 0) before_[at(after_[at(left)])] = left;
      offer(before_[at(left)]);
      offer(left);
    }
  }

  void append_to(std::vector<int>& out) const {
    for (const int id : ids_)
      if (id >= 0) out.push_back(id);
  }

 private:
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }
  void offer(int left) {
    if (left < 0 || after_[at(left)] < 0) return;
    const Merge* merge = merges_.find(ids_[at(left)], ids_[at(after_[at(left)])]);
    if (merge != nullptr) offers_.emplace(merge->rank, left, merge->id);
  }

  const Merges& merges_;
  std::vector<int> ids_;                    ///< -1: merged into the one before
  std::vector<int> before_, after_;         ///< -1: none
  using Offer = std::tuple<int, int, int>;  ///< rank, left index, id of the merged token
  std::priority_queue<Offer, std::vector<Offer>, std::greater<>> offers_;
};

class Bpe : public WordModel {
 public:
  Bpe(const Json& model, const std::string& where) {
    check_fields(model,
                 {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
                  "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"},
                 where);
    require_value(model, "dropout", {nullptr, 0.0}, where);
    require_value(model, "continuing_subword_prefix", {nullptr, ""}, where);
    require_value(model, "end_of_word_suffix", {nullptr, ""}, where);
    words_ = Vocabulary(model, where);
    merges_.read(model, words_, where);
    fuses_unknown_ = flag_or(model, "fuse_unk", false, where);
    ignores_merges_ = flag_or(model, "ignore_merges", false, where);
    if (flag_or(model, "byte_fallback", false, where)) byte_ids_ = read_byte_tokens(words_, where);
    if (model.contains("unk_token") && !model["unk_token"].is_null()) {
      const std::string unknown = json_text(model, "unk_token", where);
      unknown_id_ = words_.id_of(unknown);
      require(unknown_id_ >= 0, where, ": unk_token ", quote(unknown), " is not in the vocabulary");
    }
  }

  void encode(std::string_view word, const std::string& where, std::vector<int>& ids) const override {
    const int whole = ignores_merges_ ? words_.id_of(word) : -1;
    if (whole >= 0) {
      ids.push_back(whole);
      return;
    }
    MergedWord merged(merges_, characters(word, where));
    merged.merge_all();
    merged.append_to(ids);
  }
  [[nodiscard]] const Vocabulary& words() const override { return words_; }

 private:
  /// A token for each character, byte tokens for an unknown one, or the unknown token (once for a run of
  /// them, if that is asked for).
  [[nodiscard]] std::vector<int> characters(std::string_view word, const std::string& where) const {
    std::vector<int> ids;
    bool after_unknown = false;
    for (std::size_t begin = 0, end = 0; begin < word.size(); begin = end) {
      read_code_point(word, end);
      const std::string_view character = word.substr(begin, end - begin);
      const int id = words_.id_of(character);
      const bool is_unknown = id < 0 && byte_ids_.empty();
      require(!is_unknown || unknown_id_ >= 0, where, ": character ", quote(character),
              " is not in the tokenizer's vocabulary");
      if (id >= 0)
        ids.push_back(id);
      else if (is_unknown && !(after_unknown && fuses_unknown_))
        ids.push_back(unknown_id_);
      else if (!is_unknown)
        for (const char byte : character) ids.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
      after_unknown = is_unknown;
    }
    return ids;
  }

  Vocabulary words_;
  Merges merges_;
  std::vector<int> byte_ids_;  ///< of the tokens <0x00> to <0xFF>; empty: an unknown character is one token
  int unknown_id_ = -1;        ///< -1: none
  bool fuses_unknown_ = false, ignores_merges_ = false;
};

}  // namespace

std::unique_ptr<WordModel> make_bpe(const Json& model, const std::string& where) {
  return std::make_unique<Bpe>(model, where);
}

}  // namespace headsweep
