// sweep: `export` and `import`: results files to and from PEFT adapters and ITI's arrays.
#include <algorithm>
#include <headsweep/adapter.hpp>

#include "sweep/ground.hpp"
#include "sweep/new_results.hpp"
#include "sweep/stored_edit.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;

/// The folder of the model that an edit was made for, if the user names none.
fs::path model_of(const EditReference& reference, const fs::path& named) {
  if (!named.empty()) return named;
  const fs::path folder = job_of(ResultsFile(reference.results), reference.results).model.folder;
  require(fs::is_directory(folder), reference.results.string(), ": its model ", folder.string(),
          " is not there; name the folder by --model");
  return folder;
}

std::vector<Head> heads_of(const std::vector<EditLayer>& edit, int heads) {
  std::vector<Head> all;
  for (const EditLayer& row : edit)
    for (int head = 0; head < heads; ++head) all.push_back({row.layer, head});
  return all;
}

/// What a job would have asked for; an adapter's own has lora on the whole model, the row says on which
/// layers.
JobSpec job_of(const ImportOptions& options, EditKind kind, const std::vector<Head>& heads) {
  JobSpec job;
  job.name = "imported";
  job.model.folder = fs::absolute(options.model).lexically_normal();
  job.behaviour.file = "/dev/null";  // no question has made the edit
  LocationSpec location{.name = "imported"};
  EditSpec edit{.kind = kind, .at = {location.name}, .strengths = {1.0}};
  if (kind == EditKind::iti) {
    location.kind = LocationKind::list;
    location.heads = heads;
    edit.strengths = {options.alpha};
    job.iti.edit_from = options.edit_from;
  }
  job.locations = {location};
  job.edits = {edit};
  job.text = resolved_job(job);
  return job;
}

/// One location, one trial, one block.
Plan plan_of(const JobSpec& job, const ModelConfig& config, const std::vector<Head>& heads,
             const std::string& source_hash) {
  const EditSpec& edit = job.edits.front();
  Plan plan{.shape = shape_of(config)};
  const std::string& name = job.locations.front().name;
  plan.locations.push_back(
      {.name = name, .set = name, .kind = LocationKind::list, .heads = heads, .matched_to = ""});
  plan.trials.push_back({.id = TrialId{0},
                         .location = LocationId{0},
                         .edit = edit.kind,
                         .strength = edit.strengths.front(),
                         .hash = hash_hex(cat("imported ", to_text(edit.kind), " ", source_hash))});
  plan.blocks.push_back({.name = hash_hex(plan.trials.front().hash), .trials = {TrialId{0}}});
  return plan;
}

/// Heads ascending, and the layers of the edit at them.
struct Imported {
  EditKind kind = EditKind::lora;
  std::vector<Head> heads;
  std::vector<EditLayer> edit;
};
Imported read_imported(const ImportOptions& options, const ModelConfig& config) {
  Imported imported;
  if (fs::is_directory(options.source)) {
    imported.edit = read_adapter(options.source, config);
    imported.heads = heads_of(imported.edit, config.heads);
  } else {
    imported.kind = EditKind::iti;
    imported.edit = read_shift({.directions = options.source,
                                .sigma = options.sigma,
                                .heads = options.heads,
                                .alpha = options.alpha},
                               config);
    imported.heads = options.heads;
    std::sort(imported.heads.begin(), imported.heads.end());
  }
  return imported;
}

std::string text_of(const std::vector<EditLayer>& edit) {
  std::string text;
  for (const EditLayer& row : edit) {
    text += cat(row.layer, ";");
    for (const auto* values : {&row.a, &row.b})
      text.append(reinterpret_cast<const char*>(values->data()), values->size() * sizeof(float));
  }
  return text;
}

}  // namespace

void export_edit(const EditReference& reference, const fs::path& model, const fs::path& folder) {
  const fs::path from = model_of(reference, model);
  const StoredEdit stored = read_stored_edit(reference, from);
  const std::string where = cat(reference.results.string(), ": trial ", reference.trial.value);
  require(stored.from == EditFrom::all, where, ": its edit acts from a later token on (",
          stored.kind == EditKind::iti ? "iti" : "training",
          ".edit_from is not 'all'), an adapter acts on every "
          "token");
  write_adapter(folder, make_adapter(stored.kind, stored.layers, from, where));
}

void import_edit(const ImportOptions& options) {
  NewResults results(options.output);
  const ModelConfig config = read_config(options.model);
  const Imported imported = read_imported(options, config);
  const std::string source_hash = hash_hex(text_of(imported.edit));
  const JobSpec job = job_of(options, imported.kind, imported.heads);
  SweepHeader header;
  header.identity = {.settings = settings_of(job),
                     .model_hash = hash_model(options.model),
                     .data_hash = source_hash,
                     .build = build_text()};
  header.job_text = job.text;
  header.resolved_job = job.text;
  header.command_line = options.command_line;
  header.started_utc = utc_text(now_seconds());
  header.plan = plan_of(job, config, imported.heads, source_hash);
  TrialRecord record;
  record.trial = TrialId{0};
  record.trial_hash = header.plan.trials.front().hash;
  record.status = TrialStatus::done;
  record.lanes = 1;
  record.edit = imported.edit;
  results.put(header.identity, {record});
  static_cast<void>(results.finish(header));
}

}  // namespace headsweep
