// Shared by the tests of model, edit and eval: the devices that there are, and what is tested on each of
// them.
#pragma once

#include <ATen/ATen.h>

#include <headsweep/kernels.hpp>
#include <headsweep/model.hpp>

namespace headsweep {

/// The CPU and, where torch sees one and the kernels are built for it, a GPU, made to give the same bits each
/// time.
inline const std::vector<at::Device>& devices_here() {
  static const std::vector<at::Device> devices = [] {
    std::vector<at::Device> found{at::kCPU};
    if (!at::hasCUDA() || !kernels::has_cuda()) return found;
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
    at::globalContext().setDeterministicAlgorithms(true, false);
    found.emplace_back(at::kCUDA, 0);
    return found;
  }();
  return devices;
}

/// As undefined as before, or on the device.
inline at::Tensor on(const at::Tensor& tensor, at::Device device) {
  return tensor.defined() ? tensor.to(device) : tensor;
}
inline Weights on(Weights weights, at::Device device) {
  for (LayerWeights& layer : weights.layers)
    for (at::Tensor* tensor : {&layer.qkv, &layer.o, &layer.gate_up, &layer.down, &layer.query_gain,
                               &layer.key_gain, &layer.heads_gain, &layer.mlp_gain})
      *tensor = on(*tensor, device);
  for (at::Tensor* tensor :
       {&weights.embedding, &weights.output, &weights.norm_final, &weights.rope_cos, &weights.rope_sin})
    *tensor = on(*tensor, device);
  return weights;
}
inline LaneEdits on(LaneEdits edits, at::Device device) {
  for (auto& [layer, edit] : edits.layers)
    edit = {on(edit.lanes, device), on(edit.read, device), on(edit.write, device)};
  for (auto& [layer, adapters] : edits.adapters)
    for (auto& [target, adapter] : adapters) adapter = {on(adapter.a, device), on(adapter.b, device)};
  return edits;
}

}  // namespace headsweep
