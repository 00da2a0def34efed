// adapter tests: a model of two layers whose o_proj alone is there, C = 8 and E = 6, in a folder of its own.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <headsweep/adapter.hpp>
#include <headsweep/json.hpp>
#include <string>
#include <vector>

#include "unit/refusal.hpp"

namespace headsweep {

class AdapterWorld : public testing::Test {
 protected:
  static constexpr int layers = 2, heads = 2, width = 4, hidden = 6;

  void SetUp() override {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(model());
    write_file(model() / "config.json",
               R"({"model_type": "llama", "num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 6,
                   "head_dim": 4, "intermediate_size": 4, "vocab_size": 5, "max_position_embeddings": 16,
                   "rms_norm_eps": 1e-5})");
    std::map<std::string, at::Tensor> tensors;
    for (int layer = 0; layer < layers; ++layer) {
      at::Tensor matrix = at::empty({hidden, heads * width});
      for (int row = 0; row < hidden; ++row)
        for (int column = 0; column < heads * width; ++column)
          matrix[row][column] = output_weight(layer, row, column);
      tensors[cat("model.layers.", layer, ".self_attn.o_proj.weight")] = matrix;
    }
    write_file(model() / "model.safetensors", encode_tensors(tensors));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static float output_weight(int layer, int row, int column) {
    return static_cast<float>(((layer + 2) * (row + 1) * (column + 3)) % 7 - 3) / 4;
  }
  [[nodiscard]] std::filesystem::path model() const { return folder_ / "model"; }
  [[nodiscard]] ModelConfig config() const { return read_config(model()); }
  static std::vector<float> numbers(std::size_t count, float first) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = first + 0.25F * static_cast<float>(i);
    return values;
  }
  template <class Action>
  std::string refusal_of(Action action) const {
    return refusal_in<BadInput>(folder_, action);
  }

  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("headsweep-adapter-" + std::to_string(::getpid()));
};

}  // namespace headsweep
