// adapter: edits out to and in from the ecosystem: PEFT's LoRA adapters, ITI's arrays of directions. Level 3.
// Knows nothing of results files.
#pragma once

#include <ATen/ATen.h>

#include <filesystem>
#include <headsweep/base.hpp>
#include <headsweep/job.hpp>
#include <headsweep/model.hpp>
#include <headsweep/record.hpp>
#include <vector>

namespace headsweep {

/// What an adapter adds to a linear layer: B (A x) + bias, with the scale multiplied into B. Float32, CPU.
struct PeftUpdate {
  int layer = 0;
  EditTarget target = EditTarget::o;
  at::Tensor a;     ///< [rank, inputs]
  at::Tensor b;     ///< [outputs, rank]
  at::Tensor bias;  ///< [outputs], or undefined
};
/// A LoRA adapter of a model.
struct PeftAdapter {
  std::filesystem::path model;      ///< folder of the model that it is for
  std::vector<PeftUpdate> updates;  ///< by layer and target, all of one rank
};

/// An edit as an adapter: rank 1 with A = a^T, B = W_o b (b itself for lora); a constant gate as a bias W_o b
/// beside A = B = 0. An adapter acts on every token, so must the edit. `where` names the edit in BadInput,
/// thrown for layers and lengths that are not the model's.
PeftAdapter make_adapter(EditKind kind, const std::vector<EditLayer>& edit,
                         const std::filesystem::path& model, const std::string& where);
/// Writes adapter_config.json and adapter_model.safetensors as PEFT reads them: the folder is whole or
/// absent. BadInput if something stands there.
void write_adapter(const std::filesystem::path& folder, const PeftAdapter& adapter);

/// A PEFT adapter's folder as the layers of an edit `lora`: a = A, b = scale * B. BadInput `file: place:
/// found, allowed` for all but rank-1 LoRA on o_proj alone, whatever would change its meaning, and malformed
/// files.
std::vector<EditLayer> read_adapter(const std::filesystem::path& folder, const ModelConfig& config);

/// An array of numbers as NumPy stores it.
struct NumberArray {
  std::vector<std::int64_t> shape;
  std::vector<double> values;  ///< row by row
};
/// Reads .npy, versions 1 to 3: float16, float32, float64, little-endian, C order; BadInput for all else, and
/// for NaN or Inf.
NumberArray read_npy(const std::filesystem::path& file);

/// A shift by inference-time intervention (Li et al., arXiv 2306.03341), as its code stores directions.
struct ShiftFiles {
  std::filesystem::path directions;  ///< [L*H, D] or [L, H, D]; any length but 0
  std::filesystem::path sigma;       ///< [L*H] or [L, H]; empty: 1 everywhere
  std::vector<Head> heads;           ///< where
  double alpha = 0;
};
/// The layers of an edit `iti`: b = alpha * sigma * u in the slices of the heads, with |u| = 1.
std::vector<EditLayer> read_shift(const ShiftFiles& files, const ModelConfig& config);

}  // namespace headsweep
