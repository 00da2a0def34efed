// model: config.json, sound in both spellings of transformers, and each way to be refused.
#include <gtest/gtest.h>

#include <headsweep/model.hpp>

#include "unit/model_files.hpp"

namespace headsweep {
namespace {

using namespace model_test;

Json sound() {
  return Json::parse(R"({"model_type":"llama","hidden_size":32,"intermediate_size":48,"num_hidden_layers":3,
    "num_attention_heads":4,"num_key_value_heads":2,"vocab_size":61,"max_position_embeddings":64,"rms_norm_eps":1e-6,
    "rope_theta":500000.0,"bos_token_id":1,"eos_token_id":[2,3],"torch_dtype":"float16"})");
}

ModelConfig read(const Folder& folder, const Json& json) {
  folder.write("config.json", json.dump());
  return read_config(folder.path());
}

TEST(ModelConfiguration, BothSpellings) {
  const Folder folder;
  Json json = sound();
  const ModelConfig old = read(folder, json);
  EXPECT_EQ(old.layers, 3);
  EXPECT_EQ(old.heads, 4);
  EXPECT_EQ(old.kv_heads, 2);
  EXPECT_EQ(old.head_dim, 8);
  EXPECT_EQ(old.width(), 32);
  EXPECT_EQ(old.hidden, 32);
  EXPECT_EQ(old.intermediate, 48);
  EXPECT_EQ(old.vocab, 61);
  EXPECT_EQ(old.max_tokens, 64);
  EXPECT_EQ(old.rope_theta, 500000.0);
  EXPECT_EQ(old.norm_eps, 1e-6);
  EXPECT_EQ(old.bos, 1);
  EXPECT_EQ(old.eos, 2);
  EXPECT_EQ(old.ends, (std::vector<int>{2, 3}));
  EXPECT_FALSE(old.tied);

  json.erase("rope_theta");
  json["rope_scaling"] = nullptr;
  EXPECT_EQ(read(folder, json).rope_theta, 10000.0);
  json["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 7.5}};
  json["head_dim"] = 12;
  json["eos_token_id"] = nullptr;
  json.erase("max_position_embeddings");  // what transformers takes then
  json.erase("rms_norm_eps");
  json["tie_word_embeddings"] = true;
  json.erase("num_key_value_heads");
  json.erase("bos_token_id");
  const ModelConfig recent = read(folder, json);
  EXPECT_EQ(recent.rope_theta, 7.5);
  EXPECT_EQ(recent.width(), 48);
  EXPECT_EQ(recent.kv_heads, 4);
  EXPECT_EQ(recent.eos, -1);
  EXPECT_TRUE(recent.ends.empty());
  EXPECT_EQ(recent.max_tokens, 2048);
  EXPECT_EQ(recent.norm_eps, 1e-6);
  EXPECT_EQ(recent.bos, -1);
  EXPECT_TRUE(recent.tied);
}

struct Change {
  const char* key;
  const char* value;  ///< JSON; empty: erased
  const char* message;
};

const std::vector<Change>& bad_changes() {
  static const std::vector<Change> table{
      {"model_type", "\"gpt2\"",
       "model_type 'gpt2' is not supported; supported: llama, mistral, qwen2, qwen3"},
      {"model_type", "", "'model_type' is missing"},
      {"hidden_act", "\"gelu\"", "hidden_act 'gelu' is not supported; supported: silu"},
      {"attention_bias", "true", "attention_bias = true is not supported; supported: false"},
      {"mlp_bias", "true", "mlp_bias = true is not supported; supported: false"},
      {"quantization_config", "{}", "quantization_config is not supported; F32, F16 or BF16 are"},
      {"num_hidden_layers", "0", "num_hidden_layers = 0, a whole number from 1 to 1024 is due"},
      {"num_hidden_layers", "-1", "num_hidden_layers = -1, a whole number from 1 to 1024 is due"},
      {"num_hidden_layers", "1000000000",
       "num_hidden_layers = 1000000000, a whole number from 1 to 1024 is due"},
      {"hidden_size", "32.0", "hidden_size = 32.0, a whole number from 1 to 1048576 is due"},
      {"hidden_size", "\"32\"", "hidden_size = text '32', a whole number from 1 to 1048576 is due"},
      {"intermediate_size", "null", "intermediate_size = null, a whole number from 1 to 1048576 is due"},
      {"vocab_size", "18446744073709551615",
       "vocab_size = 18446744073709551615, a whole number from 1 to 4194304 is due"},
      {"num_key_value_heads", "null", "num_key_value_heads = null, a whole number from 1 to 1024 is due"},
      {"num_key_value_heads", "3", "num_attention_heads = 4 is no multiple of num_key_value_heads = 3"},
      {"hidden_size", "30",
       "hidden_size = 30 is no multiple of num_attention_heads = 4 and head_dim is not given"},
      {"head_dim", "7", "head_dim = 7, an even number is due (rotary positions turn pairs)"},
      {"rope_theta", "0", "rope_theta = 0, a positive number is due"},
      {"rope_theta", "\"1e4\"", "rope_theta = text '1e4', a number is due"},
      {"rope_scaling", R"({"type":"dynamic","factor":2})",
       "rope_scaling: type 'dynamic' is not supported; supported: default, linear, llama3"},
      {"rope_scaling", R"({"factor":2})",
       "rope_scaling: 'factor' is not supported; supported: rope_theta, rope_type, type"},
      {"rope_scaling", R"({"type":"linear","factor":0.5})", "rope_scaling: factor = 0.5, at least 1 is due"},
      {"rope_scaling", R"({"type":"linear"})", "rope_scaling: 'factor' is missing"},
      {"rope_parameters",
       R"({"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4,"original_max_position_embeddings":8})",
       "rope_parameters: high_freq_factor = 4, more than low_freq_factor = 4 is due"},
      {"rope_parameters", R"({"rope_type":"default","rope_theta":1e4})", "rope_theta is 500000 and 10000"},
      {"rope_parameters", "1", "rope_parameters: 1 found, an object is due"},
      {"rms_norm_eps", "0", "rms_norm_eps = 0, a number between 0 and 1 is due"},
      {"rms_norm_eps", "true", "rms_norm_eps = true, a number is due"},
      {"tie_word_embeddings", "1", "tie_word_embeddings = 1, true or false is due"},
      {"eos_token_id", "61", "eos_token_id = 61, a whole number from 0 to 60 is due"},
      {"eos_token_id", "[]", "eos_token_id is an empty list"},
      {"eos_token_id", "[[2]]", "eos_token_id = a list, a whole number from 0 to 60 is due"},
  };
  return table;
}

