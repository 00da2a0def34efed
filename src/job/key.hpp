// job: one key of the job file, as the tables of keys.hpp, data_keys.hpp and judge_keys.hpp say it to their
// visitors.
#pragma once

#include <string>

#include "job/leaf.hpp"

namespace headsweep {

struct JobKey {
  std::string name;
  std::string meaning = "";
  JobLimits limits = {};
  bool due = false;
  std::string clash = "";  ///< why this key may not stand here, beside the other keys; empty: it may
};

}  // namespace headsweep
