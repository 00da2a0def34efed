// model: safetensors files that are malformed in every way the format allows, each with its message.
#include <gtest/gtest.h>

#include <functional>
#include <headsweep/model.hpp>

#include "model/safetensors.hpp"
#include "unit/model_files.hpp"

namespace headsweep {
namespace {

using namespace model_test;

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

struct Malformed {
  std::string bytes, message;
};

const std::string eight(8, '\1');

std::vector<Malformed> malformed_files() {
  const std::string x = R"({"x":)", due = " is due (tensors fill the data without hole or overlap)";
  const auto one = [&](const std::string& value) { return with_header(x + value + "}", eight); };
  std::string huge = with_header("{}");
  huge[5] = 1;  // 2^40 + 2
  std::string beyond = with_header("{}");
  beyond[0] = 3;
  return {
      {"", ": header too small: 0 bytes, at least 8 are due"},
      {"1234567", ": header too small: 7 bytes, at least 8 are due"},
      {huge, ": header of 1099511627778 bytes, at most 100000000 are read"},
      {beyond, ": header of 3 bytes in a file of 10 bytes"},
      {with_header(""), ": byte 8: the header must start with '{'"},
      {with_header("[1]"), ": byte 8: the header must start with '{'"},
      {with_header("{\"a\xff\": 1}"), ": header: byte 3 is not UTF-8"},
      {with_header("{\"x\" 1}"), ": header: not JSON at byte 6"},
      {with_header(x + "1,\"x\":2}"), ": header: key 'x' stands twice"},
      {with_header(R"({"__metadata__":3})"), ": __metadata__: 3 found, an object is due"},
      {one("[]"), ": tensor 'x': a list found, an object of dtype, shape and data_offsets is due"},
      {one(R"({"dtype":"F32","shape":[2]})"),
       ": tensor 'x': an object found, an object of dtype, shape and data_offsets is due"},
      {one(entry("F8_E4M3", "[8]", "[0,8]")),
       ": tensor 'x': dtype F8_E4M3 is not supported; supported: F32, F16, BF16"},
      {one(entry("I4", "[16]", "[0,8]")),
       ": tensor 'x': dtype I4 is not supported; supported: F32, F16, BF16"},
      {one(entry("F32", "2", "[0,8]")), ": tensor 'x': shape = 2, a list of whole numbers is due"},
      {one(entry("F32", "[-2]", "[0,8]")),
       ": tensor 'x': shape holds -2, whole numbers from 0 to 9223372036854775807 are allowed"},
      {one(entry("F32", "[2.0]", "[0,8]")),
       ": tensor 'x': shape holds 2.0, whole numbers from 0 to 9223372036854775807 are allowed"},
      {one(entry("F32", "[4611686018427387904, 4]", "[0,8]")),
       ": tensor 'x': shape [4611686018427387904, 4] has more bytes than 64 bits can count"},
      {one(entry("F32", "[18446744073709551615]", "[0,8]")),
       ": tensor 'x': shape holds 18446744073709551615, whole numbers from 0 to 9223372036854775807 are "
       "allowed"},
      {one(entry("F32", "[2]", "[0,8,8]")), ": tensor 'x': data_offsets has 3 numbers, 2 are due"},
      {one(entry("F32", "[2]", "[8,0]")), ": tensor 'x': ends at byte 0, before it begins at byte 8"},
      {one(entry("F32", "[1]", "[4,8]")), ": tensor 'x': begins at byte 4 of the data, byte 0" + due},
      {one(entry("F32", "[3]", "[0,12]")), ": tensor 'x': ends at byte 12 of 8 bytes of data"},
      {one(entry("F32", "[3]", "[0,8]")), ": tensor 'x': 8 bytes, its shape [3] and dtype make it 12"},
      {one(entry("F16", "[2]", "[0,4]")), ": 4 bytes follow the last tensor, none are allowed"},
      {one(entry("F32", "[1]", "[0,4]") + R"(,"y":)" + entry("F32", "[2]", "[0,8]")),
       ": tensor 'y': begins at byte 0 of the data, byte 4" + due},
      {one(entry("F32", "[2]", "[0,8]") + R"(,"y":)" + entry("F32", "[1]", "[4,8]")),
       ": tensor 'y': begins at byte 4 of the data, byte 8" + due},
      {with_header("{}", eight), ": 8 bytes follow the last tensor, none are allowed"},
      {with_header(std::string(100, '[').replace(0, 5, R"({"x":)")), ": header: nested deeper than 64"},
  };
}

TEST(ModelSafetensors, MalformedFilesAreRefused) {
  const Folder folder;
  for (const Malformed& bad : malformed_files()) {
    const auto file = folder.write("bad.safetensors", bad.bytes);
    EXPECT_EQ(refusal(folder, [&] { read_safetensors(file); }), "/bad.safetensors" + bad.message);
  }
}

TEST(ModelSafetensors, NoDamageGetsPastTheChecks) {
  const Folder folder;
  const std::string sound = with_tensors({{"first", {2, 3}, 1}, {"second", {4}, 2}});
  const auto read_damaged =
      [&](const std::string& bytes) {  // true if refused; any other exception ends the test
        const auto file = folder.write("damaged.safetensors", bytes);
        try {
          for (const auto& [name, tensor] : read_safetensors(file)) to_float32(tensor, at::kCPU).sum();
          return false;
        } catch (const BadInput&) {
          return true;
        }
      };
  for (std::size_t length = 0; length < sound.size(); ++length)
    EXPECT_TRUE(read_damaged(sound.substr(0, length)));
  for (std::size_t at = 0; at < sound.size() - 40; ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = sound;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      read_damaged(flipped);
    }
  EXPECT_TRUE(read_damaged(sound + " "));
  EXPECT_FALSE(read_damaged(sound));
}

TEST(ModelSafetensors, ReadsEveryTypeAtAnyAlignment) {
  const Folder folder;
  std::string data;
  const auto put = [&](auto number) { data.append(reinterpret_cast<const char*>(&number), sizeof number); };
  put(1.5F);
  put(c10::Half(-0.25F));
  put(c10::BFloat16(3.0F));
  std::string header = R"({"__metadata__":{"format":"pt"},"a":)" + entry("F32", "[1]", "[0,4]") + R"(,"b":)" +
                       entry("F16", "[1,1]", "[4,6]") + R"(,"c":)" + entry("BF16", "[1]", "[6,8]") + "}";
  for (int padding = 0; padding < 4; ++padding) {  // spaces that end the header move the data
    const auto file = folder.write("good.safetensors", with_header(header, data));
    const StoredTensors tensors = read_safetensors(file);
    ASSERT_EQ(tensors.size(), 3U);
    EXPECT_EQ(to_float32(tensors.at("a"), at::kCPU).item<float>(), 1.5F);
    EXPECT_EQ(to_float32(tensors.at("b"), at::kCPU).item<float>(), -0.25F);
    EXPECT_EQ(to_float32(tensors.at("c"), at::kCPU).item<float>(), 3.0F);
    EXPECT_EQ(tensors.at("b").shape, (std::vector<std::int64_t>{1, 1}));
    header += ' ';
  }
}

TEST(ModelSafetensors, MappedTensorsOutliveTheirFile) {
  const Folder folder;
  at::Tensor tensor;
  {
    const StoredTensors tensors =
        read_safetensors(folder.write("m.safetensors", with_tensors({{"x", {3}, 2.5F}})));
    tensor = to_float32(tensors.at("x"), at::kCPU);
  }
  std::filesystem::remove(folder.path() / "m.safetensors");
  EXPECT_EQ(tensor.sum().item<float>(), 7.5F);
}

struct Sharded {
  std::string index, message;
};

TEST(ModelSafetensors, ShardsMustHoldWhatTheIndexSays) {
  const Folder folder;
  folder.write("one.safetensors", with_tensors({{"a", {1}}, {"b", {1}}}));
  folder.write("two.safetensors", with_tensors({{"c", {1}}}));
  folder.write("again.safetensors", with_tensors({{"a", {1}}}));
  const std::string file = "/model.safetensors.index.json: ",
                    start = R"({"weight_map":{"a":"one.safetensors",)";
  const std::vector<Sharded> table{
      {"[]", "a list found, an object is due"},
      {"{}", "weight_map, an object, is missing"},
      {R"({"weight_map":{}})", "weight_map is empty"},
      {R"({"weight_map":{"a":1}})", "tensor 'a': 1 found, the name of a file is due"},
      {R"({"weight_map":{"a":"../one.safetensors"}})",
       "tensor 'a': shard '../one.safetensors' is not the name of a file in the index's own folder"},
      {R"({"weight_map":{"a":"/etc/passwd"}})",
       "tensor 'a': shard '/etc/passwd' is not the name of a file in the index's own folder"},
      {R"({"weight_map":{"a":".."}})",
       "tensor 'a': shard '..' is not the name of a file in the index's own folder"},
      {start + R"("a":"two.safetensors"}})", "key 'a' stands twice"},
      {start + R"("b":"three.safetensors"}})", "tensor 'b': shard 'three.safetensors' is not in the folder"},
      {start + R"("c":"two.safetensors"}})", "tensor 'b' of shard 'one.safetensors' is not listed"},
      {start + R"("b":"one.safetensors","d":"two.safetensors"}})",
       "tensor 'c' of shard 'two.safetensors' is not listed"},
      {start + R"("b":"one.safetensors","c":"two.safetensors","d":"two.safetensors"}})",
       "tensor 'd' is not in its shard 'two.safetensors'"},
      {start + R"("b":"one.safetensors","c":"again.safetensors"}})",
       "tensor 'a' is said to be in shard 'one.safetensors' and stands in 'again.safetensors'"},
  };
  for (const Sharded& bad : table) {
    folder.write("model.safetensors.index.json", bad.index);
    EXPECT_EQ(refusal(folder, [&] { read_folder(folder.path()); }), file + bad.message);
  }
  folder.write("model.safetensors.index.json", start + R"("b":"one.safetensors","c":"two.safetensors"}})");
  EXPECT_EQ(read_folder(folder.path()).size(), 3U);
  std::filesystem::rename(folder.path() / "two.safetensors", folder.path() / "blob");
  std::filesystem::create_symlink("blob", folder.path() / "two.safetensors");  // as in a cache of downloads
  EXPECT_EQ(read_folder(folder.path()).size(), 3U);
}

TEST(ModelSafetensors, PicklesAreNeverLoaded) {
  const Folder folder;
  EXPECT_EQ(refusal(folder, [&] { find_weight_files(folder.path()); }),
            ": no model.safetensors and no model.safetensors.index.json");
  EXPECT_EQ(refusal(folder, [&] { refuse_pickles(folder.path()); }), "nothing thrown");
  folder.write("pytorch_model.bin", "x");
  for (const auto& read : {std::function<void()>([&] { find_weight_files(folder.path()); }),
                           std::function<void()>([&] { refuse_pickles(folder.path()); })})
    EXPECT_EQ(refusal(folder, read),
              "/pytorch_model.bin: a pickle can run code and is never loaded; convert it with Python's "
              "transformers: AutoModelForCausalLM.from_pretrained(folder).save_pretrained(new_folder)");
  folder.write("model.safetensors", "");
  EXPECT_EQ(refusal(folder, [&] { refuse_pickles(folder.path()); }), "nothing thrown");
}

}  // namespace
}  // namespace headsweep
