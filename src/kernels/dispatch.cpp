// kernels: which instruction set runs here.
#include <algorithm>
#include <cstdlib>
#include <headsweep/base.hpp>
#include <headsweep/kernels.hpp>
#include <memory>
#include <new>

#include "kernels/drive.hpp"
#include "kernels/number.hpp"

namespace headsweep::kernels {
namespace {

Isa isa_of_cpu() {
#ifdef __x86_64__
  __builtin_cpu_init();
  const bool v3 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  return v4 ? Isa::v4 : v3 ? Isa::v3 : Isa::base;
#else
  return Isa::base;
#endif
}

Isa choose_isa() {
  const Isa most = isa_of_cpu();
  const char* wish = std::getenv("HEADSWEEP_ISA");
  if (wish == nullptr) return most;
  for (const Isa isa : {Isa::base, Isa::v3, Isa::v4})
    if (to_text(isa) == wish) return isa < most ? isa : most;
  throw BadUsage(cat("HEADSWEEP_ISA=", wish, ": one of base, v3, v4 is allowed"));
}

/// Aligned scratch of the calling thread; it grows and stays.
float* scratch(std::int64_t floats) {
  struct Free {
    void operator()(float* memory) const { ::operator delete (memory, std::align_val_t{64}); }
  };
  thread_local std::unique_ptr<float, Free> memory;
  thread_local std::int64_t room = 0;
  if (room < floats) {
    memory.reset(static_cast<float*>(
        ::operator new (static_cast<std::size_t>(floats) * sizeof(float), std::align_val_t{64})));
    room = floats;
  }
  return memory.get();
}

template <class Operation>
std::int64_t scratch_floats(const Operation&) {
  return 0;
}
std::int64_t scratch_floats(const AttentionForward& op) {
  const std::int64_t tokens = round_up(op.layout.longest, 16), wide = round_up(op.width, 16);
  return 4 * tokens * wide + 5 * 16 * wide + 2 * 16 * tokens;
}
std::int64_t scratch_floats(const AttentionBackward& op) { return scratch_floats(op.forward); }
std::int64_t scratch_floats(const CachedAttention& op) {
  return 2 * round_up(op.heads * op.width, 16) + round_up(op.heads, 16) +
         op.heads * round_up(op.longest + op.generated + 7, 16);
}

}  // namespace

Isa best_isa() {
  static const Isa best = choose_isa();
  return best;
}

std::string to_text(Isa isa) { return isa == Isa::v4 ? "v4" : isa == Isa::v3 ? "v3" : "base"; }

bool has_bf16_products() {
#ifdef __x86_64__
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

std::string cpu_kind() {
  std::string vendor = "cpu";
#ifdef __x86_64__
  __builtin_cpu_init();
  if (__builtin_cpu_is("amd")) vendor = "AMD cpu";
  if (__builtin_cpu_is("intel")) vendor = "Intel cpu";
#endif
  return vendor + " " + to_text(best_isa()) + (has_bf16_products() ? " with bf16" : "");
}

template <class Operation>
void run(const Operation& operation, Number number, std::int64_t begin, std::int64_t end, Isa isa) {
  float* memory = scratch(scratch_floats(operation));
#ifdef __x86_64__
  if (isa == Isa::v4) return drive<Isa::v4>(operation, number, begin, end, memory);
  if (isa == Isa::v3) return drive<Isa::v3>(operation, number, begin, end, memory);
#endif
  drive<Isa::base>(operation, number, begin, end, memory);
}

#define HEADSWEEP_RUN(Operation) \
  template void run<Operation>(const Operation&, Number, std::int64_t, std::int64_t, Isa);
HEADSWEEP_ROW_OPERATIONS(HEADSWEEP_RUN)
HEADSWEEP_ATTENTIONS(HEADSWEEP_RUN)

}  // namespace headsweep::kernels
