// cli: `headsweep extend`: more locations, strengths, seeds for a sweep that has been begun.
#include <headsweep/sweep.hpp>
#include <iostream>

#include "cli/command.hpp"

namespace headsweep {
namespace {

Syntax syntax() {
  Syntax syntax{
      .usage = "headsweep extend FOLDER JOB [--set KEY=VALUE]",
      .about =
          "Adds the locations, draws, strengths and seeds of a larger job to the sweep in a folder: model, "
          "data, "
          "training and evaluation must be the same. What is finished stays; `run JOB -o FOLDER --resume` "
          "computes the rest.",
      .named = options::options_description("options"),
      .positional = {"FOLDER", "JOB"}};
  add_job_changes(syntax);
  return syntax;
}

}  // namespace

ExitCode run_extend(const CommandLine& line) {
  options::variables_map values;
  if (!read_words(line, syntax(), values)) return ExitCode::done;
  const std::string folder = values["FOLDER"].as<std::vector<std::string>>().front();
  const std::string job = values["JOB"].as<std::vector<std::string>>().front();
  const std::vector<std::string> changes = job_changes(values);
  const auto [before, after] = extend_sweep(folder, job, changes);
  std::string words;
  for (const std::string& change : changes) words += " --set '" + change + "'";
  std::cout << folder << ": " << after << " trials, " << before << " of them were there; go on with: run "
            << job << " -o " << folder << " --resume" << words << std::endl;
  return ExitCode::done;
}

}  // namespace headsweep
