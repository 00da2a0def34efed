// Benchmarks of the fused loops on one core: attention in useful floating-point operations (of the pairs of
// tokens that see each other: 4 D forward, 8 D backward), the rest in bytes read and written.
#include <benchmark/benchmark.h>

#include <headsweep/base.hpp>
#include <headsweep/kernels.hpp>
#include <new>
#include <numeric>
#include <vector>

namespace headsweep {
namespace {

using kernels::Isa;
using kernels::Number;

/// Memory as tensors have it: at a multiple of a cache line.
template <class T>
struct Aligned {
  using value_type = T;
  T* allocate(std::size_t count) {
    return static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{64}));
  }
  void deallocate(T* memory, std::size_t) { ::operator delete (memory, std::align_val_t{64}); }
  bool operator==(const Aligned&) const { return true; }
};
using Floats = std::vector<float, Aligned<float>>;

Floats draw(std::int64_t count) {
  Random random(0, "bench");
  Floats values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(2 * random.uniform() - 1);
  return values;
}

/// Room for `count` numbers of either kind, filled so that it reads as small numbers of that kind.
Floats operands(std::int64_t count, Number number) {
  Floats values = draw(count);
  if (number == Number::bf16)
    for (float& value : values) value = 0.5F;
  return values;
}

/// 8 lanes of 4 trees: a prompt of 25 tokens and two answers of 11.
struct Trees {
  static constexpr std::int64_t lanes = 8, trees = 4, prompt_tokens = 25, answer_tokens = 11, longest = 47;
  static constexpr std::int64_t tokens = trees * longest;
  static constexpr std::int64_t pairs = 25 * 26 / 2 + 2 * (25 * 11 + 11 * 12 / 2);
  std::vector<std::int32_t> begin, prompt, none, own;
  Trees() {
    for (std::int32_t tree = 0; tree <= trees; ++tree)
      begin.push_back(tree * static_cast<std::int32_t>(longest));
    for (std::int64_t i = 0; i < tokens; ++i) {
      const std::int64_t place = i % longest, answer = (place - prompt_tokens) / answer_tokens;
      prompt.push_back(prompt_tokens);
      none.push_back(0);
      own.push_back(
          static_cast<std::int32_t>(place < prompt_tokens ? 0 : prompt_tokens + answer * answer_tokens));
    }
  }
  [[nodiscard]] kernels::TreeLayout layout() const {
    return {.tree_begin = begin.data(),
            .start = prompt.data(),
            .middle = none.data(),
            .middle_end = none.data(),
            .own = own.data(),
            .query = nullptr,
            .query_begin = nullptr,
            .trees = trees,
            .tokens = tokens,
            .queries = tokens,
            .longest = longest};
  }
};

/// Arguments: H, D, number, instruction set, whether backward.
void attention(benchmark::State& state) {
  const std::int64_t heads = state.range(0), width = state.range(1), stride = 3 * heads * width;
  const auto number = static_cast<Number>(state.range(2));
  const auto isa = static_cast<Isa>(state.range(3));
  const Trees trees;
  const std::int64_t rows = Trees::lanes * Trees::tokens, size = number == Number::f32 ? 4 : 2;
  Floats qkv = operands(rows * stride, number), outputs = operands(rows * heads * width, number);
  Floats dqkv = qkv, doutputs = outputs, lse(static_cast<std::size_t>(rows * heads));
  const auto part = [&](Floats& from, std::int64_t index) {
    return reinterpret_cast<std::byte*>(from.data()) + index * heads * width * size;
  };
  const kernels::AttentionForward forward{trees.layout(), part(qkv, 0), part(qkv, 1), part(qkv, 2),
                                          outputs.data(), lse.data(),   Trees::lanes, heads,
                                          heads,          width,        stride,       stride};
  const kernels::AttentionBackward backward{forward,       doutputs.data(), part(dqkv, 0), part(dqkv, 1),
                                            part(dqkv, 2), stride,          stride};
  const bool back = state.range(4) != 0;
  kernels::run(forward, number, 0, forward.rows(), isa);
  for (auto _ : state)
    back ? kernels::run(backward, number, 0, backward.rows(), isa)
         : kernels::run(forward, number, 0, forward.rows(), isa);
  const auto heads_done = static_cast<double>(state.iterations() * forward.rows());
  using benchmark::Counter;
  state.counters["flop/s"] =
      Counter(heads_done * static_cast<double>(Trees::pairs * width * (back ? 8 : 4)), Counter::kIsRate);
  state.counters["per_tree_and_head"] = Counter(heads_done, Counter::kIsRate | Counter::kInvert);
}
BENCHMARK(attention)
    ->ArgNames({"H", "D", "bf16", "isa", "back"})
    ->ArgsProduct({{8}, {16}, {0, 1}, {1, 2}, {0, 1}})
    ->ArgsProduct({{12}, {64}, {0, 1}, {1, 2}, {0, 1}})
    ->Unit(benchmark::kMicrosecond);

