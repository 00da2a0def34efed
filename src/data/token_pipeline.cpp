// data: texts through the parts of a tokenizer and back.
#include "data/token_pipeline.hpp"

#include <algorithm>

#include "data/checks.hpp"

namespace headsweep {
namespace {

class Pipeline : public Tokenizer {
 public:
  Pipeline(TokenizerParts parts, const std::string& where) : parts_(std::move(parts)) {
    for (const AddedToken& token : parts_.added.tokens()) check_added(token, cat(where, ": added_tokens"));
    for (const auto* side : {&parts_.around.before, &parts_.around.after})
      for (const int id : *side)
        require(token_of(id) != nullptr, where, ": post_processor: id ", id, " is not in the vocabulary");
    parts_.added.prepare([&](const std::string& content) { return normalize(parts_.normalizer, content); });
  }

  [[nodiscard]] std::vector<int> encode(const std::string& text, const std::string& where) const override {
    const std::size_t bad = find_invalid_utf8(text);
    require(bad == std::string::npos, where, ": byte ", bad, " of the text is not UTF-8");
    std::vector<int> ids = parts_.around.before;
    for (const auto& piece : parts_.added.cut(text))
      if (piece.id >= 0)
        ids.push_back(piece.id);
      else
        encode_plain(piece.text, piece.text.data() == text.data(), where, ids);
    ids.insert(ids.end(), parts_.around.after.begin(), parts_.around.after.end());
    return ids;
  }

  [[nodiscard]] std::string decode(const std::vector<int>& ids) const override {
    Tokens tokens;
    for (const int id : ids) {
      const AddedToken* added = parts_.added.find(id);
      const std::string* token = token_of(id);  // a model's vocabulary may be padded: such ids have no token
      if (token == nullptr || (added != nullptr && added->special)) continue;
      const bool as_normalized = added != nullptr && added->normalized;  // the decoder undoes that
      tokens.push_back(as_normalized ? normalize(parts_.normalizer, *token) : *token);
    }
    return headsweep::decode(parts_.decoder, std::move(tokens));
  }

  [[nodiscard]] int vocab_size() const override {
    return 1 + std::max(parts_.model->words().largest_id(), parts_.added.largest_id());
  }

 private:
  /// An added token may stand among the model's words, too, under the same id.
  void check_added(const AddedToken& token, const std::string& where) const {
    const Vocabulary& words = parts_.model->words();
    const int known_id = words.id_of(token.content);
    require(known_id < 0 || known_id == token.id, where, ": ", quote(token.content), " has id ", token.id,
            ", but ", known_id, " in the vocabulary");
    const std::string* known_word = words.word_of(token.id);
    require(known_word == nullptr || *known_word == token.content, where, ": id ", token.id, " is that of ",
            quote(known_word == nullptr ? "" : *known_word), " and of ", quote(token.content));
  }

  [[nodiscard]] const std::string* token_of(int id) const {
    const AddedToken* added = parts_.added.find(id);
    return added != nullptr ? &added->content : parts_.model->words().word_of(id);
  }

  /// Text without added tokens, but for those that are looked for once it is normalized.
  void encode_plain(std::string_view text, bool first, const std::string& where,
                    std::vector<int>& ids) const {
    const std::string normalized = normalize(parts_.normalizer, std::string(text));
    for (const auto& piece : parts_.added.cut_normalized(normalized)) {
      if (piece.id >= 0) {
        ids.push_back(piece.id);
        continue;
      }
      const bool begins = first && piece.text.data() == normalized.data();
      for (const std::string& word : parts_.pre_tokenizer.cut(std::string(piece.text), begins))
        if (!word.empty()) parts_.model->encode(word, where, ids);
    }
  }

  TokenizerParts parts_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_pipeline(TokenizerParts parts, const std::string& where) {
  return std::make_unique<Pipeline>(std::move(parts), where);
}

}  // namespace headsweep
