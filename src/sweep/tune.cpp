// sweep: the choice of lanes by the memory account and one measurement; of prefixes by memory alone. Stored,
// because both change bits: a resume on another machine must not choose anew.
#include "sweep/tune.hpp"

#include <algorithm>
#include <fstream>
#include <headsweep/json.hpp>
#include <limits>

#include "sweep/agree.hpp"

namespace headsweep {
namespace {

constexpr double share_of_free = 0.6;
constexpr double good_enough =
    1.04;  // of the least time: fewer lanes lose less by a kill, and share the ranks better
constexpr int timed_steps = 3;

/// The number after `key` in a file of lines, in bytes; infinite where there is none.
double read_bytes(const std::filesystem::path& file, const std::string& key, double unit) {
  std::ifstream in(file);
  for (std::string word; in >> word;)
    if (word == key) {
      double value = 0;
      return in >> value ? value * unit : std::numeric_limits<double>::infinity();
    }
  return std::numeric_limits<double>::infinity();
}

/// What this rank may use of what is free: of the host, or of its GPU.
double free_bytes(const World& world, const Weights& weights) {
  if (weights.device().is_cuda()) return GpuGroup::free_bytes(weights.device().index());
  std::ifstream limit("/sys/fs/cgroup/memory.max");
  double most = std::numeric_limits<double>::infinity();
  limit >> most;  // "max" leaves it infinite
  if (limit.fail()) most = std::numeric_limits<double>::infinity();
  return std::min(most, read_bytes("/proc/meminfo", "MemAvailable:", 1024)) / world.node_size();
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

/// The fewest lanes whose time a lane is about the least; {lanes, seconds} of each try.
int choose_lanes(const JobSpec& job, const Texts& texts, const Weights& weights, int most, Json& tries) {
  TrainingSpec spec = job.training;
  spec.epochs = 1;
  std::vector<Pair> pairs = make_pairs(texts.tokens, texts.behaviour,
                                       texts.splits.front().questions(SplitPart::train), spec, job.seed);
  if (pairs.empty()) return std::min(most, usual_lanes);
  if (spec.batches == BatchKind::pairs)
    pairs.resize(std::min(pairs.size(), static_cast<std::size_t>(4 * spec.batch)));
  const TrainingData data = pack_training(weights, pairs, spec, 0, 0);
  TrainingPrefixes prefixes(weights, data);
  double least = std::numeric_limits<double>::infinity();
  std::vector<std::pair<int, double>> measured;
  for (int lanes = 1; lanes <= std::min(most, 64); lanes *= 2) {
    const double seconds = time_lanes({weights, data, prefixes, spec}, lanes);
    tries.push_back({{"lanes", lanes}, {"seconds_a_lane_and_step", seconds}});
    measured.emplace_back(lanes, seconds);
    if (seconds > 1.2 * least) break;
    least = std::min(least, seconds);
  }
  for (const auto& [lanes, seconds] : measured)
    if (seconds <= good_enough * least) return lanes;
  return 1;
}

/// No more lanes than the largest group of trials that may share a block.
int most_useful(const Plan& plan) {
  std::map<std::pair<EditKind, int>, int> groups;
  int most = 1;
  for (const Trial& trial : plan.trials)
    most = std::max(most, ++groups[{trial.edit, plan.at(trial.location).first_layer()}]);
  return most;
}

Json choose(const World& world, const JobSpec& job, const Texts& texts, const Weights& weights) {
  const DataSize size = size_of_data(job, texts);
  const ModelShape shape = shape_of(texts.config);
  const MemoryAccount account = account_memory(job, shape, size, texts.config.tied);
  const double budget =
      job.run.memory > 0 ? job.run.memory * (1 << 30) : share_of_free * free_bytes(world, weights);
  const bool keeps = job.run.prefixes == Prefixes::kept ||
                     (job.run.prefixes == Prefixes::automatic && account.prefixes < budget / 2);
  const int most = lanes_that_fit(account, budget - (keeps ? account.prefixes : 0));
  Json tries = Json::array();
  int lanes = job.run.lanes;
  if (lanes == 0) {
    const int useful = most_useful(make_plan(job, shape, size, nullptr));
    lanes = choose_lanes(job, texts, weights, std::min(most, useful), tries);
  } else if (lanes > most) {
    log_line(cat("run.lanes: ", lanes, " need about ", lanes * account.lane / 1e9, " GB, ", budget / 1e9,
                 " GB are to be had: about ", most, " lanes fit"));
  }
  return {{"lanes", lanes},
          {"keeps_prefixes", keeps},
          {"bytes",
           {{"budget", budget},
            {"prefixes", account.prefixes},
            {"block", account.block},
            {"lane", account.lane}}},
          {"measured", tries}};
}

}  // namespace

JobSpec tune(const World& world, JobSpec job, const Texts& texts, const Weights& weights,
             const SweepFolder& folder) {
  const std::filesystem::path file = folder.tune_file("engine.json");
  std::string text;
  first_does(world, [&] {
    if (!std::filesystem::exists(file)) {
      require(!folder.exists(), file.string(), ": missing beside sweep.yaml; it fixes the sweep's bits");
      write_file(file, choose(world, job, texts, weights).dump(2) + "\n");
    }
    text = read_file(file);
  });
  text = world.broadcast(text);
  all_do(world, [&] {
    const Json stored = parse_json(text, file.string());
    job.run.lanes = static_cast<int>(json_integer(stored, "lanes", file.string(), 1, 4096));
    job.run.prefixes =
        json_flag(stored, "keeps_prefixes", file.string()) ? Prefixes::kept : Prefixes::recomputed;
  });
  return job;
}

}  // namespace headsweep
