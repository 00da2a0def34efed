// sweep: edits out of results files, checked against the model.
#include "sweep/stored_edit.hpp"

namespace headsweep {

namespace fs = std::filesystem;

EditKind kind_of(const ResultsFile::Row& row) {
  for (const EditKind kind : {EditKind::optimal, EditKind::iti, EditKind::lora})
    if (row.edit == to_text(kind)) return kind;
  throw BadInput(cat("the stored trial ", row.record.trial.value, ": its edit is '", row.edit,
                     "'; optimal, iti or lora is due"));
}

EditFrom start_of(const JobSpec& job, EditKind kind) {
  return kind == EditKind::iti ? job.iti.edit_from : job.training.edit_from;
}

JobSpec job_of(const ResultsFile& results, const fs::path& file) {
  return parse_job(results.job_text(), file.string() + " (job)", file.parent_path());
}

StoredEdit read_stored_edit(const EditReference& reference, const fs::path& model) {
  const ResultsFile results(reference.results);
  const std::string here = hash_model(model);
  require(results.model_hash() == here, reference.results.string(),
          ": its edits were made for another model (hash ", results.model_hash(), ", ", model.string(),
          " has ", here, ")");
  const ResultsFile::Row row = results.trial(reference.trial);
  require(row.record.status == TrialStatus::done, reference.results.string(), ": trial ",
          reference.trial.value, " has no edit: it is ",
          row.record.status == TrialStatus::failed ? "failed" : "missing");
  StoredEdit stored{
      .job = job_of(results, reference.results), .kind = kind_of(row), .layers = row.record.edit};
  stored.from = start_of(stored.job, stored.kind);
  return stored;
}

LaneEdits restore_lanes(EditKind kind, const std::vector<std::vector<EditLayer>>& lanes,
                        const Weights& weights) {
  return LaneParams::restore(kind, lanes, weights).edits(weights);
}

std::string likeness(EditKind kind, const std::vector<EditLayer>& edit) {
  std::string words = to_text(kind);
  if (kind == EditKind::lora)  // ranks and places
    for (const EditLayer& row : edit) words += cat(" ", row.layer, ":", row.target);
  else
    words += edit.empty() || edit.front().a.empty() ? " constant" : " gated";
  return words;
}

}  // namespace headsweep