TEST(ModelConfiguration, EachConflictHasItsMessage) {
  const Folder folder;
  for (const Change& change : bad_changes()) {
    Json json = sound();
    if (std::string(change.value).empty())
      json.erase(change.key);
    else
      json[change.key] = Json::parse(change.value);
    EXPECT_EQ(refusal(folder, [&] { read(folder, json); }), cat("/config.json: ", change.message));
  }
}

TEST(ModelConfiguration, AWindowBoundsTheTextsWhereTransformersHasOne) {
  const Folder folder;
  Json json = sound();
  json["sliding_window"] = 16;
  EXPECT_EQ(read(folder, json).max_tokens, 64) << "llama has none";
  json["model_type"] = "mistral";
  EXPECT_EQ(read(folder, json).max_tokens, 16);
  json["sliding_window"] = nullptr;
  EXPECT_EQ(read(folder, json).max_tokens, 64);
  json.erase("sliding_window");
  json["max_position_embeddings"] = 8192;
  EXPECT_EQ(read(folder, json).max_tokens, 4096) << "what transformers takes";
  for (const char* family : {"qwen2", "qwen3"}) {
    json = sound();
    json["model_type"] = family;
    json["sliding_window"] = 16;
    EXPECT_EQ(read(folder, json).max_tokens, 64) << family << ": not asked for";
    json["use_sliding_window"] = true;
    EXPECT_EQ(read(folder, json).max_tokens, 64) << family << ": from layer 28 on";
    json["max_window_layers"] = 2;
    EXPECT_EQ(read(folder, json).max_tokens, 16) << family;
    json["max_window_layers"] = 3;
    EXPECT_EQ(read(folder, json).max_tokens, 64) << family;
    json["layer_types"] = {"full_attention", "sliding_attention", "full_attention"};
    EXPECT_EQ(read(folder, json).max_tokens, 16) << family;
    json["use_sliding_window"] = false;
    EXPECT_EQ(read(folder, json).max_tokens, 64) << family;
  }
}

TEST(ModelConfiguration, FamiliesDiffer) {
  const Folder folder;
  Json json = sound();
  for (const auto& [family, qkv_bias, head_norms, width] : {std::tuple{"llama", false, false, 32},
                                                            {"mistral", false, false, 32},
                                                            {"qwen2", true, false, 32},
                                                            {"qwen3", false, true, 4 * 128}}) {
    json["model_type"] = family;
    const ModelConfig config = read(folder, json);
    EXPECT_EQ(config.qkv_bias, qkv_bias) << family;
    EXPECT_EQ(config.head_norms, head_norms) << family;
    EXPECT_EQ(config.width(), width) << family;
  }
}

TEST(ModelConfiguration, AbsentOrNotJson) {
  const Folder folder;
  EXPECT_EQ(refusal(folder, [&] { read_config(folder.path()); }), "/config.json: no such file");
  folder.write("config.json", "{\"a\": NaN}");
  EXPECT_EQ(refusal(folder, [&] { read_config(folder.path()); }), "/config.json: not JSON at byte 7");
}

}  // namespace
}  // namespace headsweep
