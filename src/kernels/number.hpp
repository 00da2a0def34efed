// kernels: numbers as the loops read and write them. No standard header beyond <cstdint>: these files are
// compiled once per instruction set, and an inline function shared with other objects could be the one with
// the wrong instructions.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define HEADSWEEP_BOTH __device__ __forceinline__
#else
#define HEADSWEEP_BOTH inline __attribute__((always_inline))
#endif

namespace headsweep::kernels {

/// The least multiple of `step` that is not less than `value`.
HEADSWEEP_BOTH std::int64_t round_up(std::int64_t value, std::int64_t step) {
  return (value + step - 1) / step * step;
}

struct Bf16 {
  std::uint16_t bits;
};

constexpr float infinite = __builtin_inff(), lowest = -3.40282347e38F;  ///< lowest: the least finite number

HEADSWEEP_BOTH float get(const float* from) { return *from; }
HEADSWEEP_BOTH float get(const Bf16* from) {
  const std::uint32_t bits = static_cast<std::uint32_t>(from->bits) << 16;
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}
HEADSWEEP_BOTH void put(float* to, float value) { *to = value; }
/// Rounds to nearest, ties to even. NaN stays NaN: a payload that would round away is set.
HEADSWEEP_BOTH void put(Bf16* to, float value) {
  std::uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  const std::uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  to->bits = static_cast<std::uint16_t>(value != value ? 0x7fc0U : rounded);
}

/// exp to 2e-7 of itself, as a polynomial that vectorises (Cephes expf); 0 below -87.3, infinite above 88.3,
/// NaN for NaN.
HEADSWEEP_BOTH float exponential(float x) {
  const float shifted =
      x * 1.44269504F + 12582912.0F;  // 1.5 * 2^23: the sum's low bits are the rounded power
  const float power = shifted - 12582912.0F;
  const float rest = x - power * 0.693359375F + power * 2.12194440e-4F;
  float series = 1.9875691500e-4F;
  series = series * rest + 1.3981999507e-3F;
  series = series * rest + 8.3334519073e-3F;
  series = series * rest + 4.1665795894e-2F;
  series = series * rest + 1.6666665459e-1F;
  series = series * rest + 5.0000001201e-1F;
  series = series * rest * rest + rest + 1.0F;
  std::int32_t whole;
  __builtin_memcpy(&whole, &shifted, 4);
  const std::int32_t scale_bits =
      static_cast<std::int32_t>((static_cast<std::uint32_t>(whole) << 23) + (127U << 23));
  float scale;
  __builtin_memcpy(&scale, &scale_bits, 4);
  const float value = x < -87.3F ? 0.0F : series * scale;
  return x > 88.3F ? infinite : value;
}

}  // namespace headsweep::kernels
