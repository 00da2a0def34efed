// model: safetensors files. In: a folder of untrusted files; out: tensors that point into mapped pages.
// Nothing is allocated by a number that the file's own size does not bound.
#include "model/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <headsweep/json.hpp>
#include <headsweep/model.hpp>
#include <set>
#include <tuple>

namespace headsweep {
namespace {

namespace fs = std::filesystem;
static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

constexpr std::uint64_t prefix_bytes = 8;
constexpr std::uint64_t most_header_bytes = 100'000'000;

struct TypeName {
  const char* name;
  at::ScalarType type;
};
constexpr std::array<TypeName, 3> types{{{"F32", at::kFloat}, {"F16", at::kHalf}, {"BF16", at::kBFloat16}}};

at::ScalarType read_type(const Json& entry, const std::string& place) {
  const std::string name = json_text(entry, "dtype", place);
  for (const auto& known : types)
    if (name == known.name) return known.type;
  throw BadInput(cat(place, ": dtype ", name, " is not supported; supported: F32, F16, BF16"));
}

/// A list of whole numbers that are not negative.
std::vector<std::int64_t> read_counts(const Json& entry, const std::string& key, const std::string& place) {
  const auto found = entry.find(key);
  require(found != entry.end(), place, ": '", key, "' is missing");
  require(found->is_array(), place, ": ", key, " = ", json_kind(*found), ", a list of whole numbers is due");
  std::vector<std::int64_t> counts;
  for (const Json& value : *found) {
    const bool whole = value.is_number_unsigned() && value.get<std::uint64_t>() <= std::uint64_t{INT64_MAX};
    require(whole, place, ": ", key, " holds ", json_kind(value), ", whole numbers from 0 to ", INT64_MAX,
            " are allowed");
    counts.push_back(value.get<std::int64_t>());
  }
  return counts;
}

std::uint64_t bytes_of(const StoredTensor& tensor, const std::string& place) {
  std::uint64_t bytes = c10::elementSize(tensor.type);
  for (const std::int64_t size : tensor.shape) {
    const bool overflow = __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes);
    require(!overflow, place, ": shape ", shape_text(tensor.shape), " has more bytes than 64 bits can count");
  }
  return bytes;
}

/// A tensor with the bytes of the data that its header entry claims.
struct Claim {
  std::uint64_t begin = 0, end = 0;
  std::string name, place;
  StoredTensor tensor;
};

/// Checks one entry of the header by itself.
Claim read_claim(const std::string& name, const Json& entry, const std::string& file) {
  Claim claim;
  claim.name = name;
  claim.place = cat(file, ": tensor '", name, "'");
  require(entry.is_object() && entry.size() == 3, claim.place, ": ", json_kind(entry),
          " found, an object of dtype, shape and data_offsets is due");
  claim.tensor.file = file;
  claim.tensor.type = read_type(entry, claim.place);
  claim.tensor.shape = read_counts(entry, "shape", claim.place);
  const auto offsets = read_counts(entry, "data_offsets", claim.place);
  require(offsets.size() == 2, claim.place, ": data_offsets has ", offsets.size(), " numbers, 2 are due");
  claim.begin = static_cast<std::uint64_t>(offsets[0]);
  claim.end = static_cast<std::uint64_t>(offsets[1]);
  require(claim.begin <= claim.end, claim.place, ": ends at byte ", claim.end, ", before it begins at byte ",
          claim.begin);
  const std::uint64_t bytes = claim.end - claim.begin, due = bytes_of(claim.tensor, claim.place);
  require(bytes == due, claim.place, ": ", bytes, " bytes, its shape ", shape_text(claim.tensor.shape),
          " and dtype make it ", due);
  return claim;
}

/// Gives every tensor its bytes: all of the data, each byte once.
void settle(std::vector<Claim>& claims, std::string_view data, const std::string& file) {
  std::sort(claims.begin(), claims.end(), [](const Claim& a, const Claim& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  std::uint64_t next = 0;
  for (Claim& claim : claims) {
    require(claim.begin == next, claim.place, ": begins at byte ", claim.begin, " of the data, byte ", next,
            " is due (tensors fill the data without hole or overlap)");
    require(claim.end <= data.size(), claim.place, ": ends at byte ", claim.end, " of ", data.size(),
            " bytes of data");
    claim.tensor.bytes = data.substr(claim.begin, claim.end - claim.begin);
    next = claim.end;
  }
  require(next == data.size(), file, ": ", data.size() - next,
          " bytes follow the last tensor, none are allowed");
}

std::string_view header_of(std::string_view bytes, const std::string& file) {
  require(bytes.size() >= prefix_bytes, file, ": header too small: ", bytes.size(), " bytes, at least ",
          prefix_bytes, " are due");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), prefix_bytes);
  require(length <= most_header_bytes, file, ": header of ", length, " bytes, at most ", most_header_bytes,
          " are read");
  require(length <= bytes.size() - prefix_bytes, file, ": header of ", length, " bytes in a file of ",
          bytes.size(), " bytes");
  const std::string_view header = bytes.substr(prefix_bytes, length);
  require(!header.empty() && header[0] == '{', file, ": byte ", prefix_bytes,
          ": the header must start with '{'");
  return header;
}

/// weight_map of model.safetensors.index.json: tensor to shard.
std::map<std::string, std::string> read_index(const fs::path& index) {
  const Json json = read_json_file(index);
  const auto found = json.find("weight_map");
  require(found != json.end() && found->is_object(), index.string(), ": weight_map, an object, is missing");
  std::map<std::string, std::string> shard_of;
  for (const auto& [tensor, shard] : found->items()) {
    const std::string place = cat(index.string(), ": tensor '", tensor, "'");
    require(shard.is_string(), place, ": ", json_kind(shard), " found, the name of a file is due");
    const std::string name = shard.get<std::string>();
    const bool plain = !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
                       name.find('\\') == std::string::npos && name.find('\0') == std::string::npos;
    require(plain, place, ": shard '", name, "' is not the name of a file in the index's own folder");
    shard_of[tensor] = name;
  }
  require(!shard_of.empty(), index.string(), ": weight_map is empty");
  return shard_of;
}

bool stands(const fs::path& file) {
  std::error_code unreadable;
  return fs::exists(file, unreadable);
}

fs::path single_file(const fs::path& folder) { return folder / "model.safetensors"; }
fs::path index_file(const fs::path& folder) { return folder / "model.safetensors.index.json"; }

}  // namespace

