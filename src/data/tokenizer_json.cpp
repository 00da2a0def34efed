// data: tokenizer.json of Hugging Face's tokenizers: its parts read, anything unknown refused by name.
#include "data/byte_level.hpp"
#include "data/checks.hpp"
#include "data/token_fields.hpp"
#include "data/token_pipeline.hpp"

namespace headsweep {
namespace {

AddedTokens read_added_tokens(const Json& tokenizer, const std::string& where) {
  AddedTokens added;
  if (!tokenizer.contains("added_tokens")) return added;
  const std::string place = cat(where, ": added_tokens");
  require(tokenizer["added_tokens"].is_array(), place, ": ", json_kind(tokenizer["added_tokens"]),
          " found, a list is due");
  for (const Json& item : tokenizer["added_tokens"]) {
    AddedToken token = read_added_token(item, place);
    token.id =
        read_token_id(item.contains("id") ? item["id"] : Json(), cat(place, ": ", quote(token.content)));
    require(added.find(token.id) == nullptr, place, ": id ", token.id, " stands twice");
    require(added.find(token.content) == nullptr, place, ": ", quote(token.content), " stands twice");
    added.add(token, place);
  }
  return added;
}

/// Whether transformers (since 5) takes of this file the model, the tokens and the template only, for the
/// class that the folder names brings the rest along.
bool is_rebuilt_as_llama(const std::string& text, const TokenizerConfig& config) {
  const bool is_mistral = config.model_type.starts_with("mi");  // mistral, mixtral, ministral: read as it is
  return config.tokenizer_class == "LlamaTokenizer" && !is_mistral &&
         text.find("\"ByteLevel\"") == std::string::npos;
}

void rebuild_as_llama(const TokenizerConfig& config, TokenizerParts& parts) {
  const std::string sign = "\u2581";
  const bool prepends = config.add_prefix_space.value_or(true);
  const Prefix prefix = !prepends                       ? Prefix::never
                        : config.legacy.value_or(false) ? Prefix::always
                                                        : Prefix::first;
  parts.normalizer.clear();
  parts.pre_tokenizer = PreTokenizer({metaspace_step(sign, prefix, false)});
  parts.decoder = metaspace_decoder(sign, prepends);
}

}  // namespace

std::unique_ptr<Tokenizer> read_tokenizer_json(const std::filesystem::path& file,
                                               const TokenizerConfig& config) {
  const std::string where = file.string();
  constexpr std::uint64_t cap = 100'000'000;
  const std::string text = read_file(file, cap);
  const Json json = parse_json(text, where);
  require(json.is_object(), where, ": ", json_kind(json), " found, an object is due");
  // `truncation` and `padding` are not looked at, as in transformers: a text is never cut or filled up
  // silently.
  check_fields(json,
               {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                "post_processor", "decoder", "model"},
               where);
  const std::string type = part_type(json, "model", {"BPE", "WordLevel"}, where);
  const std::string model = cat(where, ": model");
  TokenizerParts parts;
  parts.model = type == "BPE" ? make_bpe(json["model"], model) : make_word_level(json["model"], model);
  parts.normalizer = read_normalizer(json, where);
  auto [cutter, byte_level] = read_pre_tokenizer(json, where);
  if (byte_level) check_byte_alphabet(parts.model->words(), model);
  parts.pre_tokenizer = std::move(cutter);
  parts.around = read_template(json, where);
  parts.decoder = read_decoder(json, where);
  parts.added = read_added_tokens(json, where);
  add_config_tokens(config, parts.model->words(), parts.added);
  if (is_rebuilt_as_llama(text, config)) rebuild_as_llama(config, parts);
  return make_pipeline(std::move(parts), where);
}

}  // namespace headsweep
