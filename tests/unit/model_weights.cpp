// model: loading: what is missing, superfluous, misshaped or not finite; hashes; sharing between processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/devices.hpp"
#include "unit/model_files.hpp"
#include "unit/model_support.hpp"

namespace headsweep {
namespace {

using namespace model_test;

const ModelConfig small{.layers = 1,
                        .heads = 2,
                        .kv_heads = 1,
                        .head_dim = 4,
                        .hidden = 6,
                        .intermediate = 10,
                        .vocab = 5,
                        .max_tokens = 8};

std::vector<Filled> sound() {
  const std::string layer = "model.layers.0.";
  return {{"model.embed_tokens.weight", {5, 6}, 1},
          {layer + "input_layernorm.weight", {6}, 2},
          {layer + "self_attn.q_proj.weight", {8, 6}, 3},
          {layer + "self_attn.k_proj.weight", {4, 6}, 4},
          {layer + "self_attn.v_proj.weight", {4, 6}, 5},
          {layer + "self_attn.o_proj.weight", {6, 8}, 6},
          {layer + "post_attention_layernorm.weight", {6}, 7},
          {layer + "mlp.gate_proj.weight", {10, 6}, 8},
          {layer + "mlp.up_proj.weight", {10, 6}, 9},
          {layer + "mlp.down_proj.weight", {6, 10}, 10},
          {"model.norm.weight", {6}, 11},
          {"lm_head.weight", {5, 6}, 12}};
}

class ModelWeights : public testing::Test {
 protected:
  void write(const std::vector<Filled>& tensors) const {
    folder_.write("config.json", "{}");
    folder_.write("model.safetensors", with_tensors(tensors));
  }
  [[nodiscard]] Weights load(const LoadOptions& options = {}, const ModelConfig& config = small) const {
    return load_weights(folder_.path(), config, options);
  }
  [[nodiscard]] std::string load_refusal(const LoadOptions& options = {},
                                         const ModelConfig& config = small) const {
    return refusal(folder_, [&] { static_cast<void>(load(options, config)); });
  }
  const Folder folder_;
};

/// Rows [begin, begin + count) of a tensor are all this number.
bool filled_with(const at::Tensor& tensor, std::int64_t begin, std::int64_t count, float number) {
  return tensor.narrow(0, begin, count).eq(number).all().item<bool>();
}

TEST_F(ModelWeights, EveryTensorInItsPlace) {
  write(sound());
  const Weights weights = load();
  const LayerWeights& layer = weights.layers.at(0);
  ASSERT_EQ(layer.qkv.sizes(), (std::vector<std::int64_t>{16, 6}));
  EXPECT_TRUE(filled_with(layer.qkv, 0, 8, 2 * 3));  // the norm's gain is multiplied in
  EXPECT_TRUE(filled_with(layer.qkv, 8, 4, 2 * 4));
  EXPECT_TRUE(filled_with(layer.qkv, 12, 4, 2 * 5));
  EXPECT_TRUE(filled_with(layer.o, 0, 6, 6));
  ASSERT_EQ(layer.gate_up.sizes(), (std::vector<std::int64_t>{20, 6}));
  EXPECT_TRUE(filled_with(layer.gate_up, 0, 10, 7 * 8));
  EXPECT_TRUE(filled_with(layer.gate_up, 10, 10, 7 * 9));
  EXPECT_TRUE(filled_with(layer.down, 0, 6, 10));
  EXPECT_TRUE(filled_with(weights.embedding, 0, 5, 1));
  EXPECT_TRUE(filled_with(weights.norm_final, 0, 6, 11));
  EXPECT_TRUE(filled_with(weights.output, 0, 5, 12));
  EXPECT_EQ(weights.rope_cos.sizes(), (std::vector<std::int64_t>{8, 4}));
  EXPECT_NEAR(weights.rope_sin[7][1].item<float>(), std::sin(7 / 100.0), 1e-6);
}

/// Columns have gains of their own, rows numbers of their own; bfloat16 is the rounding of the float32
/// product.
TEST_F(ModelWeights, GainsMultiplyColumns) {
  auto tensors = sound();
  for (Filled& tensor : tensors) tensor.step = 0.037F;
  write(tensors);
  const auto stored = [&](std::size_t index) {
    const Filled& tensor = tensors[index];
    at::Tensor numbers = at::empty(tensor.shape);
    for (std::int64_t i = 0; i < numbers.numel(); ++i)
      numbers.data_ptr<float>()[i] = tensor.value + tensor.step * static_cast<float>(i);
    return numbers;
  };
  const at::Tensor qkv = at::cat({stored(2), stored(3), stored(4)}) * stored(1);
  const at::Tensor gate_up = at::cat({stored(7), stored(8)}) * stored(6);
  for (const auto number : {at::kFloat, at::kBFloat16}) {
    const Weights weights = load({.number = number});
    const LayerWeights& layer = weights.layers[0];
    EXPECT_EQ(weights.number, number);
    EXPECT_TRUE(at::equal(layer.qkv, qkv.to(number)));
    EXPECT_TRUE(at::equal(layer.gate_up, gate_up.to(number)));
    EXPECT_TRUE(at::equal(layer.o, stored(5).to(number)));
    EXPECT_TRUE(at::equal(layer.down, stored(9).to(number)));
    EXPECT_TRUE(at::equal(weights.embedding, stored(0).to(number)));
    EXPECT_TRUE(at::equal(weights.output, stored(11).to(number)));
    EXPECT_TRUE(at::equal(weights.norm_final, stored(10))) << "float32 always";
    EXPECT_TRUE(at::equal(layer.heads_gain, stored(1)) && at::equal(layer.mlp_gain, stored(6)));
    EXPECT_FALSE(layer.query_gain.defined() || layer.key_gain.defined());
  }
}

TEST_F(ModelWeights, NormsOfHeadsAreReadWhereTheModelHasThem) {
  ModelConfig normed = small;
  normed.head_norms = true;
  auto tensors = sound();
  write(tensors);
  EXPECT_EQ(
      load_refusal({}, normed),
      ": missing tensors: model.layers.0.self_attn.q_norm.weight, model.layers.0.self_attn.k_norm.weight");
  tensors.push_back({"model.layers.0.self_attn.q_norm.weight", {4}, 13});
  tensors.push_back({"model.layers.0.self_attn.k_norm.weight", {4}, 14});
  write(tensors);
  const Weights weights = load({.number = at::kBFloat16, .strict = true}, normed);
  EXPECT_TRUE(at::equal(weights.layers[0].query_gain, at::full({4}, 13.0F))) << "float32 always";
  EXPECT_TRUE(at::equal(weights.layers[0].key_gain, at::full({4}, 14.0F)));
  EXPECT_EQ(tensors_of(weights).size(), 11U);
}

/// What `place` is asked for, and that tensors lie where it puts them.
TEST_F(ModelWeights, TensorsArePlacedAndFilledOneByOne) {
  write(sound());
  ModelConfig tied = small;
  tied.tied = true;
  for (const auto& [config, number] :
       {std::pair{small, at::kFloat}, {small, at::kBFloat16}, {tied, at::kBFloat16}}) {
    if (config.tied) {
      auto tensors = sound();
      tensors.pop_back();
      write(tensors);
    }
    std::vector<std::vector<std::int64_t>> shapes;
    std::vector<at::Tensor> places;
    std::size_t bytes = 0;
    const LoadOptions options{
        .number = number, .place = [&](at::IntArrayRef shape, at::ScalarType type) {
          const bool whole = places.empty() || places.back().isfinite().all().item<bool>();
          EXPECT_TRUE(whole) << "the one before is filled first";
          EXPECT_EQ(type, shape.size() == 1 ? at::kFloat : number);
          shapes.push_back(shape.vec());
          places.push_back(at::full(shape, std::numeric_limits<float>::quiet_NaN(), type));
          bytes += (places.back().nbytes() + 63) / 64 * 64;
          return places.back();
        }};
    const Weights weights = load(options, config);
    std::vector<std::vector<std::int64_t>> expected{{5, 6}, {16, 6}, {6}, {6, 8}, {20, 6},
                                                    {6},    {6, 10}, {6}, {5, 6}};
    if (config.tied) expected.pop_back();
    EXPECT_EQ(shapes, expected);
    EXPECT_TRUE(places.back().isfinite().all().item<bool>());
    EXPECT_EQ(weight_bytes(config, number), bytes);
    const LayerWeights& layer = weights.layers[0];
    std::vector<at::Tensor> in_order{weights.embedding, layer.qkv,          layer.heads_gain,
                                     layer.o,           layer.gate_up,      layer.mlp_gain,
                                     layer.down,        weights.norm_final, weights.output};
    for (std::size_t i = 0; i < places.size(); ++i) EXPECT_TRUE(in_order[i].is_same(places[i])) << i;
    EXPECT_EQ(weights.output.is_same(weights.embedding), config.tied);
  }
}

TEST_F(ModelWeights, MissingTensorsAreAllNamed) {
  auto tensors = sound();
  tensors.erase(tensors.begin() + 5);
  tensors.pop_back();
  write(tensors);
  EXPECT_EQ(load_refusal(), ": missing tensors: model.layers.0.self_attn.o_proj.weight, lm_head.weight");
}

TEST_F(ModelWeights, ShapesMustFitTheConfig) {
  auto tensors = sound();
  tensors[2].shape = {6, 8};
  write(tensors);
  EXPECT_EQ(load_refusal(),
            "/model.safetensors: tensor 'model.layers.0.self_attn.q_proj.weight' is [6, 8], config.json "
            "makes it [8, 6]");
}

TEST_F(ModelWeights, ExtrasAreToldOnceOrRefused) {
  auto tensors = sound();
  tensors.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", {2}, 1});
  write(tensors);
  EXPECT_NO_THROW(load({.strict = true}));
  tensors.push_back({"score.weight", {2}, 1});
  write(tensors);
  EXPECT_EQ(load_refusal({.strict = true}), ": unused tensors: score.weight");
  testing::internal::CaptureStderr();
  EXPECT_NO_THROW(load());
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            folder_.path().string() + ": unused tensors: score.weight\n");
}

TEST_F(ModelWeights, NumbersMustBeFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    auto tensors = sound();
    tensors[3].value = bad;
    write(tensors);
    EXPECT_EQ(load_refusal(),
              "/model.safetensors: tensor 'model.layers.0.self_attn.k_proj.weight': 24 of 24 numbers are NaN "
              "or Inf");
  }
}

