// kernels: the threads of a CUDA block as the workers of a row; their sums are joined in one fixed order.
#pragma once

#include <cstdint>

namespace headsweep::kernels {

constexpr int warp_size = 32, most_workers = 1024;

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

/// The threads of all blocks that share a row, where each goes down its own columns: no sums.
struct Columns {
  [[nodiscard]] __device__ std::int64_t index() const {
    return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  }
  [[nodiscard]] __device__ std::int64_t size() const {
    return static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  }
};

}  // namespace headsweep::kernels
