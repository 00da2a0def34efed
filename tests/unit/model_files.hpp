// Shared by the tests of model's files: a folder that goes away, safetensors files written byte by byte,
// messages.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <headsweep/base.hpp>
#include <headsweep/json.hpp>
#include <string>

namespace headsweep::model_test {

/// A new folder, deleted at the end of the test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "headsweep-model-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

/// A safetensors file: length, header, data.
inline std::string with_header(const std::string& header, const std::string& data = "") {
  std::string prefix(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(prefix.data(), &length, 8);
  return prefix + header + data;
}

/// A sound safetensors file with these float32 tensors; number i of a tensor is value + step * i.
struct Filled {
  std::string name;
  std::vector<std::int64_t> shape;
  float value = 0, step = 0;
};
inline std::string with_tensors(const std::vector<Filled>& tensors) {
  Json header = Json::object();
  std::string data;
  for (const auto& [name, shape, value, step] : tensors) {
    std::size_t count = 1;
    for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
    std::vector<float> numbers(count);
    for (std::size_t i = 0; i < count; ++i) numbers[i] = value + step * static_cast<float>(i);
    const std::size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(numbers.data()), count * sizeof(float));
    header[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {begin, data.size()}}};
  }
  return with_header(header.dump(), data);
}

/// The message of the BadInput that `act` throws, the folder's name cut out; "nothing thrown" else.
template <class Act>
std::string refusal(const Folder& folder, const Act& act) {
  try {
    act();
  } catch (const BadInput& error) {
    std::string message = error.what();
    const std::string name = folder.path().string();
    for (auto at = message.find(name); at != std::string::npos; at = message.find(name))
      message.erase(at, name.size());
    return message;
  }
  return "nothing thrown";
}

}  // namespace headsweep::model_test
