// data: tokenizer_config.json, special_tokens_map.json, added_tokens.json, as transformers reads them.
#include "data/tokenizer_config.hpp"

#include <charconv>

#include "data/checks.hpp"
#include "data/token_fields.hpp"

namespace headsweep {
namespace {

const std::vector<std::string> token_names = {"bos_token", "eos_token", "unk_token", "sep_token",
                                              "pad_token", "cls_token", "mask_token"};

Json read_if_there(const std::filesystem::path& file) {
  return std::filesystem::exists(file) ? read_json_file(file) : Json::object();
}

std::optional<bool> optional_flag(const Json& config, const std::string& key, const std::string& where) {
  if (!config.contains(key) || config[key].is_null()) return std::nullopt;
  return json_flag(config, key, where);
}

/// A token is named by its text or as an object with flags.
std::string content_of(const Json& token, const std::string& where) {
  if (token.is_string()) return token;
  require(token.is_object(), where, ": ", json_kind(token), " found, a token is due");
  return json_text(token, "content", where);
}

void read_names(const Json& tokens, const std::string& where, TokenizerConfig& config) {
  for (const std::string& name : token_names)
    if (tokens.contains(name) && !tokens[name].is_null())
      config.names[name] = content_of(tokens[name], cat(where, ": ", name));
  for (const char* list : {"additional_special_tokens", "extra_special_tokens"})
    if (tokens.contains(list) && tokens[list].is_array())
      for (const Json& token : tokens[list])
        config.special.push_back(content_of(token, cat(where, ": ", list)));
}

void read_added(const Json& tokens, const std::string& where, TokenizerConfig& config) {
  require(tokens.is_object(), where, ": ", json_kind(tokens), " found, an object is due");
  for (const auto& [key, token] : tokens.items()) {
    const std::string place = cat(where, ": ", quote(key));
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    require(error == std::errc{} && end == key.data() + key.size(), place, ": a token's id is due");
    AddedToken& added = config.added.emplace_back(read_added_token(token, place));
    added.id = read_token_id(id, place);
  }
}

/// `{"text": id}`; no flags.
void read_added_file(const Json& tokens, const std::string& where, TokenizerConfig& config) {
  for (const auto& [content, id] : tokens.items()) {
    require(!content.empty(), where, ": a token is empty");
    const int known_id = read_token_id(id, cat(where, ": ", quote(content)));
    config.added.push_back({.content = content, .id = known_id, .normalized = true});
  }
}

}  // namespace

TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "tokenizer_config.json";
  const Json json = read_if_there(file);
  TokenizerConfig config{.where = file.string()};
  if (json.contains("tokenizer_class") && json["tokenizer_class"].is_string())
    config.tokenizer_class = json["tokenizer_class"];
  if (config.tokenizer_class.ends_with("Fast"))
    config.tokenizer_class.resize(config.tokenizer_class.size() - 4);
  const Json model = read_if_there(folder / "config.json");
  if (model.contains("model_type") && model["model_type"].is_string())
    config.model_type = model["model_type"];
  config.legacy = optional_flag(json, "legacy", config.where);
  config.add_prefix_space = optional_flag(json, "add_prefix_space", config.where);
  config.add_bos = optional_flag(json, "add_bos_token", config.where);
  config.add_eos = optional_flag(json, "add_eos_token", config.where);
  read_names(json, config.where, config);
  if (json.contains("added_tokens_decoder")) {
    read_added(json["added_tokens_decoder"], cat(config.where, ": added_tokens_decoder"), config);
  } else {
    const std::filesystem::path names = folder / "special_tokens_map.json",
                                added = folder / "added_tokens.json";
    read_names(read_if_there(names), names.string(), config);
    read_added_file(read_if_there(added), added.string(), config);
  }
  for (const auto& [name, token] : config.names) config.special.push_back(token);
  return config;
}

void add_config_tokens(const TokenizerConfig& config, const Vocabulary& words, AddedTokens& added) {
  for (const AddedToken& token : config.added) added.add(token, config.where);
  for (const std::string& content : config.special) {
    const AddedToken* known = added.find(content);
    AddedToken token = known != nullptr ? *known : AddedToken{.content = content, .id = words.id_of(content)};
    token.special = true;
    if (token.id >= 0 && !content.empty()) added.add(token, config.where);
  }
}

}  // namespace headsweep
