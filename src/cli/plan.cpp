// cli: `headsweep plan`: what a job would do, before anything is run.
#include <cmath>
#include <functional>
#include <headsweep/job.hpp>
#include <headsweep/sweep.hpp>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <set>

#include "cli/command.hpp"

namespace headsweep {
namespace {

constexpr int most_ranks = 1'000'000;
/// Of the rate of one matrix product: what a sweep reached on CPUs.
constexpr double usual_share = 0.8;
/// FLOP/s of training on an H100 in bf16 (tests/bench/RESULTS.md); other GPUs and numbers by --gflops.
constexpr double gpu_rate = 5e14;
/// By what rows a product of few takes longer: what 4 and 8 lanes took beside 16, on an H100 and on a CPU.
constexpr double gpu_rows = 150, cpu_rows = 40;

Syntax syntax() {
  Syntax syntax{.usage = "headsweep plan JOB [--ranks N] [--from FOLDER] [--texts] [--set KEY=VALUE]",
                .about =
                    "Reads the job, the questions and the model's config (no weights, no GPU) and says what "
                    "a sweep would do, and how long it takes on how many ranks.",
                .named = options::options_description("options"),
                .positional = {"JOB"}};
  syntax.named.add_options()("ranks", options::value<int>()->default_value(1),
                             "a row for so many ranks in the table of hours, rank-hours and efficiency")(
      "from", options::value<std::string>(),
      "a sweep folder of the same model and data: take what its blocks took")(
      "gflops", options::value<double>(),
      "GFLOP/s that a rank reaches in large products; default: 0.8 of one measured here; where model.device "
      "is cuda, 500000, which an H100 reached in bf16")(
      "rows", options::value<double>(),
      "a product takes as long as one of so many rows more; default: 150 where model.device is cuda, else "
      "40")(
      "texts", options::bool_switch(),
      "print every text of the first training question as the model reads it, with its tokens, and stop")(
      "keys", options::bool_switch(), "print every key of a job file with its meaning, and stop");
  add_job_changes(syntax);
  return syntax;
}

std::string megabytes(double bytes) { return cat(std::ceil(bytes / 1e5) / 10, " MB"); }

/// Which heads a set has; before the probe is fitted those of `top` are not known.
std::string heads_text(const Location& location) {
  if (!location.heads.empty())
    return cat(location.heads.size(), location.heads.size() == 1 ? " head" : " heads");
  return location.matched_to.empty() ? "heads chosen by the probe"
                                     : cat("heads in the layers of ", location.matched_to);
}

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
    std::cout << "  " << set << ": " << count << " x " << heads_text(*first) << " (" << to_text(first->kind)
              << ")\n";
  }
}

void print_trials(const Plan& plan) {
  std::map<std::string, int> counts, controls;
  for (const Trial& trial : plan.trials) {
    const std::string edit = edit_text(to_text(trial.edit), trial.lora.rank, to_text(trial.lora.targets));
    const std::string control = control_text(trial.labels, trial.recheck);
    control.empty() ? ++counts[edit] : ++controls[edit + " (" + control.substr(2) + ")"];
  }
  std::cout << "trials: " << plan.trials.size();
  for (const auto* of : {&counts, &controls})
    for (const auto& [edit, count] : *of) std::cout << ", " << edit << " " << count;
  std::cout << "\n";
}

void print_power(const JobSpec& job, const Outline& outline) {
  const auto lines = power_report(job, outline.tested_questions, outline.questions);
  for (const std::string& line : lines) std::cout << line << "\n";
  if (!lines.empty() && outline.tested_groups < outline.tested_questions)
    std::cout << "  test questions stand in " << outline.tested_groups
              << " groups, which the report counts by: the more their answers agree, the less is detected\n";
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
            << "memory: weights " << megabytes(memory.weights)
            << (memory.judges > 0 ? cat(", judges ", megabytes(memory.judges)) : "")
            << " once a host, or a GPU; a rank: program " << megabytes(memory.program) << ", lanes "
            << megabytes(bytes_of_block(memory, lanes)) << ", states below the edits "
            << prefixes_text(job, memory) << "\n";
}

