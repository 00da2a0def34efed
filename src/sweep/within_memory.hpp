// sweep: a block that does not fit into memory.
#pragma once

#include <functional>
#include <headsweep/plan.hpp>
#include <headsweep/record.hpp>

namespace headsweep {

using RunBlock = std::function<std::vector<TrialRecord>(const Block&)>;

/// Records of a block's trials by `run`; where memory does not suffice, by halves of its lanes, down to one
/// lane, whose trial has then failed. `TrialRecord::lanes` says with how many lanes a trial was run, for
/// other lanes mean other last bits.
std::vector<TrialRecord> run_within_memory(const Plan& plan, const Block& block, const RunBlock& run);

/// A trial that has no results, and why.
TrialRecord failed_record(const Plan& plan, TrialId trial, const std::string& stage,
                          const std::string& message);

}  // namespace headsweep
