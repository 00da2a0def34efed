// job: what no single value can say: sums, names that must exist, kinds that must fit together.
#pragma once

#include <headsweep/job.hpp>
#include <map>
#include <string>

#include "job/document.hpp"

namespace headsweep {

/// Where every key stands that is given, by its dotted name.
using JobPlaces = std::map<std::string, YamlPlace>;

/// `file:line: key: `, with file and line of the nearest key that is given.
std::string place_of(const JobSpec& job, const JobPlaces& places, const std::string& key);

/// BadInput `file:line: key: found, allowed` unless the values fit together.
void check_job(const JobSpec& job, const JobPlaces& places);

}  // namespace headsweep