void refuse_pickles(const fs::path& folder) {
  if (stands(single_file(folder)) || stands(index_file(folder))) return;
  for (const char* pickle : {"pytorch_model.bin", "pytorch_model.bin.index.json"})
    require(!stands(folder / pickle), (folder / pickle).string(),
            ": a pickle can run code and is never loaded; convert it with Python's transformers: "
            "AutoModelForCausalLM.from_pretrained(folder).save_pretrained(new_folder)");
}

std::vector<fs::path> find_weight_files(const fs::path& folder) {
  if (stands(single_file(folder))) return {single_file(folder)};
  if (stands(index_file(folder))) {
    std::set<std::string> shards;
    for (const auto& [tensor, shard] : read_index(index_file(folder))) {
      const bool known = !shards.insert(shard).second;
      require(known || stands(folder / shard), index_file(folder).string(), ": tensor '", tensor,
              "': shard '", shard, "' is not in the folder");
    }
    std::vector<fs::path> files;
    for (const auto& shard : shards) files.push_back(folder / shard);
    return files;
  }
  refuse_pickles(folder);
  throw BadInput(cat(folder.string(), ": no model.safetensors and no model.safetensors.index.json"));
}

StoredTensors read_safetensors(const fs::path& file) {
  const std::string name = file.string();
  const auto map = std::make_shared<const MappedFile>(file);
  const std::string_view header = header_of(map->bytes(), name);
  const std::string_view data = map->bytes().substr(prefix_bytes + header.size());
  const Json entries = parse_json(header, name + ": header");
  std::vector<Claim> claims;
  for (const auto& [key, entry] : entries.items()) {
    if (key == "__metadata__")
      require(entry.is_object(), name, ": __metadata__: ", json_kind(entry), " found, an object is due");
    else
      claims.push_back(read_claim(key, entry, name));
  }
  settle(claims, data, name);
  StoredTensors tensors;
  for (Claim& claim : claims) {
    claim.tensor.map = map;
    tensors.emplace(std::move(claim.name), std::move(claim.tensor));
  }
  return tensors;
}

StoredTensors read_folder(const fs::path& folder) {
  const std::vector<fs::path> files = find_weight_files(folder);
  if (files.size() == 1 && files[0] == single_file(folder)) return read_safetensors(files[0]);
  const std::string index = index_file(folder).string();
  const auto shard_of = read_index(index_file(folder));
  StoredTensors all;
  for (const auto& file : files) {
    for (auto& [name, tensor] : read_safetensors(file)) {
      const auto listed = shard_of.find(name);
      require(listed != shard_of.end(), index, ": tensor '", name, "' of shard '", file.filename().string(),
              "' is not listed");
      require(listed->second == file.filename(), index, ": tensor '", name, "' is said to be in shard '",
              listed->second, "' and stands in '", file.filename().string(), "'");
      all.emplace(name, std::move(tensor));
    }
  }
  for (const auto& [name, shard] : shard_of)
    require(all.count(name) > 0, index, ": tensor '", name, "' is not in its shard '", shard, "'");
  return all;
}

at::Tensor to_float32(const StoredTensor& stored, at::Device device) {
  const auto address = reinterpret_cast<std::uintptr_t>(stored.bytes.data());
  at::Tensor raw;
  if (address % c10::elementSize(stored.type) == 0) {
    raw = at::from_blob(
        const_cast<char*>(stored.bytes.data()), stored.shape, [map = stored.map](void*) {},
        at::TensorOptions(stored.type));
  } else {
    raw = at::empty(stored.shape, stored.type);
    std::memcpy(raw.data_ptr(), stored.bytes.data(), stored.bytes.size());
  }
  return raw.to(device).to(at::kFloat);
}

std::string encode_tensors(const std::map<std::string, at::Tensor>& tensors) {
  Json header;
  header["__metadata__"]["format"] = "pt";
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor values = tensor.to(at::kCPU, at::kFloat).contiguous();
    const std::size_t begin = data.size();
    data.append(static_cast<const char*>(values.data_ptr()), values.nbytes());
    header[name] = {
        {"dtype", "F32"}, {"shape", values.sizes().vec()}, {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + prefix_bytes - 1) / prefix_bytes * prefix_bytes, ' ');  // numbers lie aligned
  const std::uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), prefix_bytes) + text + data;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::vector<std::string> sizes;
  for (const std::int64_t size : shape) sizes.push_back(cat(size));
  return cat("[", join(sizes, ", "), "]");
}

}  // namespace headsweep
