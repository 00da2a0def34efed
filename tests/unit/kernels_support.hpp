// Shared by the tests of kernels: operands in memory that the CPU and a CUDA device reach, and every way to
// drive an operation: each instruction set of this CPU, several workers that share a row as a CUDA block
// does, and CUDA itself.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <headsweep/base.hpp>
#include <headsweep/kernels.hpp>
#include <limits>

namespace headsweep::kernels_test {

using kernels::Isa;
using kernels::Number;

enum class Driver { base, v3, v4, workers, cuda };
/// Those that this machine has.
std::vector<Driver> drivers_here();
std::vector<Isa> isas_here();
/// Does all rows of a row operation.
template <class Operation>
void drive(const Operation& operation, Number number, Driver driver);

/// On the device, to the end.
template <class Operation>
void launch_and_wait(const Operation& operation, Number number);

void* allocate(std::size_t bytes);
void release(void* memory);
template <class T>
struct Reachable {
  using value_type = T;
  T* allocate(std::size_t count) { return static_cast<T*>(kernels_test::allocate(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t) { release(memory); }
  bool operator==(const Reachable&) const { return true; }
};
template <class T>
using Array = std::vector<T, Reachable<T>>;

using Row = std::vector<double>;

/// Operands of matrix products: float32 or bfloat16, read and written as doubles.
class Numbers {
 public:
  Numbers(Number number, const Row& values) : number_(number) {
    (number == Number::f32 ? floats_.resize(values.size()) : halves_.resize(values.size()));
    for (std::size_t i = 0; i < values.size(); ++i) set(i, values[i]);
  }
  [[nodiscard]] void* data() {
    return number_ == Number::f32 ? static_cast<void*>(floats_.data()) : static_cast<void*>(halves_.data());
  }
  [[nodiscard]] Row values() const {
    Row values(floats_.begin(), floats_.end());
    for (const std::uint16_t bits : halves_)
      values.push_back(std::bit_cast<float>(std::uint32_t{bits} << 16));
    return values;
  }

  void set(std::size_t i, double value) {
    const auto single = static_cast<float>(value);
    if (number_ == Number::f32) {
      floats_[i] = single;
      return;
    }
    // Rounded by arithmetic, unlike the code under test: 8 bits of the fraction, fewer near 0; ties to even.
    int power = 0;
    std::frexp(single, &power);
    const int last = std::max(power - 8, -133);
    const double rounded =
        std::isfinite(single) ? std::ldexp(std::nearbyint(std::ldexp(single, -last)), last) : single;
    halves_[i] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(static_cast<float>(rounded)) >> 16);
  }

 private:
  Number number_;
  Array<float> floats_;
  Array<std::uint16_t> halves_;
};

inline Array<float> floats(const Row& values) {
  Array<float> result;
  for (const double value : values) result.push_back(static_cast<float>(value));
  return result;
}
inline Row doubles(const Array<float>& values) { return Row(values.begin(), values.end()); }

/// Numbers of [-size, size], at random.
template <class... Purpose>
Row draw(std::int64_t count, double size, const Purpose&... purpose) {
  Random random(1, purpose...);
  Row values(static_cast<std::size_t>(count));
  for (double& value : values) value = static_cast<float>(size * (2 * random.uniform() - 1));
  return values;
}
inline Row row_of(const Row& values, std::int64_t row, std::int64_t width) {
  return Row(values.begin() + row * width, values.begin() + (row + 1) * width);
}
inline void append(Row& values, const Row& more) { values.insert(values.end(), more.begin(), more.end()); }

/// Most that a result may lie off: `relative` of itself and `absolute`.
struct Tolerance {
  double relative, absolute;
};
/// Of float32 results of sums of numbers of this size, stored as `number`.
inline Tolerance tolerance(Number number, double size = 1) {
  return {number == Number::f32 ? 2e-6 : 1.0 / 256 * 1.01, 2e-6 * size};
}
inline void expect_close(const Row& found, const Row& wanted, Tolerance allowed, const std::string& what) {
  ASSERT_EQ(found.size(), wanted.size()) << what;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (std::isnan(wanted[i]) && std::isnan(found[i])) continue;
    if (std::isinf(wanted[i]) && found[i] == wanted[i]) continue;
    ASSERT_LE(std::abs(found[i] - wanted[i]), allowed.relative * std::abs(wanted[i]) + allowed.absolute)
        << what << "[" << i << "]: " << found[i] << ", should be " << wanted[i];
  }
}

/// One body for every driver and number.
class Rows : public testing::TestWithParam<std::tuple<Driver, Number>> {
 protected:
  [[nodiscard]] Number number() const { return std::get<1>(GetParam()); }
  [[nodiscard]] Numbers hold(const Row& values) const { return Numbers(number(), values); }
  template <class Operation>
  void run(const Operation& operation) const {
    drive(operation, number(), std::get<0>(GetParam()));
  }
};
inline auto all_drivers() {
  return testing::Combine(testing::ValuesIn(drivers_here()), testing::Values(Number::f32, Number::bf16));
}
inline std::string name_of(const testing::TestParamInfo<std::tuple<Driver, Number>>& info) {
  const char* names[] = {"base", "v3", "v4", "workers", "cuda"};
  return cat(names[static_cast<int>(std::get<0>(info.param))],
             std::get<1>(info.param) == Number::f32 ? "_f32" : "_bf16");
}
inline std::string name_of_isa(const testing::TestParamInfo<std::tuple<Isa, Number>>& info) {
  return cat(to_text(std::get<0>(info.param)), std::get<1>(info.param) == Number::f32 ? "_f32" : "_bf16");
}

}  // namespace headsweep::kernels_test
