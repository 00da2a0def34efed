// sweep: what a run is asked for, read and compared before a weight is read.
#pragma once

#include <headsweep/comm.hpp>
#include <headsweep/sweep.hpp>

#include "sweep/ground.hpp"
#include "sweep/time_limit.hpp"

namespace headsweep {

/// The job as its file says it, with what a resume and the other ranks must find unchanged.
struct Request {
  JobSpec job;
  Texts texts;
  SweepIdentity identity;
  at::Device device = at::kCPU;
  double begin = now_seconds();  ///< of the run
  TimeLimit limit;
};

/// Reads all but the weights, and refuses what it must before they are read. Collective.
Request read_request(const World& world, const std::filesystem::path& job_file, const RunOptions& options);

/// Hashes what this rank reads and compares it with what the others read. Collective.
void identify(const World& world, const RunOptions& options, Request& request);

}  // namespace headsweep
