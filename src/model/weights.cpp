// model: frozen weights. In: config and a folder of safetensors; out: float32 tensors on one device, their
// hashes. With `share`, several processes take part; only those that read touch the files.
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <headsweep/model.hpp>

#include "model/safetensors.hpp"

namespace headsweep {
namespace {

constexpr const char* output_name = "lm_head.weight";

/// A tensor that the model needs: its name in the files, its shape, its place in Weights.
struct Wanted {
  std::string name;
  std::vector<std::int64_t> shape;
  at::Tensor* place;
};

/// All tensors of the model in the one order in which they are loaded, shared and hashed.
std::vector<Wanted> list_wanted(Weights& weights) {
  const ModelConfig& config = weights.config;
  const std::int64_t hidden = config.hidden, width = config.width(), inner = config.intermediate;
  const std::int64_t kv_width = std::int64_t{config.kv_heads} * config.head_dim;
  weights.layers.resize(static_cast<std::size_t>(config.layers));
  std::vector<Wanted> wanted{{"model.embed_tokens.weight", {config.vocab, hidden}, &weights.embedding}};
  for (std::size_t index = 0; index < weights.layers.size(); ++index) {
    LayerWeights& layer = weights.layers[index];
    const auto add = [&](const char* part, std::vector<std::int64_t> shape, at::Tensor& place) {
      wanted.push_back({cat("model.layers.", index, ".", part, ".weight"), std::move(shape), &place});
    };
    add("input_layernorm", {hidden}, layer.norm_attention);
    add("self_attn.q_proj", {width, hidden}, layer.q);
    add("self_attn.k_proj", {kv_width, hidden}, layer.k);
    add("self_attn.v_proj", {kv_width, hidden}, layer.v);
    add("self_attn.o_proj", {hidden, width}, layer.o);
    add("post_attention_layernorm", {hidden}, layer.norm_mlp);
    add("mlp.gate_proj", {inner, hidden}, layer.gate);
    add("mlp.up_proj", {inner, hidden}, layer.up);
    add("mlp.down_proj", {hidden, inner}, layer.down);
  }
  wanted.push_back({"model.norm.weight", {hidden}, &weights.norm_final});
  if (!config.tied) wanted.push_back({output_name, {config.vocab, hidden}, &weights.output});
  return wanted;
}

void check_present(const std::vector<Wanted>& wanted, const StoredTensors& stored,
                   const std::string& folder) {
  std::vector<std::string> missing;
  for (const Wanted& tensor : wanted)
    if (stored.count(tensor.name) == 0) missing.push_back(tensor.name);
  require(missing.empty(), folder, ": missing tensors: ", join(missing, ", "));
  for (const Wanted& tensor : wanted) {
    const StoredTensor& found = stored.at(tensor.name);
    require(found.shape == tensor.shape, found.file, ": tensor '", tensor.name, "' is ",
            shape_text(found.shape), ", config.json makes it ", shape_text(tensor.shape));
  }
}

/// A tied model may store its output matrix again, if it is the same one.
void check_tie(const StoredTensors& stored) {
  const auto output = stored.find(output_name);
  if (output == stored.end()) return;
  const StoredTensor& embedding = stored.at("model.embed_tokens.weight");
  const bool same = output->second.type == embedding.type && output->second.bytes == embedding.bytes;
  require(same, output->second.file, ": tensor '", output_name,
          "' differs from the embedding, config.json says tie_word_embeddings = true");
}

/// Tables of rotary frequencies are computed, so older files' copies of them are not missed.
bool is_known_extra(const std::string& name, bool tied) {
  return name.ends_with(".rotary_emb.inv_freq") || (tied && name == output_name);
}

void check_extras(std::vector<Wanted> wanted, const StoredTensors& stored, const std::string& folder,
                  bool strict) {
  std::vector<std::string> extras;
  for (const auto& [name, tensor] : stored) extras.push_back(name);
  const bool tied = wanted.back().name != output_name;
  std::erase_if(extras, [&](const std::string& name) {
    const auto is = [&](const Wanted& tensor) { return tensor.name == name; };
    return is_known_extra(name, tied) || std::any_of(wanted.begin(), wanted.end(), is);
  });
  if (extras.empty()) return;
  const std::string message = cat(folder, ": unused tensors: ", join(extras, ", "));
  require(!strict, message);
  log_line(message);
}

at::Tensor load_tensor(const StoredTensor& stored, const std::string& name, at::Device device) {
  at::Tensor tensor = to_float32(stored, device);
  const auto [low, high] = at::aminmax(tensor);  // NaN goes through minimum and maximum
  const bool finite = std::isfinite(low.item<float>()) && std::isfinite(high.item<float>());
  if (!finite) {
    const auto bad = at::isfinite(tensor).logical_not().sum().item<std::int64_t>();
    throw BadInput(
        cat(stored.file, ": tensor '", name, "': ", bad, " of ", tensor.numel(), " numbers are NaN or Inf"));
  }
  return tensor;
}

/// cos and sin of position * theta^(-2i/D), both halves alike, in float32 as transformers computes them.
void make_rope(Weights& weights, at::Device device) {
  const int head_dim = weights.config.head_dim;
  const at::Tensor exponent = at::arange(0, head_dim, 2, at::kLong).to(at::kFloat) / head_dim;
  const at::Tensor frequency = at::pow(weights.config.rope_theta, exponent).reciprocal();
  const at::Tensor angle = at::outer(at::arange(weights.config.max_tokens, at::kFloat), frequency);
  const at::Tensor both = at::cat({angle, angle}, 1);
  weights.rope_cos = both.cos().to(device);
  weights.rope_sin = both.sin().to(device);
}

}  // namespace

Weights load_weights(const std::filesystem::path& folder, const ModelConfig& config,
                     const LoadOptions& options) {
  const at::NoGradGuard no_grad;
  Weights weights;
  weights.config = config;
  const std::vector<Wanted> wanted = list_wanted(weights);
  StoredTensors stored;
  if (options.reads) {
    stored = read_folder(folder);
    check_present(wanted, stored, folder.string());
    if (config.tied) check_tie(stored);
    check_extras(wanted, stored, folder.string(), options.strict);
    weights.hash = hash_model(folder);
  }
  for (const Wanted& tensor : wanted) {
    *tensor.place = options.reads
                        ? load_tensor(stored.at(tensor.name), tensor.name, options.device)
                        : at::empty(tensor.shape, at::TensorOptions(at::kFloat).device(options.device));
    if (options.share) options.share(*tensor.place);
  }
  if (config.tied) weights.output = weights.embedding;
  make_rope(weights, options.device);
  return weights;
}

std::string hash_model(const std::filesystem::path& folder) {
  std::string hashes = hash_file(folder / "config.json");
  for (const auto& file : find_weight_files(folder))
    hashes += cat("\n", file.filename().string(), " ", hash_file(file));
  return hash_hex(hashes);
}

std::string hash_memory(const Weights& weights) {
  Weights same = weights;
  std::string hashes;
  for (const Wanted& tensor : list_wanted(same)) {
    const at::Tensor host = tensor.place->to(at::kCPU).contiguous();
    hashes += hash_hex({static_cast<const char*>(host.data_ptr()), host.nbytes()});
  }
  return hash_hex(hashes);
}

}  // namespace headsweep
