// model: loading: what is missing, superfluous, misshaped or not finite; hashes; sharing between processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST_F(ModelWeights, EveryTensorInItsPlace) {
  write(sound());
  const Weights weights = load();
  const LayerWeights& layer = weights.layers.at(0);
  float number = 0;
  for (const at::Tensor* tensor :
       {&weights.embedding, &layer.norm_attention, &layer.q, &layer.k, &layer.v, &layer.o, &layer.norm_mlp,
        &layer.gate, &layer.up, &layer.down, &weights.norm_final, &weights.output})
    EXPECT_TRUE(tensor->eq(++number).all().item<bool>()) << number;
  EXPECT_EQ(weights.rope_cos.sizes(), (std::vector<std::int64_t>{8, 4}));
  EXPECT_NEAR(weights.rope_sin[7][1].item<float>(), std::sin(7 / 100.0), 1e-6);
  EXPECT_EQ(weights.hash, hash_model(folder_.path()));
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

TEST_F(ModelWeights, OneReaderSharesInAFixedOrder) {
  write(sound());
  std::vector<at::Tensor> sent;
  const Weights reader = load({.share = [&](at::Tensor& tensor) { sent.push_back(tensor); }});
  std::filesystem::remove(folder_.path() / "model.safetensors");
  std::size_t next = 0;
  const Weights other =
      load({.share = [&](at::Tensor& tensor) { tensor.copy_(sent.at(next++)); }, .reads = false});
  EXPECT_EQ(next, sent.size());
  EXPECT_EQ(hash_memory(reader), hash_memory(other));
  EXPECT_TRUE(other.hash.empty());
}

TEST_F(ModelWeights, HashesSeeEveryChange) {
  write(sound());
  const std::string before = hash_model(folder_.path());
  const Weights weights = load({.share = [](at::Tensor& tensor) { tensor = tensor.clone(); }});
  const std::string memory = hash_memory(weights);
  EXPECT_EQ(memory, hash_memory(load()));
  weights.layers[0].down[5][9] += 1e-6F;
  EXPECT_NE(memory, hash_memory(weights));
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
