// adapter: PEFT's folders: what is written, that it reads back, and what is refused.
#include "unit/adapter_world.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;

class AdapterLora : public AdapterWorld {
 protected:
  [[nodiscard]] static std::vector<EditLayer> edit_of(EditKind kind, bool gated = true) {
    std::vector<EditLayer> edit;
    for (int layer = 0; layer < layers; ++layer)
      edit.push_back({.layer = layer,
                      .a = gated ? numbers(8, -1.0F) : std::vector<float>{},
                      .b = numbers(kind == EditKind::lora ? 6 : 8, 0.5F * static_cast<float>(layer + 1))});
    return edit;
  }
  /// W_o b by its definition.
  static std::vector<float> written(const EditLayer& row) {
    std::vector<float> values(hidden, 0.0F);
    for (int i = 0; i < hidden; ++i)
      for (int column = 0; column < heads * width; ++column)
        values[static_cast<std::size_t>(i)] +=
            output_weight(row.layer, i, column) * row.b[static_cast<std::size_t>(column)];
    return values;
  }
  void save(EditKind kind, const std::vector<EditLayer>& edit, const std::string& name = "adapter") const {
    write_adapter(folder_ / name, make_adapter(kind, edit, model(), "edit"));
  }
  [[nodiscard]] Json saved_config() const {
    return read_json_file(folder_ / "adapter" / "adapter_config.json");
  }
  [[nodiscard]] std::map<std::string, at::Tensor> saved_tensors() const {
    return read_tensors(folder_ / "adapter" / "adapter_model.safetensors");
  }
  /// What reading says after `change` of the saved configuration.
  template <class Change>
  std::string refusal_with(Change change) const {
    Json config = saved_config();
    const std::string text = config.dump();
    change(config);
    write_file(folder_ / "adapter" / "adapter_config.json", config.dump());
    const std::string refusal = refusal_of([&] { read_adapter(folder_ / "adapter", this->config()); });
    write_file(folder_ / "adapter" / "adapter_config.json", text);
    return refusal;
  }
  void save_tensors(const std::map<std::string, at::Tensor>& tensors) const {
    write_file(folder_ / "adapter" / "adapter_model.safetensors", encode_tensors(tensors));
  }
};

TEST_F(AdapterLora, AnOptimalEditIsLoraOfRankOne) {
  const std::vector<EditLayer> edit = edit_of(EditKind::optimal);
  save(EditKind::optimal, edit);
  const std::vector<EditLayer> back = read_adapter(folder_ / "adapter", config());
  ASSERT_EQ(back.size(), 2U);
  for (std::size_t i = 0; i < back.size(); ++i) {
    EXPECT_EQ(back[i].layer, edit[i].layer);
    EXPECT_EQ(back[i].a, edit[i].a);
    const std::vector<float> due = written(edit[i]);
    for (std::size_t j = 0; j < due.size(); ++j) EXPECT_NEAR(back[i].b[j], due[j], 1e-5);
  }
  EXPECT_EQ(saved_config()["layers_to_transform"], Json(nullptr));
  EXPECT_FALSE(saved_config().contains("lora_bias"));
}

TEST_F(AdapterLora, LoraReadsBackEqual) {
  std::vector<EditLayer> edit = edit_of(EditKind::lora);
  edit.erase(edit.begin());
  save(EditKind::lora, edit);
  EXPECT_EQ(saved_config()["layers_to_transform"], Json::array({1}));
  const std::vector<EditLayer> back = read_adapter(folder_ / "adapter", config());
  ASSERT_EQ(back.size(), 1U);
  EXPECT_EQ(back[0].layer, 1);
  EXPECT_EQ(back[0].a, edit[0].a);
  EXPECT_EQ(back[0].b, edit[0].b);
}

