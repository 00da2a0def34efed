// adapter: a PEFT adapter's folder, untrusted -> the layers of an edit. What PEFT would do with the files is
// done or refused by name, never guessed.
#include <algorithm>
#include <array>
#include <cmath>
#include <headsweep/adapter.hpp>
#include <headsweep/json.hpp>
#include <set>

#include "adapter/names.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;

/// Keys whose value says nothing of what a saved adapter adds.
constexpr std::array<const char*, 13> idle_keys = {
    "auto_mapping", "base_model_name_or_path", "ensure_weight_tying", "inference_mode",
    "lora_dropout", "megatron_core",           "peft_version",        "qalora_group_size",
    "revision",     "runtime_config",          "task_type",           "loftq_config",
    "eva_config"};
/// Keys that are read.
constexpr std::array<const char*, 8> used_keys = {
    "peft_type",           "r",    "lora_alpha",       "use_rslora", "target_modules",
    "layers_to_transform", "bias", "init_lora_weights"};
/// Ways to start training that leave the model's own weights as they are.
constexpr std::array<const char*, 3> plain_starts = {"gaussian", "orthogonal", "eva"};

template <std::size_t N>
bool holds(const std::array<const char*, N>& words, const std::string& word) {
  return std::any_of(words.begin(), words.end(), [&](const char* one) { return word == one; });
}

bool is_empty(const Json& value) {
  return value.is_null() || value == false || ((value.is_structured() || value.is_string()) && value.empty());
}

/// Refuses what is not plain LoRA of rank 1: keys of this version of PEFT and of versions to come.
void require_plain(const Json& config, const std::string& where) {
  const std::string type = json_text(config, "peft_type", where);
  require(type == "LORA", where, ": peft_type '", type, "' is not supported; supported: LORA");
  const std::int64_t rank = json_integer(config, "r", where, 1, INT32_MAX);
  require(rank == 1, where, ": r = ", rank, " is not supported; supported: 1");
  const auto bias = config.find("bias");
  require(bias == config.end() || *bias == "none", where, ": bias is not supported; supported: none");
  const auto start = config.find("init_lora_weights");
  const bool plain = start == config.end() || start->is_boolean() ||
                     (start->is_string() && holds(plain_starts, start->get<std::string>()));
  require(plain, where, ": init_lora_weights = ", plain ? "" : json_kind(*start),
          " changes the model's own weights and is not supported");
  for (const auto& [key, value] : config.items())
    require(holds(idle_keys, key) || holds(used_keys, key) || is_empty(value), where, ": ", key, " = ",
            json_kind(value), " changes what an adapter does and is not supported");
}

/// PEFT divides alpha by r, or by its root, which are 1.
double read_scale(const Json& config, const std::string& where) {
  const double alpha = json_number(config, "lora_alpha", where);
  if (config.contains("use_rslora")) json_flag(config, "use_rslora", where);
  require(std::isfinite(alpha), where, ": lora_alpha is not finite");
  return alpha;
}

/// Layers of `layers_to_transform`; all, where none is named.
std::set<int> read_layers(const Json& config, int layers, const std::string& where) {
  std::set<int> named;
  const auto found = config.find("layers_to_transform");
  if (found != config.end() && !found->is_null() && !(found->is_array() && found->empty())) {
    for (const Json& layer : found->is_array() ? *found : Json::array({*found})) {
      const Json one{{"layers_to_transform", layer}};
      named.insert(static_cast<int>(json_integer(one, "layers_to_transform", where, 0, layers - 1)));
    }
  } else {
    for (int layer = 0; layer < layers; ++layer) named.insert(layer);
  }
  return named;
}

/// The layers whose o_proj the adapter is on, as PEFT finds them: a module that is named in full, or by its
/// last words within the layers to transform.
std::set<int> read_sites(const Json& config, const ModelConfig& model, const std::string& where) {
  const std::vector<std::string> targets = json_texts(config, "target_modules", where);
  const std::set<int> named = read_layers(config, model.layers, where);
  std::set<int> sites;
  for (const std::string& target : targets) {
    const std::string last = target.substr(target.rfind('.') + 1);  // npos + 1 = 0: the whole
    require(last == to_text(EditTarget::o), where, ": target_modules holds '", target,
            "'; supported: ", EditTarget::o);
    const std::size_t before = sites.size();
    for (int layer = 0; layer < model.layers; ++layer) {
      const std::string module = module_of(layer, EditTarget::o);
      if (module == target || (named.contains(layer) && module.ends_with("." + target))) sites.insert(layer);
    }
    require(sites.size() > before, where, ": target_modules: '", target, "' names no o_proj of the model's ",
            model.layers, " layers, or one that is named already");
  }
  require(!sites.empty(), where, ": target_modules is empty");
  return sites;
}

std::vector<float> values_of(const std::map<std::string, at::Tensor>& tensors, const std::string& name,
                             std::vector<std::int64_t> shape, const std::string& file) {
  const auto found = tensors.find(name);
  require(found != tensors.end(), file, ": tensor '", name, "' is missing");
  require(found->second.sizes() == at::IntArrayRef(shape), file, ": tensor '", name, "' is ",
          to_text(found->second.sizes()), ", ", to_text(at::IntArrayRef(shape)), " is due");
  const at::Tensor flat = found->second.contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

fs::path tensors_file(const fs::path& folder) {
  const fs::path pickle = folder / "adapter_model.bin";
  require(fs::exists(folder / adapter_tensors_file) || !fs::exists(pickle), pickle.string(),
          ": a pickle can run code and is never loaded; save the adapter with PEFT as ",
          adapter_tensors_file);
  return folder / adapter_tensors_file;
}

}  // namespace

std::vector<EditLayer> read_adapter(const fs::path& folder, const ModelConfig& model) {
  const std::string where = (folder / adapter_config_file).string();
  const Json config = read_json_file(where);
  require_plain(config, where);
  const double scale = read_scale(config, where);
  const std::set<int> sites = read_sites(config, model, where);
  const std::string file = tensors_file(folder).string();
  const std::map<std::string, at::Tensor> tensors = read_tensors(file);
  std::set<std::string> due;
  std::vector<EditLayer> edit;
  for (const int layer : sites) {
    const std::string a = tensor_of(layer, EditTarget::o, part_a),
                      b = tensor_of(layer, EditTarget::o, part_b);
    due.insert({a, b});
    EditLayer row{.layer = layer,
                  .a = values_of(tensors, a, {1, model.width()}, file),
                  .b = values_of(tensors, b, {model.hidden, 1}, file)};
    for (float& value : row.b) value = static_cast<float>(scale * value);
    edit.push_back(std::move(row));
  }
  for (const auto& [name, tensor] : tensors)
    require(due.contains(name), file, ": tensor '", name, "' is none of a rank-1 LoRA on the o_proj that ",
            adapter_config_file, " names");
  return edit;
}

}  // namespace headsweep
