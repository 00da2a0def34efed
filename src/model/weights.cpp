// model: frozen weights. In: config and a folder of safetensors; out: the operands of the products on one
// device, their hashes. With `place` and `share`, several processes take part; only those that read touch the
// files.
#include <algorithm>
#include <cmath>
#include <headsweep/model.hpp>

#include "model/rope.hpp"
#include "model/safetensors.hpp"

namespace headsweep {
namespace {

constexpr const char* output_name = "lm_head.weight";

/// A tensor of the files: its name, its shape, and the name of the norm whose gain is multiplied into its
/// columns.
struct Part {
  std::string name;
  std::vector<std::int64_t> shape;
  std::string gain = "";
};
/// A tensor of Weights, made of parts that stand below each other.
struct Wanted {
  std::vector<Part> parts;
  at::Tensor* place;
  at::ScalarType type;
  [[nodiscard]] std::vector<std::int64_t> shape() const {
    std::vector<std::int64_t> all = parts.front().shape;
    for (std::size_t i = 1; i < parts.size(); ++i) all[0] += parts[i].shape[0];
    return all;
  }
};

void add_layer(const ModelConfig& config, std::size_t index, Weights& weights, std::vector<Wanted>& wanted) {
  const std::int64_t hidden = config.hidden, width = config.width(), inner = config.intermediate;
  const std::int64_t kv_width = config.kv_width();
  const auto name = [&](const char* part) { return cat("model.layers.", index, ".", part, ".weight"); };
  const std::string before = name("input_layernorm"), between = name("post_attention_layernorm");
  LayerWeights& layer = weights.layers[index];
  wanted.push_back({{{name("self_attn.q_proj"), {width, hidden}, before},
                     {name("self_attn.k_proj"), {kv_width, hidden}, before},
                     {name("self_attn.v_proj"), {kv_width, hidden}, before}},
                    &layer.qkv,
                    weights.number});
  if (config.qkv_bias) {
    const auto bias = [&](const char* part) {
      return cat("model.layers.", index, ".self_attn.", part, ".bias");
    };
    wanted.push_back({{{bias("q_proj"), {width}}, {bias("k_proj"), {kv_width}}, {bias("v_proj"), {kv_width}}},
                      &layer.qkv_bias,
                      weights.number});
  }
  if (config.head_norms) {
    wanted.push_back({{{name("self_attn.q_norm"), {config.head_dim}}}, &layer.query_gain, at::kFloat});
    wanted.push_back({{{name("self_attn.k_norm"), {config.head_dim}}}, &layer.key_gain, at::kFloat});
  }
  wanted.push_back({{{before, {hidden}}}, &layer.heads_gain, at::kFloat});
  wanted.push_back({{{name("self_attn.o_proj"), {hidden, width}}}, &layer.o, weights.number});
  wanted.push_back(
      {{{name("mlp.gate_proj"), {inner, hidden}, between}, {name("mlp.up_proj"), {inner, hidden}, between}},
       &layer.gate_up,
       weights.number});
  wanted.push_back({{{between, {hidden}}}, &layer.mlp_gain, at::kFloat});
  wanted.push_back({{{name("mlp.down_proj"), {hidden, inner}}}, &layer.down, weights.number});
}

/// All tensors of the model in the one order in which they are placed, read, shared and hashed.
std::vector<Wanted> list_wanted(Weights& weights) {
  const ModelConfig& config = weights.config;
  const std::int64_t hidden = config.hidden;
  weights.layers.resize(static_cast<std::size_t>(config.layers));
  std::vector<Wanted> wanted{
      {{{"model.embed_tokens.weight", {config.vocab, hidden}}}, &weights.embedding, weights.number}};
  for (std::size_t index = 0; index < weights.layers.size(); ++index)
    add_layer(config, index, weights, wanted);
  wanted.push_back({{{"model.norm.weight", {hidden}}}, &weights.norm_final, at::kFloat});
  if (!config.tied)
    wanted.push_back({{{output_name, {config.vocab, hidden}}}, &weights.output, weights.number});
  return wanted;
}

/// The tensors of the files that these are made of; the gains among them are tensors of Weights, too.
std::vector<Part> parts_of(const std::vector<Wanted>& wanted) {
  std::vector<Part> parts;
  for (const Wanted& tensor : wanted)
    for (const Part& part : tensor.parts) {
      parts.push_back(part);
    }
  return parts;
}

void check_present(const std::vector<Part>& wanted, const StoredTensors& stored, const std::string& folder) {
  std::vector<std::string> missing;
  for (const Part& tensor : wanted)
    if (stored.count(tensor.name) == 0) missing.push_back(tensor.name);
  require(missing.empty(), folder, ": missing tensors: ", join(missing, ", "));
  for (const Part& tensor : wanted) {
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

void check_extras(const std::vector<Part>& wanted, const StoredTensors& stored, const std::string& folder,
                  bool strict) {
  std::vector<std::string> extras;
  for (const auto& [name, tensor] : stored) extras.push_back(name);
  const bool tied = wanted.back().name != output_name;
  std::erase_if(extras, [&](const std::string& name) {
    const auto is = [&](const Part& tensor) { return tensor.name == name; };
    return is_known_extra(name, tied) || std::any_of(wanted.begin(), wanted.end(), is);
  });
  if (extras.empty()) return;
  const std::string message = cat(folder, ": unused tensors: ", join(extras, ", "));
  require(!strict, message);
  log_line(message);
}

at::Tensor load_part(const StoredTensors& all, const std::string& name, at::Device device) {
  const StoredTensor& stored = all.at(name);
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

/// Joins, multiplies gains in and converts where the tensor lies, in float32.
void fill(const Wanted& wanted, const StoredTensors& stored, at::Tensor& tensor) {
  std::int64_t row = 0;
  for (const Part& part : wanted.parts) {
    at::Tensor values = load_part(stored, part.name, tensor.device());
    if (!part.gain.empty()) values = values * load_part(stored, part.gain, tensor.device());
    tensor.narrow(0, row, part.shape[0]).copy_(values);
    row += part.shape[0];
    const StoredTensor& read = stored.at(part.name);
    read.map->release(read.bytes);
  }
}

}  // namespace

Weights load_weights(const std::filesystem::path& folder, const ModelConfig& config,
                     const LoadOptions& options) {
  Weights weights;
  weights.config = config;
  weights.number = options.number;
  const std::vector<Wanted> wanted = list_wanted(weights);
  StoredTensors stored;
  if (options.reads) {
    const std::vector<Part> parts = parts_of(wanted);
    stored = read_folder(folder);
    check_present(parts, stored, folder.string());
    if (config.tied) check_tie(stored);
    check_extras(parts, stored, folder.string(), options.strict);
  }
  for (const Wanted& tensor : wanted) {
    const auto shape = tensor.shape();
    at::Tensor& place = *tensor.place;
    place = options.place ? options.place(shape, tensor.type)
                          : at::empty(shape, at::TensorOptions(tensor.type).device(options.device));
    if (options.reads) fill(tensor, stored, place);
  }
  if (config.tied) weights.output = weights.embedding;
  make_rope(weights, options.device);
  return weights;
}

std::map<std::string, at::Tensor> read_tensors(const std::filesystem::path& file) {
  const StoredTensors stored = read_safetensors(file);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, tensor] : stored) {
    require(!tensor.bytes.empty(), file.string(), ": tensor '", name, "' is empty");
    tensors[name] = load_part(stored, name, at::kCPU);
  }
  return tensors;
}

at::Tensor read_output_matrix(const std::filesystem::path& folder, const ModelConfig& config, int layer) {
  const StoredTensors stored = read_folder(folder);
  const Part part{cat("model.layers.", layer, ".self_attn.o_proj.weight"), {config.hidden, config.width()}};
  check_present({part}, stored, folder.string());
  return load_part(stored, part.name, at::kCPU);
}

std::size_t weight_bytes(const ModelConfig& config, at::ScalarType number) {
  Weights weights;
  weights.config = config;
  weights.number = number;
  std::size_t bytes = 0;
  for (const Wanted& tensor : list_wanted(weights)) {
    std::size_t count = c10::elementSize(tensor.type);
    for (const std::int64_t size : tensor.shape()) count *= static_cast<std::size_t>(size);
    bytes += placed_bytes(count);
  }
  return bytes;
}

std::string hash_model(const std::filesystem::path& folder) {
  std::string hashes = hash_file(folder / "config.json");
  for (const auto& file : find_weight_files(folder))
    hashes += cat("\n", file.filename().string(), " ", hash_file(file));
  return hash_hex(hashes);
}

std::vector<at::Tensor> tensors_of(const Weights& weights) {
  Weights same = weights;
  std::vector<at::Tensor> tensors;
  for (const Wanted& tensor : list_wanted(same)) tensors.push_back(*tensor.place);
  return tensors;
}

std::string hash_memory(const Weights& weights) {
  std::string hashes;
  const auto sums = [](const at::Tensor& tensor) {  // a GPU's memory is read faster than sent
    return tensor.view(tensor.element_size() == 4 ? at::kInt : at::kShort).sum(0, false, at::kLong);
  };
  for (const at::Tensor& tensor : tensors_of(weights)) {
    const at::Tensor host = (tensor.is_cuda() ? sums(tensor) : tensor).to(at::kCPU).contiguous();
    hashes += hash_hex({static_cast<const char*>(host.data_ptr()), host.nbytes()});
  }
  return hash_hex(hashes);
}

}  // namespace headsweep
