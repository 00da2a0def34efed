// Benchmarks of what a sweep spends its time on: training steps and evaluation of K lanes on the built-in
// model. One thread; items = lane-steps and lanes, so that items/s shows what lanes bring.
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <headsweep/edit.hpp>
#include <headsweep/eval.hpp>

namespace headsweep {
namespace {

/// The built-in model with the quickstart's questions.
struct World {
  std::filesystem::path folder = std::filesystem::path(HEADSWEEP_ROOT) / "jobs" / "tinyworld";
  JobSpec job = read_job(folder.parent_path() / "quickstart.yaml");
  Weights weights = load_weights(folder, read_config(folder), {});
  std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(folder);
  Behaviour behaviour = read_behaviour(job.behaviour.file);
  Split split = make_splits(behaviour, job.split, job.seed).front();
  TextFormats formats = read_formats(job);
  TokenLimits limits{.vocab = weights.config.vocab, .max_tokens = weights.config.max_tokens};
  std::vector<TokenizedQuestion> tokens = tokenize_questions(behaviour, *tokenizer, formats.training, limits);
  std::vector<std::vector<int>> prompts =
      tokenize_prompts(behaviour, *tokenizer, formats.generation, limits, job.evaluation.max_new_tokens);
  std::vector<std::vector<int>> documents;
};

const World& world() {
  static const World loaded;
  return loaded;
}

/// K lanes that edit one head each of `layer`.
std::vector<LaneSpec> lanes_at(int layer, int count) {
  std::vector<LaneSpec> lanes;
  for (int k = 0; k < count; ++k)
    lanes.push_back({.heads = {{layer, k % world().weights.config.heads}},
                     .strength = 0.1,
                     .learning_rate = 0.02,
                     .seed = 0});
  return lanes;
}

void train(benchmark::State& state) {
  at::set_num_threads(1);
  const World& w = world();
  const auto lanes = lanes_at(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  auto pairs = make_pairs(w.tokens, w.behaviour, w.split.questions(SplitPart::train), w.job.training, 0);
  pairs.resize(96);
  TrainingSpec spec = w.job.training;
  spec.epochs = 1;
  const TrainingData data = pack_training(w.weights, pairs, spec, 0, 0);
  for (auto _ : state) {
    LaneParams params = LaneParams::start(EditKind::optimal, lanes, spec, w.weights);
    TrainingPrefixes prefixes(w.weights, data);
    benchmark::DoNotOptimize(train_lanes({w.weights, data, prefixes, spec}, lanes, params, [] {}));
  }
  state.SetItemsProcessed(state.iterations() * state.range(1) *
                          static_cast<std::int64_t>(data.batches.size()));
}
BENCHMARK(train)
    ->ArgNames({"layer", "K"})
    ->ArgsProduct({{0, 4, 7}, {1, 4, 8, 16, 32, 64}})
    ->Unit(benchmark::kMillisecond);

void measure(benchmark::State& state) {
  at::set_num_threads(1);
  const World& w = world();
  static const Evaluation evaluation({.weights = w.weights,
                                      .tokenizer = *w.tokenizer,
                                      .behaviour = w.behaviour,
                                      .prompts = w.prompts,
                                      .choices = w.tokens,
                                      .split = w.split,
                                      .documents = w.documents,
                                      .job = w.job,
                                      .judge = make_judge(w.behaviour, w.job.evaluation.judge.kind)});
  const auto lanes = lanes_at(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  TrainingSpec spec = w.job.training;
  spec.start_b = 0.1;
  const LaneEdits edits = LaneParams::start(EditKind::optimal, lanes, spec, w.weights).edits(w.weights);
  for (auto _ : state) benchmark::DoNotOptimize(evaluation.measure(edits, EditFrom::all, [] {}));
  state.SetItemsProcessed(state.iterations() * state.range(1));
}
BENCHMARK(measure)
    ->ArgNames({"layer", "K"})
    ->ArgsProduct({{0, 4, 7}, {1, 4, 8, 16, 32, 64}})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace headsweep

BENCHMARK_MAIN();
