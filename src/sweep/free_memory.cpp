// sweep: /proc/meminfo and the memory limits of control groups, version 2 and 1.
#include "sweep/free_memory.hpp"

#include <algorithm>
#include <fstream>
#include <headsweep/base.hpp>
#include <limits>
#include <string>

namespace headsweep {
namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();

/// The number after `key` in a file of words; `missing` where there is none.
double number_after(const std::filesystem::path& file, const std::string& key, double missing) {
  std::ifstream in(file);
  double value = 0;
  for (std::string word; in >> word;)
    if (word == key) return in >> value ? value : missing;
  return missing;
}

/// The number that a file holds; `missing` where there is no file, or a word like "max".
double number_in(const std::filesystem::path& file, double missing) {
  std::ifstream in(file);
  double value = 0;
  return in >> value ? value : missing;
}

/// Names of one version's files in a group's folder.
struct GroupFiles {
  const char *limit, *used, *reclaimable;
};

/// What a group leaves: its limit less what is used and cannot be taken back.
double left_by(const std::filesystem::path& group, const GroupFiles& files) {
  const double used = number_in(group / files.used, 0);
  return number_in(group / files.limit, unlimited) - used +
         number_after(group / "memory.stat", files.reclaimable, 0);
}

/// The least that a group and those around it leave.
double left_by_all(const std::filesystem::path& mount, std::filesystem::path group, const GroupFiles& files) {
  double least = left_by(mount, files);
  for (group = group.relative_path(); !group.empty(); group = group.parent_path())
    least = std::min(least, left_by(mount / group, files));
  return least;
}

}  // namespace

double free_host_bytes(const std::filesystem::path& root) {
  double least = 1024 * number_after(root / "proc/meminfo", "MemAvailable:", unlimited);
  const std::filesystem::path mount = root / "sys/fs/cgroup";
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // number:controllers:path
    const auto words = split_text(line, ':');
    if (words.size() < 3) continue;
    if (words[1].empty())
      least =
          std::min(least, left_by_all(mount, words[2], {"memory.max", "memory.current", "inactive_file"}));
    if (words[1] == "memory")
      least = std::min(
          least, left_by_all(mount / "memory", words[2],
                             {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}));
  }
  return std::max(least, 0.0);
}

}  // namespace headsweep
