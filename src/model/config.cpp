// model: config.json of a model of the LLaMA family, as transformers 4 and 5 write it. In: an untrusted file;
// out: numbers in range. What is not supported is refused by name, never guessed.
#include <algorithm>
#include <headsweep/json.hpp>
#include <headsweep/model.hpp>

#include "model/rope.hpp"

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

/// When a family's tokens see no more than the last few of the window.
enum class Window {
  never,
  given,  ///< where sliding_window is not null
  asked   ///< where use_sliding_window says so, in some layers
};
/// What the families have of their own.
struct Family {
  const char* name;
  Window window;
  int positions;  ///< tokens of the longest text, where config.json does not say it
  bool qkv_bias = false, head_norms = false;
  int head_dim = 0;  ///< where config.json does not give it; 0: hidden_size / num_attention_heads
};
constexpr Family families[] = {
    {.name = "llama", .window = Window::never, .positions = 2048},
    {.name = "mistral", .window = Window::given, .positions = 131072},
    {.name = "qwen2", .window = Window::asked, .positions = 32768, .qkv_bias = true},
    {.name = "qwen3", .window = Window::asked, .positions = 32768, .head_norms = true, .head_dim = 128}};
/// What transformers takes where config.json does not say it.
constexpr int usual_window = 4096, usual_first_windowed_layer = 28;
constexpr double usual_norm_eps = 1e-6;

const Family& read_family(const Json& config, const std::string& where) {
  const std::string name = json_text(config, "model_type", where);
  std::vector<std::string> known;
  for (const Family& family : families) {
    if (family.name == name) return family;
    known.push_back(family.name);
  }
  throw BadInput(cat(where, ": model_type '", name, "' is not supported; supported: ", join(known, ", ")));
}

/// Whether any layer of a model that may have windows in some has one.
bool has_windowed_layers(const Json& config, const std::string& where, int layers) {
  if (!config.contains("use_sliding_window") || !json_flag(config, "use_sliding_window", where)) return false;
  if (given(config, "layer_types")) {
    const Json& types = config["layer_types"];
    return std::any_of(types.begin(), types.end(),
                       [](const Json& type) { return type == "sliding_attention"; });
  }
  const bool known = given(config, "max_window_layers");
  return layers > (known ? json_integer(config, "max_window_layers", where, 0, most_layers)
                         : usual_first_windowed_layer);
}

/// Tokens that a token sees at most; `all` without a sliding window.
int read_window(const Json& config, const Family& family, const std::string& where, int all) {
  const bool null = config.contains("sliding_window") && config["sliding_window"].is_null();
  if (family.window == Window::never || null) return all;
  const int window = given(config, "sliding_window")
                         ? static_cast<int>(json_integer(config, "sliding_window", where, 1, most_positions))
                         : usual_window;
  const int layers = static_cast<int>(json_integer(config, "num_hidden_layers", where, 1, most_layers));
  const bool used = family.window == Window::given || has_windowed_layers(config, where, layers);
  return used ? std::min(all, window) : all;
}

/// A list of ids, or one; empty for none.
std::vector<int> read_tokens(const Json& config, const std::string& key, const std::string& where,
                             int vocab) {
  if (!given(config, key)) return {};
  const Json& value = config[key];
  require(!value.is_array() || !value.empty(), where, ": ", key, " is an empty list");
  std::vector<int> ids;
  for (const Json& id : value.is_array() ? value : Json::array({value}))
    ids.push_back(static_cast<int>(json_integer(Json{{key, id}}, key, where, 0, vocab - 1)));
  return ids;
}
int first_of(const std::vector<int>& ids) { return ids.empty() ? -1 : ids.front(); }

}  // namespace

std::int64_t inputs_of(const ModelConfig& config, EditTarget target) {
  if (target == EditTarget::o) return config.width();
  return target == EditTarget::down ? config.intermediate : config.hidden;
}

std::int64_t outputs_of(const ModelConfig& config, EditTarget target) {
  switch (target) {
    case EditTarget::q:
      return config.width();
    case EditTarget::k:
    case EditTarget::v:
      return config.kv_width();
    case EditTarget::gate:
    case EditTarget::up:
      return config.intermediate;
    case EditTarget::o:
    case EditTarget::down:
      return config.hidden;
  }
  return 0;
}

ModelConfig read_config(const std::filesystem::path& folder) {
  const std::string where = (folder / "config.json").string();
  const Json json = read_json_file(where);
  const Family& family = read_family(json, where);
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
  config.max_tokens =
      read_window(json, family, where,
                  given(json, "max_position_embeddings") ? count("max_position_embeddings", most_positions)
                                                         : family.positions);
  config.qkv_bias = family.qkv_bias;
  config.head_norms = family.head_norms;
  require(config.heads % config.kv_heads == 0, where, ": num_attention_heads = ", config.heads,
          " is no multiple of num_key_value_heads = ", config.kv_heads);
  if (given(json, "head_dim")) {
    config.head_dim = count("head_dim", most_head_dim);
  } else if (family.head_dim > 0) {
    config.head_dim = family.head_dim;
  } else {
    require(config.hidden % config.heads == 0, where, ": hidden_size = ", config.hidden,
            " is no multiple of num_attention_heads = ", config.heads, " and head_dim is not given");
    config.head_dim = config.hidden / config.heads;
  }
  require(config.head_dim % 2 == 0, where, ": head_dim = ", config.head_dim,
          ", an even number is due (rotary positions turn pairs)");
  read_rope(json, where, config);
  config.norm_eps = given(json, "rms_norm_eps") ? json_number(json, "rms_norm_eps", where) : usual_norm_eps;
  require(config.norm_eps > 0 && config.norm_eps < 1, where, ": rms_norm_eps = ", config.norm_eps,
          ", a number between 0 and 1 is due");
  config.tied = json.contains("tie_word_embeddings") && json_flag(json, "tie_word_embeddings", where);
  config.bos = first_of(read_tokens(json, "bos_token_id", where, config.vocab));
  config.ends = read_tokens(json, "eos_token_id", where, config.vocab);
  config.eos = first_of(config.ends);
  return config;
}

}  // namespace headsweep
