// sweep: what is measured once before a sweep and stored in its folder: lanes a block, and whether prefixes
// are kept.
#pragma once

#include <headsweep/comm.hpp>
#include <headsweep/store.hpp>

#include "sweep/ground.hpp"

namespace headsweep {

/// The job with lanes and prefixes settled. Rank 0 reads tune/engine.json or, if it is not there, chooses and
/// writes it. Collective.
JobSpec tune(const World& world, JobSpec job, const Texts& texts, const Weights& weights,
             SweepFolder& folder);
/// Settles them by the text of engine.json.
void apply_tuning(const std::string& text, const std::filesystem::path& file, JobSpec& job);

}  // namespace headsweep
