// sweep: the files of the models that judge: which folders, their hashes, whether they can read the
// questions. Reads no weights.
#pragma once

#include <filesystem>
#include <headsweep/data.hpp>
#include <headsweep/job.hpp>
#include <map>
#include <string>
#include <vector>

namespace headsweep {

/// What the job asks of models: of truth, of information.
std::vector<const JudgePrompt*> asked_of_models(const JobSpec& job);
/// Their folders, each once.
std::vector<std::filesystem::path> judge_folders(const JobSpec& job);
/// What of the judges fixes the verdicts, as further settings of the sweep: hashes of weights and tokenizers.
std::map<std::string, std::string> judge_hashes(const JobSpec& job);
/// BadInput where a judge cannot read a question with the longest answer.
void check_judges(const JobSpec& job, const Behaviour& behaviour);

}  // namespace headsweep
