// sweep: the job, its texts, the device and their hashes, alike on all ranks or refused.
#include "sweep/request.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "sweep/agree.hpp"
#include "sweep/judge_files.hpp"
#include "sweep/stages.hpp"

namespace headsweep {
namespace {

std::filesystem::path existing_parent(std::filesystem::path folder) {
  folder = std::filesystem::absolute(folder);
  while (!std::filesystem::exists(folder) && folder.has_relative_path()) folder = folder.parent_path();
  return folder;
}

/// Refuses a folder whose disk cannot hold the parts that are not there yet and the results gathered from
/// all.
void require_room(const std::filesystem::path& folder, const DiskAccount& account) {
  std::error_code error;
  double there = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "parts", error))
    there += static_cast<double>(entry.file_size(error));
  const double due = std::max(0.0, account.parts - there) + account.results;
  const auto space = std::filesystem::space(folder, error);
  require(error || static_cast<double>(space.available) > due, folder.string(), ": ", space.available,
          " bytes are free, the sweep needs about ", std::ceil(due));
}

/// What the job comes to, with what it extends and what the command line changes.
std::string texts_of(const std::map<std::string, std::string>& settings) {
  std::string text;
  for (const auto& [key, value] : settings) text += cat(key, ": ", value, "\n");
  return text;
}

/// Computing ends early enough to gather the results.
TimeLimit time_limit(const RunOptions& options, double begin, const Plan& plan, const DiskAccount& disk) {
  constexpr double bytes_a_second = 2e8, seconds_a_part = 0.02, least = 2;
  const double gathering =
      least + disk.results / bytes_a_second + seconds_a_part * static_cast<double>(plan.blocks.size());
  TimeLimit limit;
  if (options.max_hours > 0) limit.set(begin + options.max_hours * 3600 - gathering);
  if (options.deadline > 0) limit.set(options.deadline - gathering);
  return limit;
}

}  // namespace

Request read_request(const World& world, const std::filesystem::path& job_file, const RunOptions& options) {
  Request request;
  JobSpec& job = request.job;
  all_do(world, [&] {
    job = read_job(job_file, options.job_changes);
    at::set_num_threads(job.run.threads);
    check_plan(job);
    request.texts = read_texts(job);
    check_judges(job, request.texts.behaviour);
    const DataSize data = size_of_data(job, request.texts);
    const Plan plan = make_plan(job, shape_of(request.texts.config), data, nullptr);
    const DiskAccount disk = account_disk(job, data, plan);
    require_room(existing_parent(options.folder), disk);
    request.limit = time_limit(options, request.begin, plan, disk);
  });
  request.device = choose_device(job, world, options.share_gpus);
  return request;
}

void identify(const World& world, const RunOptions& options, Request& request) {
  const std::string kind = device_kind(request.device);
  const bool reads = reads_weights(world, request.device);
  std::map<std::string, std::string> judges;
  all_do(world, [&] {
    request.identity = {.settings = settings_of(request.job),
                        .model_hash = reads ? hash_model(request.job.model.folder) : "",
                        .data_hash = request.texts.hash,
                        .build = build_text() + ", on " + kind};
    if (reads) judges = judge_hashes(request.job);
    add_teacher(request.job, request.texts.teacher, request.identity);
  });
  Fingerprint own = {
      {"the program", build_text()},
      {"hash of the job", hash_hex(cat(request.job.text, texts_of(request.identity.settings)))},
      {"hash of the data", request.identity.data_hash},
      {"hash of the model", request.identity.model_hash},
      {"the processor", options.allow_other_build ? "" : kind}};
  for (const char* asked : {"truth", "info"})
    own.emplace_back(cat("hash of the ", asked, " judge"), judges[cat("evaluation.judge.", asked, ".hash")]);
  require_agreement(world, own);
  std::erase_if(judges, [](const auto& judge) { return judge.second.empty(); });
  request.identity.settings.merge(judges);
}

}  // namespace headsweep
