// store/extensions: how often a sweep was given more trials, and when.
#include <algorithm>

#include "store/header.hpp"

namespace headsweep {
namespace {

constexpr std::pair<const char*, int Extension::*> counts[] = {
    {"extensions/trials_before", &Extension::trials_before},
    {"extensions/trials_after", &Extension::trials_after},
    {"extensions/trials_done", &Extension::trials_done}};

}  // namespace

void write_extensions(ColumnWriter* out, const std::vector<Extension>& rows) {
  std::vector<std::string> utc;
  for (const Extension& row : rows) utc.push_back(row.utc);
  out->write("extensions/utc", utc);
  for (const auto& [path, count] : counts) {
    std::vector<std::int32_t> values;
    for (const Extension& row : rows) values.push_back(row.*count);
    out->write(path, values);
  }
}

std::vector<Extension> read_extensions(ColumnReader* in) {
  if (!in->has("extension")) return {};
  std::vector<Extension> rows;
  for (const std::string& utc : in->read_texts("extensions/utc")) rows.push_back({.utc = utc});
  for (const auto& [path, count] : counts) {
    const auto values = in->read<std::int32_t>(path);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].*count = values[i];
  }
  for (const Extension& row : rows)
    sound(
        0 <= row.trials_done && row.trials_done <= row.trials_before && row.trials_before < row.trials_after,
        "extensions: ", row.trials_done, " of ", row.trials_before, " trials done, ", row.trials_after,
        " afterwards");
  return rows;
}

void join_extensions(const std::vector<Extension>& others, std::vector<Extension>& all) {
  for (const Extension& other : others) {
    const auto same = std::find_if(all.begin(), all.end(), [&](const Extension& one) {
      return one.trials_before == other.trials_before && one.trials_after == other.trials_after;
    });
    if (same == all.end()) {
      all.push_back(other);
      continue;
    }
    same->utc = std::max(same->utc, other.utc);
    same->trials_done = std::min(same->trials_done + other.trials_done, same->trials_before);
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Extension& one, const Extension& other) { return one.utc < other.utc; });
}

}  // namespace headsweep
