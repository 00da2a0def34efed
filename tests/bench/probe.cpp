// Benchmark of the localiser on made-up outputs of a LLaMA's size. One thread; items = heads, each with its
// regression, area under the curve, direction and sigma.
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <headsweep/probe.hpp>

namespace headsweep {
namespace {

/// 4,000 questions of two texts each; three in four train, one validates. Later axes are weaker, later heads
/// tell the classes apart better: from not at all to 94 %.
struct World {
  ModelConfig config{.layers = 32, .heads = 32, .head_dim = 128};
  std::vector<ProbeText> texts;
  Split split;
  at::Tensor outputs;  ///< [n, L, C]

  World() {
    for (int question = 0; question < 4000; ++question) {
      split.part_of.push_back(question % 4 < 3 ? SplitPart::train : SplitPart::val);
      for (const bool label : {false, true})
        texts.push_back({.question = question, .label = label, .ids = {}});
    }
    outputs = at::empty({8000, config.layers, config.heads, config.head_dim});
    Random random(0, "outputs");
    float* value = outputs.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < outputs.numel(); ++i)
      value[i] = static_cast<float>(2 * random.uniform() - 1);
    const at::Tensor side = at::arange(8000).remainder(2).mul(2).sub(1).view({-1, 1, 1, 1});
    const at::Tensor degree = at::linspace(0, 0.08, config.heads).view({-1, 1});
    outputs.add_(side * degree).mul_(at::arange(1, config.head_dim + 1).rsqrt());
    outputs = outputs.flatten(2);
  }
};

void locate_heads(benchmark::State& state) {
  at::set_num_threads(1);
  static const World world;
  const ProbeData data{world.texts, world.outputs};
  for (auto _ : state) benchmark::DoNotOptimize(locate(data, data, world.split, world.config, 1));
  state.SetItemsProcessed(state.iterations() * world.config.layers * world.config.heads);
}
BENCHMARK(locate_heads)->Unit(benchmark::kSecond);

}  // namespace
}  // namespace headsweep

BENCHMARK_MAIN();
