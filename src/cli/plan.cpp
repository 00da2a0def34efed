// cli: `headsweep plan`: what a job would do, before anything is run.
#include <cmath>
#include <headsweep/job.hpp>
#include <headsweep/sweep.hpp>
#include <iostream>
#include <map>

#include "cli/command.hpp"

namespace headsweep {
namespace {

Syntax syntax() {
  Syntax syntax{.usage = "headsweep plan JOB [--ranks N]",
                .about =
                    "Reads the job, the questions and the model's config (no weights, no GPU) and says what "
                    "a sweep would do.",
                .named = options::options_description("options"),
                .positional = {"JOB"}};
  syntax.named.add_options()("ranks", options::value<int>()->default_value(1), "hours for so many ranks")(
      "gflops", options::value<double>(),
      "GFLOP/s that a rank reaches; default: 0.35 of a matrix product measured here")(
      "keys", options::bool_switch(), "print every key of a job file with its meaning, and stop");
  return syntax;
}

std::string megabytes(double bytes) { return cat(std::ceil(bytes / 1e5) / 10, " MB"); }

void print_locations(const Plan& plan) {
  std::map<std::string, std::pair<int, const Location*>> sets;
  std::vector<std::string> order;
  for (const Location& location : plan.locations) {
    auto& [count, first] = sets[location.set];
    if (count++ == 0) {
      first = &location;
      order.push_back(location.set);
    }
  }
  for (const std::string& set : order) {
    const auto& [count, first] = sets.at(set);
    const std::string heads = first->heads.empty()
                                  ? "heads chosen by the probe"
                                  : cat(first->heads.size(), first->heads.size() == 1 ? " head" : " heads");
    std::cout << "  " << set << ": " << count << " x " << heads << " (" << to_text(first->kind) << ")\n";
  }
}

void print_trials(const Plan& plan) {
  std::map<std::string, int> counts;
  for (const Trial& trial : plan.trials) ++counts[to_text(trial.edit)];
  std::cout << "trials: " << plan.trials.size();
  for (const auto& [edit, count] : counts) std::cout << ", " << edit << " " << count;
  std::cout << "\n";
}

/// What becomes of the states below the first edited layer, with their bytes.
std::string prefixes_text(const JobSpec& job, const MemoryAccount& memory) {
  const std::string kept = megabytes(memory.prefixes) + ", kept", recomputed = "recomputed in each step";
  if (job.run.prefixes == Prefixes::automatic && job.run.memory == 0)
    return cat(kept, " if that is less than half of what a rank may take (run.memory), else ", recomputed);
  return keeps_prefixes(job, memory, job.run.memory * (1 << 30)) ? kept : recomputed;
}

void print_blocks(const JobSpec& job, const Outline& outline) {
  const MemoryAccount& memory = outline.memory;
  const int lanes = job.run.lanes > 0 ? job.run.lanes : usual_lanes;
  std::cout << "blocks: " << outline.plan.blocks.size() << " of at most " << lanes << " lanes"
            << (job.run.lanes > 0 ? "\n"
                                  : " (run measures what is best, and takes as many as memory allows)\n")
            << "memory: weights " << megabytes(memory.weights) << " once a host, or a GPU; a rank: program "
            << megabytes(memory.program) << ", lanes " << megabytes(memory.block + lanes * memory.lane)
            << ", states below the edits " << prefixes_text(job, memory) << "\n";
}

}  // namespace

ExitCode run_plan(const CommandLine& line) {
  for (const std::string& word : line.words)
    if (word == "--keys") {
      std::cout << job_keys();
      return ExitCode::done;
    }
  options::variables_map values;
  if (!read_words(line, syntax(), values)) return ExitCode::done;
  const int ranks = values["ranks"].as<int>();
  if (ranks < 1) throw BadUsage("--ranks is at least 1");
  const JobSpec job = read_job(values["JOB"].as<std::vector<std::string>>().front());
  const Outline outline = outline_of(job);
  const Plan& plan = outline.plan;
  const double rate = values.count("gflops") > 0 ? values["gflops"].as<double>() * 1e9
                                                 : 0.35 * measure_flops(job.run.threads);
  if (!(rate > 0)) throw BadUsage("--gflops is a positive number");
  // No rank works on less than a block: the longest block bounds the sweep from below.
  const double longest = plan.blocks.empty() ? 0 : plan.blocks.front().cost;
  const double seconds = std::max(outline.flops / ranks, longest) / rate;
  std::cout << "job: " << job.name << "\nquestions: " << outline.questions
            << ", training pairs: " << outline.train_pairs << ", folds: " << plan.folds
            << "\nlocations: " << plan.locations.size() << "\n";
  print_locations(plan);
  print_trials(plan);
  print_blocks(job, outline);
  std::cout << "work: " << std::ceil(outline.flops / 1e9) << " GFLOP; at " << std::round(rate / 1e9)
            << " GFLOP/s a rank about " << duration_text(seconds) << " on " << ranks
            << (ranks == 1 ? " rank\n" : " ranks\n");
  return ExitCode::done;
}

}  // namespace headsweep
