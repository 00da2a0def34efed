// store, private: verdicts of a judge from outside, read from its file.
#pragma once

#include <headsweep/store.hpp>
#include <string>
#include <unordered_map>

namespace headsweep {

/// By the id of the answer. BadInput `file:line: ...`; see apply_scores.
using Scores = std::unordered_map<std::string, Verdict>;
Scores read_scores(const ResultsFile& results, const OutsideScores& request);

}  // namespace headsweep
