// store/gather: parts -> results.h5, one part in memory at a time. First pass: the numbers of every trial and
// the sizes of the rest; second pass: items, curves and edits.
#include <sys/statvfs.h>

#include <headsweep/store.hpp>
#include <unordered_map>

#include "store/header.hpp"
#include "store/new_file.hpp"
#include "store/trials.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;

/// Which record of which part stands for a trial.
struct Choice {
  std::size_t part = SIZE_MAX, record = 0;
};

/// All that is kept of the parts between the passes.
struct Survey {
  std::vector<TrialOutline> outlines;         // [trial]
  std::vector<Choice> choices;                // [trial]
  std::map<std::string, std::string> builds;  // hash -> text
  std::uint64_t bytes = 0;
};

Part load_part(const fs::path& file) { return decode_part(read_file(file), file.string()); }

void check_items(const SweepHeader& header, const Trial& trial, const TrialRecord& record,
                 const fs::path& file) {
  const std::size_t due = measured_questions(header, trial.fold).size();
  require(record.items.empty() || record.items.size() == due, file.string(), ": trial ", record.trial_hash,
          ": ", record.items.size(), " items, its fold measures ", due, " questions");
}

Survey survey_parts(const SweepHeader& header, const std::vector<fs::path>& parts) {
  const auto& trials = header.plan.trials;
  Survey survey{std::vector(trials.size(), missing_outline()), std::vector<Choice>(trials.size()), {}, 0};
  std::unordered_map<std::string, std::size_t> row_of;
  for (std::size_t row = 0; row < trials.size(); ++row) row_of[trials[row].hash] = row;
  const std::string due = sweep_hash(header.identity);
  for (std::size_t index = 0; index < parts.size(); ++index) {
    const Part part = load_part(parts[index]);
    require(part.sweep_hash == due, parts[index].string(), ": of sweep ", part.sweep_hash, ", this is sweep ",
            due);
    survey.bytes += fs::file_size(parts[index]);
    const std::string build = hash_hex(part.build);
    survey.builds[build] = part.build;
    for (std::size_t i = 0; i < part.records.size(); ++i) {
      const TrialRecord& record = part.records[i];
      const auto row = row_of.find(record.trial_hash);
      if (row == row_of.end()) continue;  // of a larger plan
      if (record.attempt <= survey.outlines[row->second].record.attempt) continue;
      check_items(header, trials[row->second], record, parts[index]);
      survey.outlines[row->second] = outline(record, build);
      survey.choices[row->second] = {index, i};
    }
  }
  return survey;
}

Gathered count(const Survey& survey) {
  Gathered gathered;
  for (const TrialOutline& one : survey.outlines) {
    gathered.done += one.record.status == TrialStatus::done ? 1 : 0;
    gathered.failed += one.record.status == TrialStatus::failed ? 1 : 0;
    gathered.missing += one.record.status == TrialStatus::missing ? 1 : 0;
  }
  return gathered;
}

/// The lengths of both sides; where both have an axis, the longer.
Extents join_extents(const SweepHeader& header, const Survey& survey) {
  Extents extents = extents_of(header);
  for (const auto& [axis, length] : extents_of(survey.outlines)) {
    auto& joined = extents[axis];
    joined = std::max(joined, length);
  }
  extents["answer_offset"] = extents["trial"] * extents["item"] + 1;
  return extents;
}

/// Bytes that the results will surely fit into.
std::uint64_t room_for(const SweepHeader& header, const Survey& survey) {
  const ModelShape& shape = header.plan.shape;
  const auto head_values = static_cast<std::uint64_t>(shape.layers * shape.heads * (shape.head_dim + 8));
  const std::uint64_t tables = header.plan.trials.size() * 2048 + header.plan.locations.size() * 512 +
                               static_cast<std::uint64_t>(header.plan.folds) * head_values * 4;
  return survey.bytes + survey.bytes / 4 + tables + (std::uint64_t{1} << 20);
}

void check_room(const fs::path& folder, std::uint64_t bytes, const fs::path& file) {
  struct statvfs room {};
  if (::statvfs(folder.c_str(), &room) != 0) return;
  const std::uint64_t free = static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
  require(free >= bytes, file.string(), ": needs up to ", bytes, " bytes, the disk has ", free, " left");
}

void write_file_of(const fs::path& temporary, const SweepHeader& header, const Survey& survey,
                   const std::vector<fs::path>& parts) {
  h5::File file = h5::File::create(temporary);
  write_format(&file, results_format);
  write_attributes(&file, header);
  file.set_attribute("/", "written_utc", utc_text(now_seconds()));
  file.set_attribute("/", "complete", std::int64_t{count(survey).missing == 0 ? 1 : 0});
  std::string builds;
  for (const auto& [hash, text] : survey.builds) builds += cat(hash, ": ", text, "\n");
  file.set_attribute("/", "builds", builds);
  ColumnWriter out(&file, join_extents(header, survey), FileUse::results);
  write_probe(&out, header);
  write_design(&out, header);
  TrialWriter trials(&out, survey.outlines);
  std::vector<std::vector<std::size_t>> rows_of(parts.size());
  for (std::size_t row = 0; row < survey.choices.size(); ++row)
    if (survey.choices[row].part != SIZE_MAX) rows_of[survey.choices[row].part].push_back(row);
  for (std::size_t index = 0; index < parts.size(); ++index) {
    if (rows_of[index].empty()) continue;
    const Part part = load_part(parts[index]);
    for (const std::size_t row : rows_of[index])
      trials.write_long(row, part.records.at(survey.choices[row].record));
  }
  out.expect_all({Origin::axis, Origin::part});
  file.close();
}

}  // namespace

Gathered write_results(const fs::path& file, const SweepHeader& header, const std::vector<fs::path>& parts) {
  const Survey survey = survey_parts(header, parts);
  const fs::path target = fs::absolute(file);
  check_room(target.parent_path(), room_for(header, survey), file);
  put_new_file(file, [&](const fs::path& temporary) { write_file_of(temporary, header, survey, parts); });
  return count(survey);
}

}  // namespace headsweep
