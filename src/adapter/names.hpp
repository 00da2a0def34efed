// adapter, private: how PEFT names the files and tensors of a LoRA adapter.
#pragma once

#include <headsweep/base.hpp>
#include <string>

namespace headsweep {

inline constexpr const char* adapter_config_file = "adapter_config.json";
inline constexpr const char* adapter_tensors_file = "adapter_model.safetensors";

/// `model.layers.5.self_attn.o_proj`.
inline std::string module_of(int layer, EditTarget target) {
  const bool mlp = target == EditTarget::gate || target == EditTarget::up || target == EditTarget::down;
  return cat("model.layers.", layer, mlp ? ".mlp." : ".self_attn.", target);
}
/// `base_model.model.model.layers.5.self_attn.o_proj.lora_A.weight`; `part` is the last two words.
inline std::string tensor_of(int layer, EditTarget target, const std::string& part) {
  return cat("base_model.model.", module_of(layer, target), ".", part);
}
inline constexpr const char* part_a = "lora_A.weight";
inline constexpr const char* part_b = "lora_B.weight";
inline constexpr const char* part_bias = "lora_B.bias";

}  // namespace headsweep
