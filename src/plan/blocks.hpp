// plan: trials -> blocks. In: locations and trials of a plan; out: its blocks by falling cost.
#pragma once

#include <headsweep/plan.hpp>
#include <vector>

namespace headsweep {

std::vector<Block> make_blocks(const JobSpec& job, const DataSize& data, const Plan& plan);

}  // namespace headsweep
