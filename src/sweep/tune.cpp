// sweep: the choice of lanes by the memory account and one measurement; of prefixes by memory alone. Stored,
// because both change bits: a resume on another machine must not choose anew.
#include "sweep/tune.hpp"

#include <algorithm>
#include <headsweep/json.hpp>
#include <limits>
#include <set>

#include "sweep/agree.hpp"
#include "sweep/free_memory.hpp"

namespace headsweep {
namespace {

constexpr double share_of_free = 0.6;
/// Of the least time: fewer lanes lose less by a kill, and share the ranks better.
constexpr double good_enough = 1.04;
constexpr int timed_steps = 3, most_tried = 64;
constexpr double longest_try = 60;  // seconds

/// What each rank may use of what is free: of its host, or of its GPU; the least of all ranks. Collective.
double free_bytes(const World& world, const Weights& weights) {
  const double own = weights.device().is_cuda() ? GpuGroup::free_bytes(weights.device().index())
                                                : free_host_bytes() / world.node_size();
  return -static_cast<double>(world.max(-static_cast<std::int64_t>(std::min(own, 1e18))));
}

/// Seconds a lane and step of training `lanes` single heads of the middle layer.
double time_lanes(const TrainingInputs& inputs, int lanes) {
  const Weights& weights = inputs.weights;
  const int layer = weights.config.layers / 2;
  std::vector<LaneSpec> specs;
  for (int k = 0; k < lanes; ++k)
    specs.push_back(
        {.heads = {{layer, k % weights.config.heads}}, .strength = 0.1, .learning_rate = 0, .seed = 0});
  const LaneEdits edits = LaneParams::start(EditKind::optimal, specs, inputs.spec, weights).edits(weights);
  const at::Tensor tau = tau_of(specs, weights.device());
  double least = std::numeric_limits<double>::infinity();
  for (int step = 0; step <= timed_steps; ++step) {
    const PairBatch& batch = inputs.data.batches[static_cast<std::size_t>(step) % inputs.data.batches.size()];
    const double begin = now_seconds();
    const Prefix prefix = inputs.prefixes.at(batch, layer);
    loss_gradient(weights, batch, prefix, edits, tau, inputs.spec.log_prob).losses.cpu();
    if (step > 0) least = std::min(least, now_seconds() - begin);  // the first one warms up
  }
  return least / lanes;
}

/// The first pairs of the training questions, enough for a few steps.
std::vector<Pair> pairs_to_time(const Texts& texts, const TrainingSpec& spec, std::uint64_t seed) {
  std::vector<Pair> pairs = make_pairs(texts.training, texts.behaviour,
                                       texts.splits.front().questions(SplitPart::train), spec, seed);
  const auto most = static_cast<std::size_t>((timed_steps + 1) * spec.batch);
  std::set<int> questions;
  const auto enough = [&](const Pair& pair) {
    return questions.insert(pair.question), questions.size() > most;
  };
  if (spec.batches == BatchKind::questions)
    pairs.erase(std::find_if(pairs.begin(), pairs.end(), enough), pairs.end());
  else
    pairs.resize(std::min(pairs.size(), most));
  return pairs;
}

/// The fewest lanes whose time a lane is about the least; {lanes, seconds} of each try.
int choose_lanes(const TrainingInputs& inputs, int most, Json& tries) {
  double least = std::numeric_limits<double>::infinity();
  std::vector<std::pair<int, double>> measured;
  for (int lanes = 1;; lanes = std::min(2 * lanes, most)) {
    const double seconds = time_lanes(inputs, lanes);
    tries.push_back({{"lanes", lanes}, {"seconds_a_lane_and_step", seconds}});
    measured.emplace_back(lanes, seconds);
    const bool gains = seconds * good_enough < least;
    least = std::min(least, seconds);
    if (!gains || lanes == most || seconds * lanes * (timed_steps + 1) > longest_try) break;
  }
  for (const auto& [lanes, seconds] : measured)
    if (seconds <= good_enough * least) return lanes;
  return 1;
}

/// The trials of the largest block, if none were cut for its lanes.
int most_useful(JobSpec job, const ModelShape& shape, const DataSize& size) {
  job.run.lanes = std::numeric_limits<int>::max();
  std::size_t most = 1;
  for (const Block& block : make_plan(job, shape, size, nullptr).blocks)
    most = std::max(most, block.trials.size());
  return static_cast<int>(most);
}

Json choose(const JobSpec& job, const Texts& texts, const Weights& weights, double free) {
  const DataSize size = size_of_data(job, texts);
  const ModelShape shape = shape_of(texts.config);
  const MemoryAccount account = account_memory(job, shape, size, texts.config.tied);
  const double budget = job.run.memory > 0 ? job.run.memory * (1 << 30) : share_of_free * free;
  const bool keeps = keeps_prefixes(job, account, budget);
  const double left = budget - (keeps ? account.prefixes : 0);
  const int most = lanes_that_fit(account, left);
  Json tries = Json::array();
  int lanes = job.run.lanes;
  if (lanes == 0) {
    const int useful = std::min({most, most_useful(job, shape, size), most_tried});
    TrainingSpec spec = job.training;
    spec.epochs = 1;
    const std::vector<Pair> pairs = pairs_to_time(texts, spec, job.seed);
    lanes = std::min(useful, usual_lanes);
    if (!pairs.empty()) {
      TrainingData data = pack_training(weights, pairs, spec, 0, 0);
      data.keeps_prefixes = keeps;
      TrainingPrefixes prefixes(weights, data);
      lanes = choose_lanes({weights, data, prefixes, spec}, useful, tries);
    }
  }
  const double wanted = bytes_of_block(account, lanes);
  if (wanted > left)
    log_line(cat("run.lanes: ", lanes, " need about ", wanted / 1e9, " GB, ", std::max(left, 0.0) / 1e9,
                 " GB are to be had: memory may not suffice"));
  return {{"lanes", lanes},
          {"keeps_prefixes", keeps},
          {"bytes",
           {{"budget", budget},
            {"prefixes", account.prefixes},
            {"block", account.block},
            {"lane", account.lane},
            {"adapted_lane", account.adapted_lane}}},
          {"measured", tries}};
}

}  // namespace

JobSpec tune(const World& world, JobSpec job, const Texts& texts, const Weights& weights,
             SweepFolder& folder) {
  const std::filesystem::path file = folder.tune_file("engine.json");
  const double free = free_bytes(world, weights);
  std::string text;
  first_does(world, [&] {
    // A choice without a header is left by a run that came no further: its job may have been another.
    const bool chosen = std::filesystem::exists(file);
    require(chosen || !folder.exists(), file.string(),
            ": missing beside sweep.yaml; it fixes the sweep's bits");
    if (!folder.exists()) write_file(file, choose(job, texts, weights, free).dump(2) + "\n");
    text = read_file(file);
  });
  text = world.broadcast(text);
  all_do(world, [&] { apply_tuning(text, file, job); });
  return job;
}

void apply_tuning(const std::string& text, const std::filesystem::path& file, JobSpec& job) {
  const Json stored = parse_json(text, file.string());
  job.run.lanes = static_cast<int>(json_integer(stored, "lanes", file.string(), 1, 4096));
  job.run.prefixes =
      json_flag(stored, "keeps_prefixes", file.string()) ? Prefixes::kept : Prefixes::recomputed;
}

}  // namespace headsweep