TEST_F(AdapterLora, RowsOfALayerAreItsRank) {
  std::vector<EditLayer> edit = edit_of(EditKind::lora);
  edit[1].layer = 0;
  save(EditKind::lora, edit);
  EXPECT_EQ(saved_config()["r"], 2);
  EXPECT_EQ(saved_config()["lora_alpha"], 2);
  const auto tensors = saved_tensors();
  const at::Tensor a = tensors.at("base_model.model.model.layers.0.self_attn.o_proj.lora_A.weight"),
                   b = tensors.at("base_model.model.model.layers.0.self_attn.o_proj.lora_B.weight");
  EXPECT_TRUE(at::equal(a[1], at::tensor(edit[1].a)));
  EXPECT_TRUE(at::equal(b.select(1, 1), at::tensor(edit[1].b)));
  edit.push_back(edit_of(EditKind::lora)[1]);
  EXPECT_EQ(refusal_of([&] { save(EditKind::lora, edit, "other"); }),
            "edit: the edit's layers differ in rank or gate");
}

TEST_F(AdapterLora, AConstantGateIsABias) {
  const std::vector<EditLayer> edit = edit_of(EditKind::iti, false);
  save(EditKind::iti, edit);
  EXPECT_EQ(saved_config()["lora_bias"], true);
  const auto tensors = saved_tensors();
  ASSERT_EQ(tensors.size(), 6U);
  const at::Tensor bias = tensors.at("base_model.model.model.layers.1.self_attn.o_proj.lora_B.bias");
  EXPECT_TRUE(at::allclose(bias, at::tensor(written(edit[1])), 0, 1e-5));
  EXPECT_EQ(
      tensors.at("base_model.model.model.layers.1.self_attn.o_proj.lora_B.weight").abs().sum().item<float>(),
      0);
  EXPECT_EQ(
      refusal_of([&] { read_adapter(folder_ / "adapter", config()); }),
      "adapter/adapter_config.json: lora_bias = true changes what an adapter does and is not supported");
}

TEST_F(AdapterLora, RefusesWhatIsThereAndWhatDoesNotFit) {
  save(EditKind::lora, edit_of(EditKind::lora));
  EXPECT_EQ(refusal_of([&] { save(EditKind::lora, edit_of(EditKind::lora)); }), "adapter: is there already");
  std::vector<EditLayer> wrong = edit_of(EditKind::optimal);
  wrong[1].b.pop_back();
  EXPECT_EQ(refusal_of([&] { save(EditKind::optimal, wrong, "other"); }),
            "edit: an edit of layer 1, o_proj with 8 and 7 values found, the model has 2 layers, 8 and 8 are due");
  EXPECT_EQ(refusal_of([&] { save(EditKind::optimal, {}, "other"); }), "edit: the edit has no layer");
  EXPECT_FALSE(fs::exists(folder_ / "other"));
}

TEST_F(AdapterLora, RefusesOtherKindsOfAdapters) {
  save(EditKind::lora, edit_of(EditKind::lora));
  const std::string file = "adapter/adapter_config.json: ";
  const std::string no = " changes what an adapter does and is not supported";
  const std::vector<std::tuple<std::string, Json, std::string>> changes = {
      {"peft_type", "IA3", "peft_type 'IA3' is not supported; supported: LORA"},
      {"r", 4, "r = 4 is not supported; supported: 1"},
      {"r", 0, "r = 0, a whole number from 1 to 2147483647 is due"},
      {"lora_alpha", "1", "lora_alpha = text '1', a number is due"},
      {"bias", "all", "bias is not supported; supported: none"},
      {"init_lora_weights", "pissa",
       "init_lora_weights = text 'pissa' changes the model's own weights and is not supported"},
      {"use_dora", true, "use_dora = true" + no},
      {"fan_in_fan_out", true, "fan_in_fan_out = true" + no},
      {"modules_to_save", Json::array({"lm_head"}), "modules_to_save = a list" + no},
      {"rank_pattern", {{"o_proj", 2}}, "rank_pattern = an object" + no},
      {"layers_pattern", "blocks", "layers_pattern = text 'blocks'" + no},
      {"key_of_another_year", 7, "key_of_another_year = 7" + no},
      {"target_modules", Json::array({"o_proj", "q_proj"}),
       "target_modules holds 'q_proj'; supported: o_proj"},
      {"target_modules", ".*o_proj", "target_modules = text '.*o_proj', a list of texts is due"},
      {"target_modules", Json::array(), "target_modules is empty"},
      {"target_modules", Json::array({"mlp.o_proj"}),
       "target_modules: 'mlp.o_proj' names no o_proj of the model's 2 layers, or one that is named already"},
      {"layers_to_transform", Json::array({2}),
       "layers_to_transform = 2, a whole number from 0 to 1 is due"}};
  for (const auto& [key, value, message] : changes)
    EXPECT_EQ(refusal_with([&, name = key, to = value](Json& config) { config[name] = to; }), file + message);
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, Json>>{{"key_of_another_year", nullptr},
                                                 {"use_dora", false},
                                                 {"rank_pattern", Json::object()},
                                                 {"lora_dropout", 0.3},
                                                 {"layers_to_transform", Json::array({0, 1})},
                                                 {"init_lora_weights", "gaussian"},
                                                 {"target_modules", Json::array({"self_attn.o_proj"})},
                                                 {"use_rslora", true}})
    EXPECT_EQ(refusal_with([&, name = key, to = value](Json& config) { config[name] = to; }), "accepted")
        << key;
}

