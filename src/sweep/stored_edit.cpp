// sweep: edits out of results files, checked against the model.
#include "sweep/stored_edit.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;

/// Lanes that were made one by one, side by side.
LaneEdits join_lanes(const std::vector<LaneEdits>& ones) {
  struct Rows {
    std::vector<std::int64_t> lanes;
    std::vector<at::Tensor> read, write;
  };
  std::map<int, Rows> layers;
  for (std::size_t k = 0; k < ones.size(); ++k) {
    for (const auto& [layer, edit] : ones[k].layers) {
      Rows& rows = layers[layer];
      rows.lanes.push_back(static_cast<std::int64_t>(k));
      if (edit.read.defined()) rows.read.push_back(edit.read);
      rows.write.push_back(edit.write);
    }
  }
  LaneEdits all{.lanes = static_cast<int>(ones.size())};
  for (const auto& [layer, rows] : layers) {
    expect(rows.read.empty() || rows.read.size() == rows.write.size(), "lanes with gates of one kind");
    LayerEdit edit{.write = at::cat(rows.write)};
    if (rows.lanes.size() < ones.size())
      edit.lanes = at::tensor(rows.lanes, at::kLong).to(edit.write.device());
    if (!rows.read.empty()) edit.read = at::cat(rows.read);
    all.layers[layer] = std::move(edit);
  }
  return all;
}

/// Stored rows are only as sound as their file.
void require_fits(EditKind kind, const std::vector<EditLayer>& edit, const ModelConfig& config) {
  const auto width = static_cast<std::size_t>(config.width());
  const std::size_t written = kind == EditKind::lora ? static_cast<std::size_t>(config.hidden) : width;
  for (const EditLayer& row : edit)
    require(row.layer >= 0 && row.layer < config.layers && (row.a.empty() || row.a.size() == width) &&
                row.b.size() == written,
            "the stored edit: layer ", row.layer, " with ", row.a.size(), " and ", row.b.size(),
            " values, which are not this model's");
}

}  // namespace

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
  std::vector<LaneEdits> ones;
  for (const std::vector<EditLayer>& edit : lanes) {
    require_fits(kind, edit, weights.config);
    ones.push_back(LaneParams::restore(kind, edit, weights).edits(weights));
  }
  return join_lanes(ones);
}

std::string likeness(EditKind kind, const std::vector<EditLayer>& edit) {
  std::string words = to_text(kind);
  if (kind == EditKind::lora)  // ranks and places
    for (const EditLayer& row : edit) words += cat(" ", row.layer, ":", row.a.size(), ":", row.b.size());
  else
    words += edit.empty() || edit.front().a.empty() ? " constant" : " gated";
  return words;
}

}  // namespace headsweep
