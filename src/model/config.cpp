// model: config.json of a LLaMA model, as transformers 4 and 5 write it. In: an untrusted file; out: numbers
// in range. What is not supported is refused by name, never guessed.
#include <cmath>
#include <headsweep/json.hpp>
#include <headsweep/model.hpp>

namespace headsweep {
namespace {

constexpr int most_layers = 1024, most_heads = 1024, most_head_dim = 1024;
constexpr int most_width = 1 << 20, most_vocab = 1 << 22, most_positions = 1 << 20;

bool given(const Json& object, const std::string& key) {
  const auto found = object.find(key);
  return found != object.end() && !found->is_null();
}

void require_text(const Json& config, const std::string& key, const std::string& where,
                  const char* supported) {
  const std::string value = json_text(config, key, where);
  require(value == supported, where, ": ", key, " '", value, "' is not supported; supported: ", supported);
}

void refuse_flag(const Json& config, const std::string& key, const std::string& where) {
  if (!config.contains(key)) return;
  require(!json_flag(config, key, where), where, ": ", key, " = true is not supported; supported: false");
}

/// rope_theta of an object that may hold only keys of unscaled rotary positions; NaN if it says nothing.
double read_rope(const Json& rope, const std::string& where) {
  require(rope.is_object(), where, ": ", json_kind(rope), " found, an object is due");
  for (const char* key : {"rope_type", "type"})
    if (rope.contains(key)) require_text(rope, key, where, "default");
  for (const auto& [key, value] : rope.items()) {
    const bool known = key == "rope_theta" || key == "rope_type" || key == "type";
    require(known, where, ": '", key, "' is not supported; supported: rope_theta, rope_type");
  }
  return rope.contains("rope_theta") ? json_number(rope, "rope_theta", where) : std::nan("");
}

/// transformers 4 writes rope_theta and rope_scaling, transformers 5 rope_parameters.
double read_rope_theta(const Json& config, const std::string& where) {
  double theta = std::nan("");
  const auto take = [&](double value) {
    if (std::isnan(value)) return;
    require(std::isnan(theta) || theta == value, where, ": rope_theta is ", theta, " and ", value);
    theta = value;
  };
  if (config.contains("rope_theta")) take(json_number(config, "rope_theta", where));
  for (const char* key : {"rope_scaling", "rope_parameters"})
    if (given(config, key)) take(read_rope(config[key], cat(where, ": ", key)));
  if (std::isnan(theta)) return ModelConfig{}.rope_theta;
  require(std::isfinite(theta) && theta > 0, where, ": rope_theta = ", theta, ", a positive number is due");
  return theta;
}

/// The first of a list of ids, one id, or -1 for none.
int read_token(const Json& config, const std::string& key, const std::string& where, int vocab) {
  if (!given(config, key)) return -1;
  const Json& value = config[key];
  require(!value.is_array() || !value.empty(), where, ": ", key, " is an empty list");
  const Json first{{key, value.is_array() ? value[0] : value}};
  return static_cast<int>(json_integer(first, key, where, 0, vocab - 1));
}

}  // namespace

ModelConfig read_config(const std::filesystem::path& folder) {
  const std::string where = (folder / "config.json").string();
  const Json json = read_json_file(where);
  require_text(json, "model_type", where, "llama");
  if (json.contains("hidden_act")) require_text(json, "hidden_act", where, "silu");
  refuse_flag(json, "attention_bias", where);
  refuse_flag(json, "mlp_bias", where);
  require(!given(json, "quantization_config"), where,
          ": quantization_config is not supported; F32, F16 or BF16 are");
  const auto count = [&](const char* key, int most) {
    return static_cast<int>(json_integer(json, key, where, 1, most));
  };

  ModelConfig config;
  config.layers = count("num_hidden_layers", most_layers);
  config.heads = count("num_attention_heads", most_heads);
  config.kv_heads =
      json.contains("num_key_value_heads") ? count("num_key_value_heads", most_heads) : config.heads;
  config.hidden = count("hidden_size", most_width);
  config.intermediate = count("intermediate_size", most_width);
  config.vocab = count("vocab_size", most_vocab);
  config.max_tokens = count("max_position_embeddings", most_positions);
  require(config.heads % config.kv_heads == 0, where, ": num_attention_heads = ", config.heads,
          " is no multiple of num_key_value_heads = ", config.kv_heads);
  if (json.contains("head_dim")) {
    config.head_dim = count("head_dim", most_head_dim);
  } else {
    require(config.hidden % config.heads == 0, where, ": hidden_size = ", config.hidden,
            " is no multiple of num_attention_heads = ", config.heads, " and head_dim is not given");
    config.head_dim = config.hidden / config.heads;
  }
  require(config.head_dim % 2 == 0, where, ": head_dim = ", config.head_dim,
          ", an even number is due (rotary positions turn pairs)");
  config.rope_theta = read_rope_theta(json, where);
  config.norm_eps = json_number(json, "rms_norm_eps", where);
  require(config.norm_eps > 0 && config.norm_eps < 1, where, ": rms_norm_eps = ", config.norm_eps,
          ", a number between 0 and 1 is due");
  config.tied = json.contains("tie_word_embeddings") && json_flag(json, "tie_word_embeddings", where);
  config.bos = read_token(json, "bos_token_id", where, config.vocab);
  config.eos = read_token(json, "eos_token_id", where, config.vocab);
  return config;
}

}  // namespace headsweep
