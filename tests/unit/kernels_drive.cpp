// kernels: the ways to drive an operation. `workers` stands in for a CUDA block: threads that share each row,
// the loops cut among them as there.
#include <barrier>
#include <thread>

#include "unit/kernels_support.hpp"

#define HEADSWEEP_WORKERS
#include "kernels/drive.hpp"
#include "kernels/edits.hpp"
#ifdef HEADSWEEP_CUDA_RUNTIME
#include <cuda_runtime_api.h>
#endif

namespace headsweep::kernels_test {
namespace {

constexpr int team_size = 5;

/// What the workers of a row share.
struct Team {
  std::barrier<> meeting{team_size};
  float values[team_size] = {};
};
/// One worker of a team.
struct Worker {
  Team& team;
  std::int64_t place;
  [[nodiscard]] std::int64_t index() const { return place; }
  [[nodiscard]] std::int64_t size() const { return team_size; }
  template <class Join>
  [[nodiscard]] float join(float value, const Join& join) const {
    team.meeting.arrive_and_wait();
    team.values[place] = value;
    team.meeting.arrive_and_wait();
    float joined = team.values[0];
    for (int i = 1; i < team_size; ++i) joined = join(joined, team.values[i]);
    return joined;
  }
  [[nodiscard]] float sum(float value) const {
    return join(value, [](float a, float b) { return a + b; });
  }
  [[nodiscard]] float max(float value) const {
    return join(value, [](float a, float b) { return a > b ? a : b; });
  }
};

template <class Operation>
void drive_team(const Operation& operation, Number number) {
  Team team;
  std::vector<std::jthread> threads;
  for (int place = 0; place < team_size; ++place)
    threads.emplace_back([&, place] {
      for (std::int64_t row = 0; row < operation.rows(); ++row) {
        if (number == Number::f32)
          kernels::do_row<float>(operation, row, Worker{team, place});
        else
          kernels::do_row<kernels::Bf16>(operation, row, Worker{team, place});
      }
    });
}

#ifdef HEADSWEEP_CUDA_RUNTIME
bool has_device() {
  static const bool has = [] {
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
  }();
  return has;
}
void* allocate_managed(std::size_t bytes) {
  void* memory = nullptr;
  return cudaMallocManaged(&memory, bytes) == cudaSuccess ? memory : nullptr;
}
void release_managed(void* memory) { cudaFree(memory); }
void wait_for_device() { ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess); }
#else
bool has_device() { return false; }
void* allocate_managed(std::size_t) { return nullptr; }
void release_managed(void*) {}
void wait_for_device() {}
#endif

}  // namespace

std::vector<Isa> isas_here() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::base, Isa::v3, Isa::v4})
    if (isa <= kernels::best_isa()) isas.push_back(isa);
  return isas;
}
std::vector<Driver> drivers_here() {
  std::vector<Driver> drivers;
  for (const Isa isa : isas_here()) drivers.push_back(static_cast<Driver>(isa));
  drivers.push_back(Driver::workers);
  if (has_device()) drivers.push_back(Driver::cuda);
  return drivers;
}

void* allocate(std::size_t bytes) {
  return has_device() ? allocate_managed(bytes) : ::operator new (bytes, std::align_val_t{64});
}
void release(void* memory) {
  has_device() ? release_managed(memory) : ::operator delete (memory, std::align_val_t{64});
}

template <class Operation>
void launch_and_wait(const Operation& operation, Number number) {
  kernels::launch(operation, number, nullptr);
  wait_for_device();
}
template void launch_and_wait<kernels::CachedAttention>(const kernels::CachedAttention&, Number);

template <class Operation>
void drive(const Operation& operation, Number number, Driver driver) {
  if (driver == Driver::workers) return drive_team(operation, number);
  if (driver != Driver::cuda)
    return kernels::run(operation, number, 0, operation.rows(), static_cast<Isa>(driver));
  launch_and_wait(operation, number);
}
#define HEADSWEEP_DRIVE(Operation) \
  template void drive<kernels::Operation>(const kernels::Operation&, Number, Driver);
HEADSWEEP_ROW_OPERATIONS(HEADSWEEP_DRIVE)

}  // namespace headsweep::kernels_test
