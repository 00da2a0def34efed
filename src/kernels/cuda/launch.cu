// kernels: the row operations on CUDA. A thread block does a row at a time; its sums are joined in one fixed
// order.
#define HEADSWEEP_WORKERS
#include <cuda_runtime_api.h>

#include <algorithm>
#include <headsweep/base.hpp>

#include "kernels/drive.hpp"
#include "kernels/rows.hpp"

namespace headsweep::kernels {
namespace {

constexpr int warp_size = 32, most_workers = 1024;
constexpr std::int64_t most_blocks = 1 << 20, numbers_a_worker = 4;

/// The threads of a block, who share a row. All of them must come to each sum and max.
struct Block {
  [[nodiscard]] __device__ std::int64_t index() const { return threadIdx.x; }
  [[nodiscard]] __device__ std::int64_t size() const { return blockDim.x; }
  [[nodiscard]] __device__ float sum(float value) const { return join(value, Sum{}); }
  [[nodiscard]] __device__ float max(float value) const { return join(value, Max{}); }

 private:
  struct Sum {
    __device__ float operator()(float a, float b) const { return a + b; }
  };
  struct Max {
    __device__ float operator()(float a, float b) const { return a > b ? a : b; }
  };
  template <class Join>
  __device__ float join(float value, Join join_two) const {
    __shared__ float parts[most_workers / warp_size];
    for (int step = warp_size / 2; step > 0; step /= 2)
      value = join_two(value, __shfl_xor_sync(0xffffffffU, value, step));
    __syncthreads();  // the parts of the last call have been read
    if (threadIdx.x % warp_size == 0) parts[threadIdx.x / warp_size] = value;
    __syncthreads();
    float joined = parts[0];
    for (unsigned warp = 1; warp < blockDim.x / warp_size; ++warp) joined = join_two(joined, parts[warp]);
    return joined;
  }
};

template <class T, class Operation>
__global__ void __launch_bounds__(most_workers) do_rows(Operation operation, std::int64_t rows) {
  for (std::int64_t row = blockIdx.x; row < rows; row += gridDim.x) do_row<T>(operation, row, Block{});
}

void check(cudaError_t code, const char* operation) {
  if (code != cudaSuccess)
    throw Error(ExitCode::internal, cat("CUDA: ", operation, ": ", cudaGetErrorString(code)));
}

/// Threads for a row of this many numbers: whole warps.
int workers_for(std::int64_t width) {
  const std::int64_t warps = width / (numbers_a_worker * warp_size);
  return static_cast<int>(std::clamp<std::int64_t>(warps, 1, most_workers / warp_size)) * warp_size;
}

}  // namespace

bool has_cuda() { return true; }

template <class Operation>
void launch(const Operation& operation, Number number, void* stream) {
  const std::int64_t rows = operation.rows();
  if (rows == 0) return;
  const auto blocks = static_cast<unsigned>(std::min(rows, most_blocks));
  const int workers = workers_for(operation.width);
  const auto in = static_cast<cudaStream_t>(stream);
  if (number == Number::f32)
    do_rows<float><<<blocks, workers, 0, in>>>(operation, rows);
  else
    do_rows<Bf16><<<blocks, workers, 0, in>>>(operation, rows);
  check(cudaGetLastError(), "launch of a row operation");
}

#define HEADSWEEP_LAUNCH(Operation) template void launch<Operation>(const Operation&, Number, void*);
HEADSWEEP_ROW_OPERATIONS(HEADSWEEP_LAUNCH)

}  // namespace headsweep::kernels
