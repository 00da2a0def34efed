// cli: `headsweep eval`: stored edits measured under another job.
#include <headsweep/sweep.hpp>
#include <iostream>

#include "cli/command.hpp"

namespace headsweep {
namespace {

Syntax syntax() {
  Syntax syntax{
      .usage = "headsweep eval RESULTS:TRIALS JOB -o FILE [--set KEY=VALUE]",
      .about =
          "Measures stored edits (TRIALS: 3, 0-15, 1,4,9-12 or all) by the model, questions, split, "
          "evaluation and judge of a job; its locations and edits are not looked at. Writes a results "
          "file of these trials in this order. Questions that trained an edit may not measure it.",
      .named = options::options_description("options"),
      .positional = {"TRIALS", "JOB"}};
  syntax.named.add_options()("output,o", options::value<std::string>(),
                             "results file, which must not be there yet");
  add_job_changes(syntax);
  return syntax;
}

}  // namespace

ExitCode run_eval(const CommandLine& line) {
  options::variables_map values;
  if (!read_words(line, syntax(), values)) return ExitCode::done;
  if (values.count("output") == 0) throw BadUsage("-o FILE is missing: where do the results go?");
  const EvalOptions eval{
      .trials = parse_trials_reference(values["TRIALS"].as<std::vector<std::string>>().front()),
      .job = values["JOB"].as<std::vector<std::string>>().front(),
      .output = values["output"].as<std::string>(),
      .job_changes = job_changes(values),
      .command_line = line.text()};
  Stop::install();
  const Gathered gathered = evaluate_edits(eval);
  std::cout << eval.output.string() << ": " << gathered.done << " trials done, " << gathered.failed
            << " failed, " << gathered.missing << " missing" << std::endl;
  if (Stop::level() != Stop::Level::none) return ExitCode::stopped;
  return gathered.failed > 0 ? ExitCode::trials_failed : ExitCode::done;
}

}  // namespace headsweep
