// job: what no single value can say: sums, names that must exist, kinds that must fit together.
#pragma once

#include <headsweep/job.hpp>
#include <map>
#include <string>

namespace headsweep {

/// The line of every key that the file gives, by its dotted name.
using JobLines = std::map<std::string, int>;

/// BadInput `file:line: key: found, allowed` unless the values fit together.
void check_job(const JobSpec& job, const JobLines& lines);

}  // namespace headsweep
