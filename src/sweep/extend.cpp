// sweep: more locations, strengths and seeds for a sweep that has been begun. Needs neither MPI nor the
// weights' memory: the stored localiser ranks the heads.
#include <headsweep/sweep.hpp>
#include <set>

#include "sweep/judge_files.hpp"
#include "sweep/rate_files.hpp"
#include "sweep/stages.hpp"
#include "sweep/tune.hpp"

namespace headsweep {

namespace {

int trials_done(const SweepFolder& folder, const Plan& plan) {
  const std::vector<std::string> finished = folder.finished_blocks(plan);
  const std::set<std::string> names(finished.begin(), finished.end());
  std::size_t trials = 0;
  for (const Block& block : plan.blocks)
    if (names.contains(block.name)) trials += block.trials.size();
  return static_cast<int>(trials);
}

/// Whoever adds draws may have seen the results of those before: this is told with the results.
void note_extension(const SweepFolder& folder, const Plan& before, SweepHeader& header) {
  const std::size_t after = header.plan.trials.size();
  if (after == before.trials.size()) return;
  header.extensions.push_back({.utc = utc_text(now_seconds()),
                               .trials_before = static_cast<int>(before.trials.size()),
                               .trials_after = static_cast<int>(after),
                               .trials_done = trials_done(folder, before)});
}

/// The header of the larger plan.
SweepHeader extended(const SweepFolder& folder, JobSpec job) {
  SweepHeader header = *folder.read_header();
  check_plan(job);
  const Texts texts = read_texts(job);
  const std::string begun_as = sweep_hash(header.identity);
  SweepIdentity identity{.settings = settings_of(job),
                         .model_hash = hash_model(job.model.folder),
                         .data_hash = texts.hash,
                         .build = header.identity.build,
                         .begun_as = begun_as};
  identity.settings.merge(judge_hashes(job));
  add_teacher(job, texts.teacher, identity);
  require_extends(folder.path(), header.identity, identity);
  const std::filesystem::path engine = folder.tune_file("engine.json");
  apply_tuning(read_file(engine), engine, job);
  Ranking ranking;
  for (const HeadRows& rows : header.localiser)
    ranking.push_back(table_of(rows, texts.config).ranking(texts.config.heads));
  const Plan before = header.plan;
  header.plan = extend_plan(before, job, size_of_data(job, texts), ranking);
  note_extension(folder, before, header);
  if (!header.tuning.empty())
    mark_tuning(parse_choices(read_choices(folder, header), rates_file(folder).string()), header.plan);
  header.identity = identity;
  header.job_text = job.text;
  header.resolved_job = resolved_job(job);
  return header;
}

}  // namespace

std::pair<std::size_t, std::size_t> extend_sweep(const std::filesystem::path& path,
                                                 const std::filesystem::path& job_file,
                                                 const std::vector<std::string>& job_changes) {
  SweepFolder folder(path);
  require(folder.exists(), path.string(), ": no sweep has been started here");
  folder.lock();
  try {
    const std::size_t before = folder.read_header()->plan.trials.size();
    const SweepHeader header = extended(folder, read_job(job_file, job_changes));
    folder.rewrite_header(header);
    folder.release();
    return {before, header.plan.trials.size()};
  } catch (...) {
    folder.release();
    throw;
  }
}

}  // namespace headsweep
