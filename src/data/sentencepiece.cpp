// data: tokenizer.model of LLaMA 1, LLaMA 2 and Mistral: the library merges the pieces; blanks, special
// tokens and decoding are those of transformers.
#include <sentencepiece_processor.h>

#include "data/byte_tokens.hpp"
#include "data/checks.hpp"
#include "data/sentencepiece_file.hpp"
#include "data/token_pipeline.hpp"

namespace headsweep {
namespace {

class Sentencepiece : public WordModel {
 public:
  Sentencepiece(const SentencepieceFile& file, const std::string& where) {
    const auto status = processor_.LoadFromSerializedProto(file.for_library);
    require(status.ok(), where, ": sentencepiece says: ", quote(status.ToString()));
    expect(processor_.GetPieceSize() == static_cast<int>(file.pieces.size()),
           "the pieces that sentencepiece has");
    for (std::size_t id = 0; id < file.pieces.size(); ++id)
      words_.add(file.pieces[id].text, static_cast<int>(id), where);
  }

  void encode(std::string_view word, const std::string& where, std::vector<int>& ids) const override {
    std::vector<int> found;
    const auto status = processor_.Encode(word, &found);
    require(status.ok(), where, ": sentencepiece says: ", quote(status.ToString()));
    ids.insert(ids.end(), found.begin(), found.end());
  }
  [[nodiscard]] const Vocabulary& words() const override { return words_; }

 private:
  sentencepiece::SentencePieceProcessor processor_;
  Vocabulary words_;
};

AddedTokens special_pieces(const std::vector<Piece>& pieces, const std::string& where) {
  AddedTokens added;
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    const PieceKind kind = pieces[id].kind;
    const bool special = kind == PieceKind::unknown || kind == PieceKind::control;
    if (special || kind == PieceKind::user_defined)
      added.add({.content = pieces[id].text, .id = static_cast<int>(id), .special = special}, where);
  }
  return added;
}

/// The id of a special token that a config asks for.
std::vector<int> named_id(const TokenizerConfig& config, const std::string& name,
                          const std::string& otherwise, const AddedTokens& added) {
  const auto found = config.names.find(name);
  const bool is_named = found != config.names.end() && !found->second.empty();
  const std::string token = is_named ? found->second : otherwise;
  const AddedToken* known = added.find(token);
  require(known != nullptr, config.where, ": ", name, " ", quote(token), " is not in the vocabulary");
  return {known->id};
}

}  // namespace

std::unique_ptr<Tokenizer> read_sentencepiece(const std::filesystem::path& path,
                                              const TokenizerConfig& config) {
  const std::string where = path.string();
  constexpr std::uint64_t cap = 100'000'000;
  const SentencepieceFile file = read_sentencepiece_file(read_file(path, cap), where);
  const bool prepends = config.add_prefix_space.value_or(file.adds_prefix);
  const Prefix prefix = !prepends                       ? Prefix::never
                        : config.legacy.value_or(false) ? Prefix::always
                                                        : Prefix::first;
  TokenizerParts parts;
  parts.model = std::make_unique<Sentencepiece>(file, where);
  parts.added = special_pieces(file.pieces, where);
  add_config_tokens(config, parts.model->words(), parts.added);
  parts.pre_tokenizer = PreTokenizer({metaspace_step("\u2581", prefix, false)});
  parts.decoder = metaspace_decoder("\u2581", prepends);
  if (config.add_bos.value_or(true)) parts.around.before = named_id(config, "bos_token", "<s>", parts.added);
  if (config.add_eos.value_or(false)) parts.around.after = named_id(config, "eos_token", "</s>", parts.added);
  return make_pipeline(std::move(parts), where);
}

}  // namespace headsweep
