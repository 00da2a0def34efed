// bench: trains blocks of lanes on pairs of token ids and says what a step of one lane takes. In: a model
// folder, pairs, locations; out: one JSON line for each number of lanes. One thread; CPU seconds of the
// process (on a GPU: wall seconds).
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <sys/resource.h>
#include <time.h>

#include <array>
#include <boost/program_options.hpp>
#include <fstream>
#include <headsweep/edit.hpp>
#include <headsweep/json.hpp>
#include <iostream>

#include "bench/cost.hpp"
#include "bench/locations.hpp"
#include "model/ops.hpp"

namespace headsweep::bench {
namespace {

struct Options {
  std::filesystem::path model, pairs;
  std::string locations = "all-single", precision = "f32", device = "cpu";
  std::string lanes = "8";
  int steps = 16, epochs = 2, batch = 4;
  double learning_rate = 0.01, tau = 0.1;
  bool peers_start = false, one_block = false;
};

Options read_options(int count, char** words) {
  namespace po = boost::program_options;
  Options options;
  po::options_description named("bench_steps");
  named.add_options()("model", po::value(&options.model)->required(), "Hugging Face folder")(
      "pairs", po::value(&options.pairs)->required(), "JSONL: prompt, chosen, rejected as token ids")(
      "locations", po::value(&options.locations), "`3:5;0:1,2:7`, all-single, or random16:COUNT:SEED")(
      "lanes", po::value(&options.lanes), "most lanes of a block: `8`, or several in turn: `1,8,16`")(
      "one-block", po::bool_switch(&options.one_block), "only the first block of each layer")(
      "steps", po::value(&options.steps))("epochs", po::value(&options.epochs))(
      "batch", po::value(&options.batch), "pairs a step")("precision", po::value(&options.precision),
                                                          "f32 or bf16")("device", po::value(&options.device),
                                                                         "cpu or cuda")(
      "learning-rate", po::value(&options.learning_rate))("tau", po::value(&options.tau))(
      "peers-start", po::bool_switch(&options.peers_start),
      "a as the peers start it: randn by manual_seed(layer), x 0.02");
  po::variables_map values;
  po::store(po::parse_command_line(count, words, named), values);
  po::notify(values);
  require(std::min({options.steps, options.epochs, options.batch}) > 0,
          "--steps, --epochs, --batch: at least 1");
  require(options.precision == "f32" || options.precision == "bf16", "--precision: ", options.precision,
          ", f32 or bf16 is due");
  return options;
}

std::vector<int> lanes_of(const Options& options) {
  std::vector<int> counts;
  for (const std::string& word : split_text(options.lanes, ',')) {
    counts.push_back(std::atoi(word.c_str()));
    require(counts.back() > 0, "--lanes: '", word, "', at least 1 is due");
  }
  return counts;
}

// ---- what is trained
// ----------------------------------------------------------------------------------------

std::vector<Pair> read_pairs(const std::filesystem::path& file, int most) {
  std::ifstream lines(file);
  require(lines.good(), file.string(), ": cannot be read");
  std::vector<Pair> pairs;
  for (std::string line; static_cast<int>(pairs.size()) < most && std::getline(lines, line);) {
    const Json row = parse_json(line, file.string());
    pairs.push_back(
        {.question = 0, .prompt = row["prompt"], .chosen = row["chosen"], .rejected = row["rejected"]});
  }
  return pairs;
}

/// One batch a step in the order of the file, in every epoch alike.
TrainingData make_data(const Weights& weights, const std::vector<Pair>& pairs, const TrainingSpec& spec,
                       int steps) {
  TrainingData data{.batches = {}, .texts = pack_evaluation(weights, pairs, spec)};
  std::int64_t begin = 0;
  for (PairBatch& batch : data.texts) {
    const std::int64_t end = begin + batch.tokens.tokens;
    batch.rows = at::arange(begin, end, at::kLong).to(weights.device());
    begin = end;
  }
  for (int step = 0; step < steps; ++step)
    data.batches.push_back(data.texts[static_cast<std::size_t>(step) % data.texts.size()]);
  return data;
}

BatchSize size_of(const TrainingData& data) {
  BatchSize size;
  const double share = 1.0 / static_cast<double>(data.batches.size());
  for (const PairBatch& batch : data.batches) {
    size.tokens += share * batch.tokens.tokens;
    size.rows += share * static_cast<double>(batch.tokens.kept.size(0));
    size.tree += share * batch.tokens.tokens / batch.tokens.trees;
  }
  return size;
}

// ---- what it takes
// ------------------------------------------------------------------------------------------

double now(const at::Device& device) {
  timespec time{};
  ::clock_gettime(device.is_cpu() ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// Of the process; on a GPU what tensors have taken at most since `forget_peak`.
double peak_megabytes(const at::Device& device) {
  if (device.is_cuda()) {
    const auto stats = at::getDeviceAllocator(at::kCUDA)->getDeviceStats(0);
    return 1e-6 * static_cast<double>(stats.allocated_bytes[0].peak);
  }
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return 1.024e-3 * static_cast<double>(usage.ru_maxrss);
}

void forget_peak(const at::Device& device) {
  if (device.is_cuda()) at::getDeviceAllocator(at::kCUDA)->resetPeakStats(0);
}

/// GFLOP/s of the machine's own product of two matrices of such numbers: the best of several large shapes, by
/// torch's usual way and by the engine's.
double measure_peak(const at::Device& device, at::ScalarType number) {
  std::vector<std::array<std::int64_t, 3>> shapes = {
      {1024, 1024, 1024}, {1536, 1536, 1536}, {2048, 2048, 2048}, {1508, 768, 2048}, {1508, 2048, 768}};
  if (device.is_cuda()) shapes = {{4096, 4096, 4096}, {8192, 8192, 8192}, {3016, 4096, 11008}};
  double best = 0;
  for (const auto& [rows, inner, columns] : shapes) {
    const auto options = at::TensorOptions(number).device(device);
    const at::Tensor left = at::randn({rows, inner}, options), right = at::randn({columns, inner}, options);
    for (int repeat = 0; repeat < 16; ++repeat) {
      const double begin = now(device);
      const at::Tensor out = repeat % 2 == 0 ? at::mm(left, right.t()) : ops::product(left, right);
      out[0][0].item<float>();  // waits for a GPU
      best = std::max(best, 2e-9 * static_cast<double>(rows * inner * columns) / (now(device) - begin));
    }
  }
  return best;
}

void start_like_peers(LaneParams& params) {
  for (auto& layer : params.layers()) {
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<std::uint64_t>(layer.layer));
    layer.a.copy_((at::randn({layer.a.size(1)}, generator) * 0.02).expand_as(layer.a));
  }
}

/// Trains blocks and keeps their loss curves.
class Trainer {
 public:
  Trainer(const Options& options, const Weights& weights)
      : options_(options), weights_(weights), spec_{.batch = options.batch, .clip = 0} {
    const int batches = (options.steps + options.epochs - 1) / options.epochs;
    const auto pairs = read_pairs(options.pairs, batches * options.batch);
    require(!pairs.empty(), options.pairs.string(), ": no pairs");
    data_ = make_data(weights, pairs, spec_, options.steps);
  }

  /// Seconds of one block; its losses go to `traces`. As in a sweep, the first block of a layer runs the
  /// layers below for all texts, and those after it and later epochs find that done.
  double train(const std::vector<Location>& block, Json& traces) {
    return train_on(data_, prefixes_, block, traces);
  }
  /// The first step of a block alone: allocations and first calls are behind us.
  void warm_up(const std::vector<Location>& block) const {
    Json dropped;
    const TrainingData first{.batches = {data_.batches.front()}, .texts = {}, .keeps_prefixes = false};
    TrainingPrefixes prefixes(weights_, first);
    train_on(first, prefixes, block, dropped);
  }
  /// Seconds that the layers below `layer` take for all texts; part of what the first block of a layer takes.
  [[nodiscard]] double prefix(int layer) const {
    TrainingPrefixes prefixes(weights_, data_);
    const double begin = now(weights_.device());
    prefixes.at(data_.batches.front(), layer).residual[0][0].item<float>();  // waits for a GPU
    return now(weights_.device()) - begin;
  }
  [[nodiscard]] BatchSize size() const { return size_of(data_); }
  [[nodiscard]] double batches() const {
    return static_cast<double>(data_.texts.size());
  }  ///< different ones

 private:
  double train_on(const TrainingData& data, TrainingPrefixes& prefixes, const std::vector<Location>& block,
                  Json& traces) const {
    std::vector<LaneSpec> lanes;
    for (const Location& location : block)
      lanes.push_back({.heads = location.heads,
                       .strength = options_.tau,
                       .learning_rate = options_.learning_rate,
                       .seed = 0});
    LaneParams params = LaneParams::start(EditKind::optimal, lanes, spec_, weights_);
    if (options_.peers_start) start_like_peers(params);
    const double begin = now(weights_.device());
    const TrainedLanes trained = train_lanes(
        {.weights = weights_, .data = data, .prefixes = prefixes, .spec = spec_}, lanes, params, [] {});
    const double seconds = now(weights_.device()) - begin;
    for (std::size_t k = 0; k < block.size(); ++k) traces[block[k].name] = trained.training[k].curve;
    return seconds;
  }

  const Options& options_;
  const Weights& weights_;
  TrainingSpec spec_;
  TrainingData data_;
  TrainingPrefixes prefixes_{weights_, data_};
};

/// What the blocks of one first layer take: milliseconds and GFLOP of one lane's step.
Json measure_layer(Trainer& trainer, const Cost& cost, int layer, const Blocks& blocks, Json& traces) {
  double seconds = 0, lane_steps = 0;
  for (const auto& block : blocks) {
    seconds += trainer.train(block, traces);
    lane_steps += static_cast<double>(traces[block.front().name].size() * block.size());
  }
  return {{"layer", layer},
          {"locations", traces.size()},
          {"ms", 1e3 * seconds / lane_steps},
          {"prefix_ms", 1e3 * trainer.prefix(layer) / lane_steps},
          {"gflop", 1e-9 * cost.step(layer)},
          {"prefix_gflop", 1e-9 * cost.prefix(layer) * trainer.batches() / lane_steps},
          {"traces", std::move(traces)}};
}

/// All layers' blocks, or the first of each.
Json measure_blocks(Trainer& trainer, const Weights& weights, bool one_block, std::map<int, Blocks>& blocks) {
  const Cost cost(weights.config, trainer.size());
  Json layers = Json::array();
  trainer.warm_up(blocks.begin()->second.front());
  for (auto& [layer, group] : blocks) {
    if (one_block) group.resize(1);
    Json traces;
    layers.push_back(measure_layer(trainer, cost, layer, group, traces));
  }
  return layers;
}

void run(const Options& options) {
  at::set_num_threads(1);
  const at::Device device(options.device);
  const double start_mb = device.is_cpu() ? peak_megabytes(device) : 0, start = now(device);
  const at::ScalarType number = options.precision == "bf16" ? at::kBFloat16 : at::kFloat;
  const Weights weights =
      load_weights(options.model, read_config(options.model), {.number = number, .device = device});
  const double weights_mb = peak_megabytes(device), begin = now(device);
  Trainer trainer(options, weights);
  const Json common = {
      {"precision", options.precision}, {"steps", options.steps},          {"load_s", begin - start},
      {"pack_s", now(device) - begin},  {"tokens", trainer.size().tokens}, {"rows", trainer.size().rows},
      {"start_mb", start_mb},           {"weights_mb", weights_mb}};
  const auto locations = make_locations(options.locations, weights.config);
  for (const int lanes : lanes_of(options)) {
    forget_peak(device);
    auto blocks = make_blocks(locations, lanes);
    Json line = common;
    line["lanes"] = lanes;
    line["layers"] = measure_blocks(trainer, weights, options.one_block, blocks);
    line["peak_mb"] = peak_megabytes(device);
    line["peak_gflops"] = measure_peak(device, number);
    std::cout << line.dump() << std::endl;
  }
}

}  // namespace
}  // namespace headsweep::bench

int main(int count, char** words) {
  try {
    headsweep::bench::run(headsweep::bench::read_options(count, words));
    return 0;
  } catch (const headsweep::Error& error) {
    std::cerr << "bench_steps: " << error.what() << "\n";
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    std::cerr << "bench_steps: " << error.what() << "\n";
    return static_cast<int>(headsweep::ExitCode::usage);
  }
}
