// data: the model WordLevel of a tokenizer.json: one id a word.
#include "data/checks.hpp"
#include "data/word_model.hpp"

namespace headsweep {
namespace {

class WordLevel : public WordModel {
 public:
  WordLevel(const Json& model, const std::string& where) {
    check_fields(model, {"type", "vocab", "unk_token"}, where);
    words_ = Vocabulary(model, where);
    unknown_id_ = words_.id_of(json_text(model, "unk_token", where));
  }

  void encode(std::string_view word, const std::string& where, std::vector<int>& ids) const override {
    const int id = words_.id_of(word);
    require(id >= 0 || unknown_id_ >= 0, where, ": word ", quote(word),
            " is not in the tokenizer's vocabulary");
    ids.push_back(id >= 0 ? id : unknown_id_);
  }
  [[nodiscard]] const Vocabulary& words() const override { return words_; }

 private:
  Vocabulary words_;
  int unknown_id_ = -1;  ///< of what stands for unknown words; -1: nothing does
};

}  // namespace

std::unique_ptr<WordModel> make_word_level(const Json& model, const std::string& where) {
  return std::make_unique<WordLevel>(model, where);
}

}  // namespace headsweep
