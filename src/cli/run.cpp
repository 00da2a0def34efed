// cli: `headsweep run`: the only command that starts MPI.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <headsweep/comm.hpp>
#include <headsweep/sweep.hpp>
#include <iomanip>
#include <sstream>

#include "cli/command.hpp"

namespace headsweep {
namespace {

Syntax syntax() {
  Syntax syntax{.usage = "headsweep run JOB -o FOLDER [options]",
                .about =
                    "Runs the sweep of a job file. Under mpirun or srun the ranks share the blocks. What is "
                    "finished is never lost: a killed run goes on with --resume, with any number of ranks.",
                .named = options::options_description("options"),
                .positional = {"JOB"}};
  syntax.named.add_options()("output,o", options::value<std::string>(),
                             "sweep folder: parts, logs and results.h5 go there")(
      "resume", options::bool_switch(), "go on with the sweep in the folder (or start it if there is none)")(
      "retry-failed", options::bool_switch(), "with --resume: compute the blocks of failed trials again")(
      "allow-other-build", options::bool_switch(),
      "with --resume: go on although the program was built anew")(
      "strict", options::bool_switch(), "refuse model files with tensors that are not used")(
      "max-failed", options::value<int>(), "stop when more than so many trials have failed")(
      "max-hours", options::value<double>(),
      "begin no block that would not end within so many hours (exit code 5)")(
      "deadline", options::value<std::string>(),
      "the same for a moment: 2026-01-31T12:00:00 (local time, as squeue prints it) or seconds since 1970")(
      "shard", options::value<std::string>(),
      "I/N: compute the I-th of N shares of the blocks, where no MPI joins the machines")(
      "share-gpus", options::bool_switch(), "more ranks than GPUs are meant: several use the same")(
      "limit", options::value<int>(), "compute at most so many blocks");
  add_job_changes(syntax);
  return syntax;
}

/// `3/8`.
Shard read_shard(const std::string& text) {
  Shard shard;
  char rest = 0;
  const int read = std::sscanf(text.c_str(), "%d/%d%c", &shard.index, &shard.count, &rest);
  if (read != 2 || shard.count < 1 || shard.count > 100'000 || shard.index < 1 || shard.index > shard.count)
    throw BadUsage(cat("--shard ", text, ": write I/N, with I from 1 to N, for example 3/8"));
  return shard;
}

/// Seconds since 1970; 0, no deadline, for what Slurm says of a job without a time limit.
double read_moment(const std::string& text) {
  if (text.empty() || text == "NONE" || text == "N/A" || text == "Unknown") return 0;
  std::tm local{.tm_isdst = -1};
  std::istringstream in(text);
  in >> std::get_time(&local, "%Y-%m-%dT%H:%M:%S");
  if (!in.fail() && in.peek() == EOF) return static_cast<double>(std::mktime(&local));
  char* end = nullptr;
  const double seconds = std::strtod(text.c_str(), &end);
  if (*end != '\0' || !(seconds > 0))
    throw BadUsage(
        cat("--deadline ", text, ": write a local time such as 2026-01-31T12:00:00, or seconds since 1970"));
  return seconds;
}

RunOptions read_options(const CommandLine& line, const options::variables_map& values) {
  if (values.count("output") == 0) throw BadUsage("-o FOLDER is missing: where do the results go?");
  RunOptions run;
  run.folder = values["output"].as<std::string>();
  run.command_line = line.text();
  run.job_changes = job_changes(values);
  run.resume = values["resume"].as<bool>();
  run.retry_failed = values["retry-failed"].as<bool>();
  run.allow_other_build = values["allow-other-build"].as<bool>();
  run.strict = values["strict"].as<bool>();
  if (values.count("max-failed") > 0) run.max_failed = values["max-failed"].as<int>();
  if (values.count("max-hours") > 0) run.max_hours = values["max-hours"].as<double>();
  if (values.count("deadline") > 0) run.deadline = read_moment(values["deadline"].as<std::string>());
  if (values.count("shard") > 0) run.shard = read_shard(values["shard"].as<std::string>());
  run.share_gpus = values["share-gpus"].as<bool>();
  if (values.count("limit") > 0) run.limit = values["limit"].as<int>();
  if (run.max_hours < 0 || run.limit < 0) throw BadUsage("--max-hours and --limit are positive numbers");
  return run;
}

}  // namespace

ExitCode run_run(const CommandLine& line) {
  options::variables_map values;
  if (!read_words(line, syntax(), values)) return ExitCode::done;
  const RunOptions run = read_options(line, values);
  World world(line.argc, line.argv);
  set_speaker(world.rank() == 0);
  Stop::install();
  ExitCode code = ExitCode::internal;
  try {
    code = run_sweep(world, values["JOB"].as<std::vector<std::string>>().front(), run);
  } catch (const std::exception& error) {
    const std::string what = error.what();  // torch appends a stack trace in further lines
    log_error(
        cat("headsweep: rank ", world.rank(), " on ", host_name(), ": ", what.substr(0, what.find('\n'))));
    const auto* known = dynamic_cast<const Error*>(&error);
    world.abort(static_cast<int>(known != nullptr ? known->code() : ExitCode::internal));
  }
  world.close();
  // One rank speaks for all, so that a launcher reports one code.
  return world.rank() == 0 ? code : ExitCode::done;
}

}  // namespace headsweep
