// model, private: the tensors of a folder's safetensors files: every byte of the headers checked, the data
// mapped and not copied.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <headsweep/base.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace headsweep {

/// A tensor as it lies in a file.
struct StoredTensor {
  std::string file;  ///< the file it stands in, for messages
  at::ScalarType type = at::kFloat;
  std::vector<std::int64_t> shape;
  std::string_view bytes;  ///< inside `map`
  std::shared_ptr<const MappedFile> map;
};
using StoredTensors = std::map<std::string, StoredTensor>;

/// The weight files of a folder in a fixed order: model.safetensors, else the shards that its index names.
/// BadInput where there are none, or an index that is not sound.
std::vector<std::filesystem::path> find_weight_files(const std::filesystem::path& folder);
/// All tensors of one file.
StoredTensors read_safetensors(const std::filesystem::path& file);
/// All tensors of a folder; the shards must hold what the index says, each tensor once.
StoredTensors read_folder(const std::filesystem::path& folder);
/// As float32 on the device. A float32 tensor on the CPU is the mapped page itself: ranks of a node share it,
/// and nobody may write to it.
at::Tensor to_float32(const StoredTensor& stored, at::Device device);
/// `[3, 4]`, for messages.
std::string shape_text(const std::vector<std::int64_t>& shape);

}  // namespace headsweep
