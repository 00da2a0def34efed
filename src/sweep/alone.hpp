// sweep: what one process without ranks needs of the stages before a sweep: a device, weights and judges on
// it.
#pragma once

#include "sweep/judges.hpp"

namespace headsweep {

/// The first GPU, or the CPU; BadInput where the job asks for a GPU that is not there.
at::Device choose_device_alone(const JobSpec& job);
Weights load_weights_alone(const JobSpec& job, const ModelConfig& config);
/// `job` and `behaviour` must outlive the judges.
Judges load_judges_alone(const JobSpec& job, const Behaviour& behaviour, at::Device device);
/// All references with their verdicts.
std::vector<Reference> judge_references_alone(const Behaviour& behaviour, Judge& judge);

}  // namespace headsweep
