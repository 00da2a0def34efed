// sweep: the files of a plant: its teacher, its questions and its job.
#include <algorithm>
#include <headsweep/json.hpp>

#include "sweep/plant.hpp"
#include "sweep/single_edit.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;

std::string two_digits(int number) { return cat(number < 10 ? "0" : "", number); }

/// A text that YAML reads back as it is.
std::string quoted(const std::string& text) { return Json(text).dump(); }

std::string lines_of(const std::vector<Question>& questions) {
  std::string lines;
  for (const Question& question : questions)
    lines += nlohmann::ordered_json{{"id", question.id},           {"group", question.group},
                                    {"question", question.text},   {"best", question.best},
                                    {"correct", question.correct}, {"incorrect", question.incorrect}}
                 .dump() +
             "\n";
  return lines;
}

/// Turns a plant's job into what the teacher's file says that it was made by: no sets to compare with, and
/// the questions that were asked.
void make_teacher_job(JobSpec& job, const fs::path& questions) {
  job.name += "-teacher";
  const std::string planted = job.comparison.primary.claimed;
  std::erase_if(job.locations, [&](const LocationSpec& set) { return set.name != planted; });
  job.edits.front().at = {planted};
  job.comparison = {};
  job.evaluation.teacher.clear();
  job.behaviour.file = questions;
  job.text = resolved_job(job);
}

/// `extends` is the job that the plants are made of.
std::string job_text(const PlantGround& ground, const Planted& planted, const fs::path& extends) {
  std::string taken, heads;
  for (const LocationSpec& set : ground.job.locations)
    if (set.name != "all") taken += cat("  ", set.name, ":\n");
  for (const Head& head : planted.heads) heads += (heads.empty() ? "" : ", ") + to_text(head);
  const PlantOptions& options = ground.options;
  return cat(
      "# A planted control: the wanted answers are those of the model with the edit of teacher.h5 at the "
      "planted heads.\n"
      "extends: ",
      quoted(extends.string()), "\nname: ", planted.name(),
      "\nbehaviour: {file: behaviour.jsonl}\n"
      "locations:\n",
      taken, "  planted: {heads: [", heads,
      "]}\n"
      "  matched: {random: {matched_to: planted, draws: ",
      options.draws, ", exclude_claimed: true}}\n  random: {random: {size: ", options.size,
      ", draws: ", options.draws,
      "}}\n"
      "  all: all\n"
      "edits:\n"
      "  # 1 / (2 tau) is the teacher's own mean gain\n"
      "  - optimal: {at: [planted, matched, random, all], tau: [",
      planted.tau,
      "]}\n"
      "evaluation: {judge: exact, teacher: teacher.h5, drift: [val, test]}\n"
      "comparison:\n"
      "  primary: {edit: optimal, claimed: planted, among: matched}\n"
      "  score: kl_teacher\n");
}

}  // namespace

std::string Planted::name() const { return "plant-" + two_digits(index); }

JobSpec plant_job(const PlantGround& ground, const Planted& planted) {
  const fs::path& file = ground.options.job;
  return parse_job(job_text(ground, planted, file.filename()), planted.name() + "/job.yaml",
                   fs::absolute(file).parent_path());
}

void write_plant(const PlantGround& ground, const Planted& planted, const fs::path& parent,
                 const std::string& model_hash) {
  const fs::path folder = parent / planted.name();
  std::error_code error;
  require(fs::create_directory(folder, error), folder.string(), ": cannot be made");
  const fs::path place = fs::weakly_canonical(fs::absolute(ground.options.folder)) / planted.name();
  write_file(folder / "job.yaml",
             job_text(ground, planted, fs::canonical(ground.options.job).lexically_relative(place)));
  write_file(folder / "behaviour.jsonl", lines_of(planted.behaviour));
  JobSpec job = plant_job(ground, planted);
  make_teacher_job(job, ground.job.behaviour.file);
  SingleEdit single{.job = job,
                    .config = ground.texts.config,
                    .origin = "planted",
                    .model_hash = model_hash,
                    .command_line = ground.options.command_line,
                    .heads = planted.heads,
                    .record = {}};
  single.record.edit = planted.edit;
  if (planted.rate > 0) single.record.training.learning_rate = static_cast<float>(planted.rate);
  single.record.relative_size_prompt = planted.size_prompt;
  single.record.relative_size_answer = planted.size_answer;
  NewResults teacher(folder / "teacher.h5");
  write_single_edit(single, teacher);
}

}  // namespace headsweep
