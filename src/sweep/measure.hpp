// sweep: lanes of edits, however they were made, measured into the records of their trials.
#pragma once

#include <functional>
#include <headsweep/record.hpp>

#include "sweep/ground.hpp"

namespace headsweep {

/// K lanes that act from the same token on.
struct LanesToMeasure {
  const LaneEdits& edits;
  EditFrom from = EditFrom::all;
  at::Tensor tau;        ///< [K]
  bool has_loss = true;  ///< an ITI shift has no tau: its loss is not defined, its margin is
  LogProb log_prob = LogProb::sum;
  const Weights& weights;
};
/// Fills metrics, items and relative sizes of K records in. `tick` is called between steps and may throw.
void measure_lanes(const LanesToMeasure& lanes, FoldGround& fold, const std::function<void()>& tick,
                   std::vector<TrialRecord>& records);
/// Says why an edit is no edit: a parameter or its effect on the sample that is not finite. Empty if all is
/// well.
std::string infinite_in(const TrialRecord& record);
/// A failed lane keeps its curve and no scores: what was measured of it is not what was asked for.
void mark_failed(const std::string& stage, const std::string& message, TrialRecord& record);

}  // namespace headsweep