/// What a rank is taken to do, and how long a block of a job's plan takes then.
struct Pace {
  std::string text;
  std::function<double(const JobSpec&, const Plan&, const Block&)> seconds;
};

/// By a rate of FLOPs.
Pace assumed_pace(const JobSpec& job, const DataSize& data, const options::variables_map& values) {
  // bfloat16 is for GPUs, whatever the machine that plans has.
  const bool automatic = job.model.device == Device::automatic;
  const bool on_gpu =
      job.model.device == Device::cuda || (automatic && job.model.precision == Precision::bf16);
  const double rate = values.count("gflops") > 0 ? values["gflops"].as<double>() * 1e9
                      : on_gpu                   ? gpu_rate
                                                 : usual_share * measure_flops(job.run.threads);
  if (!(rate > 0)) throw BadUsage("--gflops is a positive number");
  const double usual = on_gpu ? gpu_rows : cpu_rows;
  const double rows = values.count("rows") > 0 ? values["rows"].as<double>() : usual;
  if (!(rows >= 0)) throw BadUsage("--rows is at least 0");
  const bool guessed = on_gpu && values.count("gflops") == 0;
  return {.text = cat(std::round(rate / 1e9), " GFLOP/s a rank",
                      guessed ? " (an H100 in bf16; others by --gflops)" : "",
                      " in large products; any takes as long as one of ", rows, " rows more"),
          .seconds = [=](const JobSpec& of, const Plan& plan, const Block& block) {
            return block_cost(of, data, plan, block, rows) / rate;
          }};
}

/// By what the blocks of a sweep took.
Pace learnt_pace(const SweepFolder& folder, const SweepHeader& header) {
  const auto costs = std::make_shared<CostModel>(learn_costs(header.plan, folder.events()));
  require(costs->known(), folder.path().string(), ": no block is done yet");
  return {.text = cat("as the blocks of ", folder.path().string(), " took on ", header.device),
          .seconds = [=](const JobSpec&, const Plan& plan, const Block& block) {
            return costs->seconds(plan.at(block.trials.at(0)).edit, block.cost);
          }};
}

std::vector<double> seconds_of(const JobSpec& job, const Plan& plan, const Pace& pace) {
  std::vector<double> seconds;
  for (const Block& block : plan.blocks) seconds.push_back(pace.seconds(job, plan, block));
  return seconds;
}

/// The job in blocks that lose nothing, neither by few lanes nor by short blocks at the end.
Plan best_plan(JobSpec job, const Outline& outline) {
  job.run.lanes = std::max(job.run.lanes, best_lanes);
  job.run.tail = 0;
  return make_plan(job, outline.plan.shape, outline.data, nullptr);
}

std::string three_digits(double value) {
  std::ostringstream text;
  text << std::setprecision(value < 1000 ? 3 : 15) << (value < 1000 ? value : std::round(value));
  return text.str();
}

void print_row(int ranks, double makespan, double best) {
  const double share = makespan > 0 ? best / (ranks * makespan) : 1;
  std::cout << std::setw(7) << ranks << std::setw(14) << duration_text(makespan) << std::setw(13)
            << three_digits(ranks * makespan / 3600) << std::setw(11) << std::round(1000 * share) / 10
            << " %\n";
}