/// 64 rows that have generated 20 tokens after a prompt of 25. Arguments: H, D, number, instruction set.
void cached_attention(benchmark::State& state) {
  const std::int64_t heads = state.range(0), width = state.range(1), kept = heads * width, n = 64;
  const auto number = static_cast<Number>(state.range(2));
  const auto isa = static_cast<Isa>(state.range(3));
  const std::int64_t prompt = 25, generated = 20, room = 40;
  Floats queries = operands(n * kept, number), prompts = operands(n * prompt * 2 * kept, number);
  Floats own = operands(2 * n * room * kept, number), outputs(static_cast<std::size_t>(n * kept));
  std::vector<std::int32_t> first, length(n, prompt), slot(n);
  for (std::int32_t i = 0; i < n; ++i) first.push_back(i * prompt);
  std::iota(slot.begin(), slot.end(), 0);
  const std::int64_t size = number == Number::f32 ? 4 : 2;
  const auto second = [&](Floats& from, std::int64_t numbers) {
    return reinterpret_cast<std::byte*>(from.data()) + numbers * size;
  };
  const kernels::CachedAttention operation{.queries = queries.data(),
                                           .prompt_keys = prompts.data(),
                                           .prompt_values = second(prompts, kept),
                                           .keys = own.data(),
                                           .values = second(own, n * room * kept),
                                           .outputs = outputs.data(),
                                           .start = first.data(),
                                           .first = first.data(),
                                           .length = length.data(),
                                           .slot = slot.data(),
                                           .shared = 0,
                                           .n = n,
                                           .longest = prompt,
                                           .generated = generated,
                                           .room = room,
                                           .heads = heads,
                                           .kv_heads = heads,
                                           .width = width,
                                           .query_stride = kept,
                                           .prompt_stride = 2 * kept};
  for (auto _ : state) kernels::run(operation, number, 0, n, isa);
  const auto done = static_cast<double>(state.iterations() * n * heads);
  using benchmark::Counter;
  state.counters["flop/s"] =
      Counter(done * static_cast<double>((prompt + generated) * width * 4), Counter::kIsRate);
  state.counters["per_row_and_head"] = Counter(done, Counter::kIsRate | Counter::kInvert);
}
BENCHMARK(cached_attention)
    ->ArgNames({"H", "D", "bf16", "isa"})
    ->ArgsProduct({{8}, {16}, {0, 1}, {1, 2}})
    ->ArgsProduct({{12}, {64}, {0, 1}, {1, 2}})
    ->Unit(benchmark::kMicrosecond);

/// Calls one operation on 188 rows of `width` numbers; `bytes` that it reads and writes.
template <class Make>
void rows(benchmark::State& state, const Make& make) {
  const auto number = static_cast<Number>(state.range(1));
  const auto isa = static_cast<Isa>(state.range(2));
  const std::int64_t n = 188, width = state.range(0), size = number == Number::f32 ? 4 : 2;
  Floats a = draw(2 * n * width), b = operands(2 * n * width, number), c = operands(2 * n * width, number);
  Floats numbers(static_cast<std::size_t>(n), 0.5F), more = numbers;
  const auto [operation, bytes] = make(a, b, c, numbers, more, n, width, size);
  for (auto _ : state) kernels::run(operation, number, 0, operation.rows(), isa);
  state.SetBytesProcessed(state.iterations() * bytes);
}
#define HEADSWEEP_BENCH(name, bytes, ...)                                                                    \
  void name(benchmark::State& state) {                                                                       \
    rows(state, [](auto& a, auto& b, auto& c, auto& numbers, auto& more, std::int64_t n, std::int64_t width, \
                   [[maybe_unused]] std::int64_t size) {                                                     \
      benchmark::DoNotOptimize(a), benchmark::DoNotOptimize(b), benchmark::DoNotOptimize(c);                 \
      benchmark::DoNotOptimize(numbers), benchmark::DoNotOptimize(more);                                     \
      return std::pair{kernels::__VA_ARGS__, n * width * (bytes)};                                           \
    });                                                                                                      \
  }                                                                                                          \
  BENCHMARK(name)                                                                                            \
      ->ArgNames({"width", "bf16", "isa"})                                                                   \
      ->ArgsProduct({{128, 344, 2048}, {0, 1}, {0, 1, 2}})                                                   \
      ->Unit(benchmark::kMicrosecond)

HEADSWEEP_BENCH(norm, 8 + 2 * size,
                NormForward{a.data(), b.data(), c.data(), numbers.data(), n, width, 1e-5F});
HEADSWEEP_BENCH(norm_backward, 8 + 3 * size,
                NormBackward{b.data(), c.data(), numbers.data(), a.data(), c.data(), n, width});
HEADSWEEP_BENCH(swiglu, 3 * size, SwigluForward{b.data(), c.data(), n, width});
HEADSWEEP_BENCH(swiglu_backward, 5 * size, SwigluBackward{b.data(), c.data(), n, width});
HEADSWEEP_BENCH(log_sum_exp, size, LogSumExp{b.data(), numbers.data(), n, width});
HEADSWEEP_BENCH(scaled_softmax, 2 * size, ScaledSoftmax{b.data(), numbers.data(), more.data(), n, width});
HEADSWEEP_BENCH(divergence, 2 * size,
                RowDivergence{b.data(), c.data(), numbers.data(), numbers.data(), more.data(), n, n, width});
HEADSWEEP_BENCH(softmax_backward, 3 * size, SoftmaxBackward{b.data(), c.data(), n, width, 1e-3F});

}  // namespace
}  // namespace headsweep

BENCHMARK_MAIN();