TEST_F(ModelWeights, ATiedOutputMustBeTheEmbedding) {
  ModelConfig tied = small;
  tied.tied = true;
  auto tensors = sound();
  write(tensors);
  EXPECT_EQ(load_refusal({}, tied),
            "/model.safetensors: tensor 'lm_head.weight' differs from the embedding, config.json says "
            "tie_word_embeddings = true");
  tensors.back().value = 1;
  write(tensors);
  EXPECT_NO_THROW(load({.strict = true}, tied));
  tensors.pop_back();
  write(tensors);
  const Weights weights = load({}, tied);
  EXPECT_TRUE(weights.output.is_same(weights.embedding));
}

TEST_F(ModelWeights, WhoDoesNotReadIsGivenWhatTheReaderHas) {
  write(sound());
  const Weights reader = load();
  std::filesystem::remove(folder_.path() / "model.safetensors");
  const Weights other = load({.reads = false});
  const std::vector<at::Tensor> sent = tensors_of(reader), received = tensors_of(other);
  ASSERT_EQ(sent.size(), received.size());
  for (std::size_t i = 0; i < sent.size(); ++i) received[i].copy_(sent[i]);
  EXPECT_EQ(hash_memory(reader), hash_memory(other));
}

TEST_F(ModelWeights, HashesSeeEveryChange) {
  write(sound());
  const std::string before = hash_model(folder_.path());
  for (const at::Device device : devices_here()) {
    const Weights weights = load({.device = device});
    const std::string memory = hash_memory(weights);
    EXPECT_EQ(memory, hash_memory(load({.device = device})));
    weights.layers[0].down[5][9] += 1e-6F;
    EXPECT_NE(memory, hash_memory(weights));
  }
  auto tensors = sound();
  tensors.back().value = 12.5F;
  write(tensors);
  EXPECT_NE(before, hash_model(folder_.path()));
  write(sound());
  EXPECT_EQ(before, hash_model(folder_.path()));
  folder_.write("config.json", "{ }");
  EXPECT_NE(before, hash_model(folder_.path()));
}

}  // namespace
}  // namespace headsweep
