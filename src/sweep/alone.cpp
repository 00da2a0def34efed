// sweep: device and weights of a process of its own.
#include "sweep/alone.hpp"

#include <headsweep/kernels.hpp>

#include "sweep/stages.hpp"

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
  return load_weights(job.model.folder, config, load_options(job, device));
}

}  // namespace headsweep
