// sweep: more locations, strengths and seeds for a sweep that has been begun. Needs neither MPI nor the
// weights' memory: the stored localiser ranks the heads.
#include <headsweep/json.hpp>
#include <headsweep/sweep.hpp>

#include "sweep/stages.hpp"
#include "sweep/tune.hpp"

namespace headsweep {

std::pair<std::size_t, std::size_t> extend_sweep(const std::filesystem::path& path,
                                                 const std::filesystem::path& job_file) {
  SweepFolder folder(path);
  std::optional<SweepHeader> header = folder.read_header();
  require(header.has_value(), path.string(), ": no sweep has been started here");
  JobSpec job = read_job(job_file);
  const Texts texts = read_texts(job);
  SweepIdentity identity{.settings = settings_of(job),
                         .model_hash = hash_model(job.model.folder),
                         .data_hash = texts.hash,
                         .build = header->identity.build};
  require_extends(path, header->identity, identity);
  identity.begun_as = sweep_hash(header->identity);

  apply_tuning(read_file(folder.tune_file("engine.json")), folder.tune_file("engine.json"), job);
  Ranking ranking;
  for (const HeadRows& rows : header->localiser)
    ranking.push_back(table_of(rows, texts.config).ranking(texts.config.heads));
  const std::size_t before = header->plan.trials.size();
  header->plan = extend_plan(header->plan, job, size_of_data(job, texts), ranking);
  header->identity = identity;
  header->job_text = job.text;
  header->resolved_job = resolved_job(job);
  folder.extend(*header);
  return {before, header->plan.trials.size()};
}

}  // namespace headsweep
