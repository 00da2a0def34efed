// adapter: an edit -> a PEFT adapter's folder.
#include <unistd.h>

#include <algorithm>
#include <headsweep/adapter.hpp>
#include <headsweep/json.hpp>
#include <map>
#include <set>

#include "adapter/names.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;

/// The rows of an edit at one layer: [rows, values] of a or b.
at::Tensor rows_of(const std::vector<const EditLayer*>& rows, std::vector<float> EditLayer::*values) {
  std::vector<at::Tensor> tensors;
  for (const EditLayer* row : rows) tensors.push_back(at::tensor(row->*values));
  return at::stack(tensors);
}

void require_fits(const EditLayer& row, EditKind kind, const ModelConfig& config, const std::string& where) {
  const auto reads = static_cast<std::size_t>(inputs_of(config, row.target));
  const auto writes =
      static_cast<std::size_t>(kind == EditKind::lora ? outputs_of(config, row.target) : config.width());
  const bool fits = row.layer >= 0 && row.layer < config.layers && (row.a.empty() || row.a.size() == reads) &&
                    row.b.size() == writes;
  require(fits, where, ": an edit of layer ", row.layer, ", ", row.target, " with ", row.a.size(), " and ",
          row.b.size(), " values found, the model has ", config.layers, " layers, ", reads, " and ", writes,
          " are due");
}

PeftUpdate make_update(const std::vector<const EditLayer*>& rows, const at::Tensor& output_matrix) {
  PeftUpdate update{.layer = rows.front()->layer, .target = rows.front()->target};
  at::Tensor write = rows_of(rows, &EditLayer::b);  // [rank, C or E]
  if (output_matrix.defined()) write = at::matmul(write, output_matrix.t());
  if (rows.front()->a.empty()) {
    update.bias = write.sum(0);
    update.b = at::zeros({write.size(1), 1});
  } else {
    update.a = rows_of(rows, &EditLayer::a);
    update.b = write.t().contiguous();
  }
  return update;
}

/// As PEFT writes it; what is not said has PEFT's defaults.
Json config_of(const PeftAdapter& adapter, int model_layers) {
  std::set<int> layers;
  std::set<std::string> targets;
  for (const PeftUpdate& update : adapter.updates) {
    layers.insert(update.layer);
    targets.insert(to_text(update.target));
  }
  const bool all = static_cast<int>(layers.size()) == model_layers;
  const auto rank = adapter.updates.front().a.size(0);
  Json config = {{"peft_type", "LORA"},
                 {"task_type", "CAUSAL_LM"},
                 {"base_model_name_or_path", adapter.model.string()},
                 {"r", rank},
                 {"lora_alpha", rank},  // alpha / r scales an adapter
                 {"lora_dropout", 0.0},
                 {"bias", "none"},
                 {"target_modules", targets},
                 {"layers_to_transform", all ? Json(nullptr) : Json(layers)},
                 {"fan_in_fan_out", false},
                 {"use_rslora", false},
                 {"init_lora_weights", true},
                 {"modules_to_save", nullptr},
                 {"inference_mode", true}};
  // Older versions of PEFT refuse keys that they do not know.
  if (adapter.updates.front().bias.defined()) config["lora_bias"] = true;
  return config;
}

std::map<std::string, at::Tensor> tensors_of(const PeftAdapter& adapter) {
  std::map<std::string, at::Tensor> tensors;
  for (const PeftUpdate& update : adapter.updates) {
    const auto put = [&](const char* part, const at::Tensor& values) {
      tensors[tensor_of(update.layer, update.target, part)] = values;
    };
    put(part_a, update.a);
    put(part_b, update.b);
    if (update.bias.defined()) put(part_bias, update.bias);
  }
  return tensors;
}

}  // namespace

PeftAdapter make_adapter(EditKind kind, const std::vector<EditLayer>& edit, const fs::path& model,
                         const std::string& where) {
  const ModelConfig config = read_config(model);
  std::map<std::pair<int, EditTarget>, std::vector<const EditLayer*>> places;
  for (const EditLayer& row : edit) {
    require_fits(row, kind, config, where);
    places[{row.layer, row.target}].push_back(&row);
  }
  require(!places.empty(), where, ": the edit has no layer");
  PeftAdapter adapter{.model = fs::absolute(model).lexically_normal(), .updates = {}};
  for (const auto& [place, rows] : places) {
    const at::Tensor matrix =
        kind == EditKind::lora ? at::Tensor() : read_output_matrix(model, config, place.first);
    adapter.updates.push_back(make_update(rows, matrix));
    PeftUpdate& update = adapter.updates.back();
    if (!update.a.defined()) update.a = at::zeros({1, config.width()});
    const PeftUpdate& first = adapter.updates.front();
    const bool alike = first.a.size(0) == update.a.size(0) && first.bias.defined() == update.bias.defined();
    require(alike, where, ": the edit's layers differ in rank or gate");
  }
  return adapter;
}

void write_adapter(const fs::path& folder, const PeftAdapter& adapter) {
  const int layers = read_config(adapter.model).layers;
  const fs::path target = fs::absolute(folder).lexically_normal();
  std::error_code error;
  require(!fs::exists(fs::symlink_status(target, error)), folder.string(), ": is there already");
  const fs::path temporary = cat(target.string(), ".tmp-", host_name(), "-", ::getpid());
  require(fs::create_directories(temporary, error), folder.string(), ": cannot be made: ", error.message());
  try {
    write_file(temporary / adapter_tensors_file, encode_tensors(tensors_of(adapter)));
    write_file(temporary / adapter_config_file, config_of(adapter, layers).dump(2) + "\n");
    fs::rename(temporary, target, error);
    require(!error, folder.string(), ": cannot be put in place: ", error.message());
  } catch (...) {
    fs::remove_all(temporary, error);
    throw;
  }
}

}  // namespace headsweep