TEST_F(AdapterLora, ScaleIsMultipliedIn) {
  save(EditKind::lora, edit_of(EditKind::lora));
  Json config_file = saved_config();
  config_file["lora_alpha"] = 3;
  write_file(folder_ / "adapter" / "adapter_config.json", config_file.dump());
  const std::vector<EditLayer> back = read_adapter(folder_ / "adapter", config()),
                               edit = edit_of(EditKind::lora);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(back[1].b[i], 3 * edit[1].b[i]);
  EXPECT_EQ(back[1].a, edit[1].a);
}

TEST_F(AdapterLora, RefusesTensorsThatDoNotFit) {
  save(EditKind::lora, edit_of(EditKind::lora));
  const auto whole = saved_tensors();
  const std::string a = "base_model.model.model.layers.1.self_attn.o_proj.lora_A.weight";
  const std::string file = "adapter/adapter_model.safetensors: tensor '";
  const auto refusal_after = [&](auto change) {
    auto tensors = whole;
    change(tensors);
    save_tensors(tensors);
    return refusal_of([&] { read_adapter(folder_ / "adapter", config()); });
  };
  EXPECT_EQ(refusal_after([&](auto& tensors) { tensors.erase(a); }), file + a + "' is missing");
  EXPECT_EQ(refusal_after([&](auto& tensors) {
              tensors[a] = at::ones({8, 1});
            }),
            file + a + "' is [8, 1], [1, 8] is due");
  EXPECT_EQ(refusal_after([&](auto& tensors) {
              tensors[a] = at::full({1, 8}, NAN);
            }),
            file + a + "': 8 of 8 numbers are NaN or Inf");
  EXPECT_EQ(refusal_after([&](auto& tensors) { tensors["lm_head.weight"] = at::ones({2}); }),
            file + "lm_head.weight' is none of a rank-1 LoRA on the o_proj that adapter_config.json names");
  EXPECT_EQ(refusal_after([&](auto& tensors) { tensors["lm_head.weight"] = at::ones({0}); }),
            file + "lm_head.weight' is empty");
  fs::remove(folder_ / "adapter" / "adapter_model.safetensors");
  EXPECT_EQ(refusal_of([&] { read_adapter(folder_ / "adapter", config()); }),
            "adapter/adapter_model.safetensors: no such file");
  write_file(folder_ / "adapter" / "adapter_model.bin", "pickle");
  EXPECT_EQ(
      refusal_of([&] { read_adapter(folder_ / "adapter", config()); }),
      "adapter/adapter_model.bin: a pickle can run code and is never loaded; save the adapter with PEFT as "
      "adapter_model.safetensors");
}

}  // namespace
}  // namespace headsweep
