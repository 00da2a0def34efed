// job: the files and folders that a job names.
#pragma once

#include "job/check.hpp"

namespace headsweep {

/// BadInput `file:line: key: path: no such file` unless all are there.
void check_files(JobSpec job, const JobPlaces& places);

}  // namespace headsweep
