// sweep: the files of the models that judge.
#include "sweep/judge_files.hpp"

#include <algorithm>
#include <headsweep/eval.hpp>
#include <headsweep/model.hpp>

namespace headsweep {
std::vector<const JudgePrompt*> asked_of_models(const JobSpec& job) {
  std::vector<const JudgePrompt*> asked;
  for (const JudgePrompt* one : {&job.evaluation.judge.truth, &job.evaluation.judge.info})
    if (!one->folder.empty()) asked.push_back(one);
  return asked;
}

std::vector<std::filesystem::path> judge_folders(const JobSpec& job) {
  std::vector<std::filesystem::path> folders;
  for (const JudgePrompt* asked : asked_of_models(job))
    if (std::find(folders.begin(), folders.end(), asked->folder) == folders.end())
      folders.push_back(asked->folder);
  return folders;
}

std::map<std::string, std::string> judge_hashes(const JobSpec& job) {
  std::map<std::filesystem::path, std::string> hashes;
  for (const std::filesystem::path& folder : judge_folders(job))
    hashes[folder] = hash_hex(cat(hash_model(folder), hash_tokenizer(folder)));
  std::map<std::string, std::string> settings;
  const JudgeSpec& judge = job.evaluation.judge;
  if (judge.by_model()) settings["evaluation.judge.truth.hash"] = hashes.at(judge.truth.folder);
  if (!judge.info.folder.empty()) settings["evaluation.judge.info.hash"] = hashes.at(judge.info.folder);
  return settings;
}

void check_judges(const JobSpec& job, const Behaviour& behaviour) {
  for (const JudgePrompt* asked : asked_of_models(job))
    check_judge(behaviour, *asked, *load_tokenizer(asked->folder), read_config(asked->folder),
                job.evaluation.max_new_tokens);
}

}  // namespace headsweep
