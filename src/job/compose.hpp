// job: a job's text, the files that it extends and the changes of a command line -> one tree.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "job/document.hpp"

namespace headsweep {

inline constexpr const char* extends_key = "extends";
/// Files that follow each other by `extends`, and files of a job altogether; more are refused.
inline constexpr std::size_t most_bases_in_a_chain = 8, most_bases = 64;

/// Where a job's text comes from.
struct JobOrigin {
  YamlOrigin source;
  std::filesystem::path file = {};  ///< empty: not a file of its own
};
/// The tree without `extends`: first the files that it names, the later over the earlier, then the text
/// itself, then `set`, words `key=value`. Of two maps the keys are joined, other values take each other's
/// place, and an empty value takes away the key that it meets. BadInput as parse_yaml, and for missing files
/// and circles; BadUsage for a word of `set` that is no `key=value`.
YamlValue compose_job(const std::string& text, const JobOrigin& origin, const std::vector<std::string>& set);

}  // namespace headsweep
