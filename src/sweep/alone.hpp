// sweep: what one process without ranks needs of the stages before a sweep: a device and weights on it.
#pragma once

#include <headsweep/job.hpp>
#include <headsweep/model.hpp>

namespace headsweep {

/// The first GPU, or the CPU; BadInput where the job asks for a GPU that is not there.
at::Device choose_device_alone(const JobSpec& job);
Weights load_weights_alone(const JobSpec& job, const ModelConfig& config);

}  // namespace headsweep