/// Hours for numbers of ranks up to that of blocks, and for `wanted`. Learning rates are chosen before the
/// first block begins.
void print_schedule(const JobSpec& job, const Outline& outline, const Pace& pace, int wanted) {
  const std::vector<double> seconds = seconds_of(job, outline.plan, pace),
                            before = seconds_of(tuning_job(job), outline.tuning.plan, pace);
  double best = std::accumulate(before.begin(), before.end(), 0.0);
  for (const double one : seconds_of(job, best_plan(job, outline), pace)) best += one;
  std::set<int> counts = {wanted};
  for (const int ranks : {1, 2, 8, 64, 512, 1024, 4096})
    if (ranks <= static_cast<int>(seconds.size())) counts.insert(ranks);
  std::cout << "time: " << pace.text << "; start-up not in" << (before.empty() ? "" : ", learning rates in")
            << "\n  ranks          time   rank-hours   efficiency\n";
  for (const int ranks : counts) {
    const std::vector<double> idle(static_cast<std::size_t>(ranks));
    print_row(ranks, simulate_draws(before, idle) + simulate_draws(seconds, idle), best);
  }
  std::cout << "efficiency: against blocks of " << std::max(job.run.lanes, best_lanes)
            << " lanes on ranks that are never idle\n";
}

/// What the job leaves open is taken from the sweep.
void take_choices(const SweepHeader& header, const std::string& place, JobSpec& job) {
  const JobSpec chosen = parse_job(header.resolved_job, place, "");
  if (job.run.lanes == 0) job.run.lanes = chosen.run.lanes;
  if (job.run.prefixes == Prefixes::automatic) job.run.prefixes = chosen.run.prefixes;
}

SweepHeader header_of(const SweepFolder& folder) {
  auto header = folder.read_header();
  require(header.has_value(), folder.path().string(), ": no sweep has been started here");
  return std::move(*header);
}

void print_tuning(const Outline& outline) {
  const TuningPlan& tuning = outline.tuning;
  if (tuning.choices.empty()) return;
  std::cout << "learning rates chosen before the first block: " << tuning.choices.size() << ", by "
            << tuning.plan.trials.size() << " trials in " << tuning.plan.blocks.size() << " blocks, "
            << std::ceil(outline.tuning_flops / 1e9) << " GFLOP\n";
}

void print_plan(const JobSpec& job, const Outline& outline) {
  std::cout << "job: " << job.name << "\nquestions: " << outline.questions
            << ", training pairs: " << outline.train_pairs << ", folds: " << outline.plan.folds
            << (outline.estimated
                    ? "\ntokens: estimated at four bytes each; the model's folder has no tokenizer"
                    : "")
            << "\nlocations: " << outline.plan.locations.size() << "\n";
  print_locations(outline.plan);
  print_trials(outline.plan);
  print_blocks(job, outline);
  std::cout << "disk: parts " << megabytes(outline.disk.parts) << ", results.h5 "
            << megabytes(outline.disk.results) << "\nwork: " << std::ceil(outline.flops / 1e9) << " GFLOP\n";
  print_tuning(outline);
  print_power(job, outline);
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
  if (ranks < 1 || ranks > most_ranks) throw BadUsage(cat("--ranks is 1 to ", most_ranks));
  JobSpec job = read_job(values["JOB"].as<std::vector<std::string>>().front(), job_changes(values));
  if (values["texts"].as<bool>()) {
    std::cout << show_texts(job);
    return ExitCode::done;
  }
  std::optional<SweepFolder> folder;
  std::optional<SweepHeader> header;
  if (values.count("from") > 0) {
    if (values.count("gflops") + values.count("rows") > 0)
      throw BadUsage("--gflops and --rows are not asked for beside --from, which says what blocks took");
    folder.emplace(values["from"].as<std::string>());
    header = header_of(*folder);
    take_choices(*header, folder->path().string(), job);
  }
  const Outline outline = outline_of(job);
  require(!header || header->plan.shape == outline.plan.shape, "--from ",
          folder ? folder->path().string() : "", ": a sweep of another model");
  print_plan(job, outline);
  print_schedule(job, outline,
                 header ? learnt_pace(*folder, *header) : assumed_pace(job, outline.data, values), ranks);
  return ExitCode::done;
}

}  // namespace headsweep
