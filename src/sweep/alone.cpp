// sweep: device, weights and judges of a process of its own.
#include "sweep/alone.hpp"

#include <headsweep/kernels.hpp>

namespace headsweep {

at::Device choose_device_alone(const JobSpec& job) {
  if (job.model.device == Device::cpu) return at::kCPU;
  const bool visible = GpuGroup::visible_devices() > 0;
  if (visible && kernels::has_cuda()) return {at::kCUDA, 0};
  const char* obstacle =
      visible ? "this build has no CUDA kernels; build it where nvcc is" : "no GPU is visible";
  require(job.model.device != Device::cuda, "model.device: cuda is asked for, but ", host_name(), ": ",
          obstacle);
  if (visible) log_line(cat("the model runs on the CPU: ", obstacle));
  return at::kCPU;
}

Weights load_weights_alone(const JobSpec& job, const ModelConfig& config) {
  const at::Device device = choose_device_alone(job);
  if (device.is_cuda()) fix_gpu_arithmetic();
  return load_weights(job.model.folder, config, load_options(job.model.precision, device));
}

Judges load_judges_alone(const JobSpec& job, const Behaviour& behaviour, at::Device device) {
  return join_judges(job, behaviour, [&](const std::filesystem::path& folder) {
    auto model = std::make_unique<Judges::Model>();
    model->tokenizer = load_tokenizer(folder);
    const LoadOptions options = load_options(job.model.precision, device);
    model->shared.weights = load_weights(folder, read_config(folder), options);
    return model;
  });
}

std::vector<Reference> judge_references_alone(const Behaviour& behaviour, Judge& judge) {
  std::vector<Reference> references = references_of(behaviour);
  const std::vector<Verdict> verdicts = judge_some(references, judge, [] {});
  for (std::size_t i = 0; i < references.size(); ++i) references[i].verdict = verdicts[i];
  return references;
}

}  // namespace headsweep
