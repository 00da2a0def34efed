// kernels: attention of newest tokens on CUDA: a block a row and head, a warp a key.
#pragma once

#include "kernels/cuda/block.cuh"
#include "kernels/rows.hpp"

namespace headsweep::kernels {

/// Where the keys or the values of a row and head lie: those that its prompt shares, those of its own, those
/// generated since.
template <class T>
struct CachedStrand {
  const T *start, *prompt, *own;
  std::int64_t shared, length, prompt_stride, stride;  ///< length: of the whole prompt
  __device__ CachedStrand(const CachedAttention& op, const void* of_prompt, const void* of_own,
                          std::int64_t row, std::int64_t head)
      : shared(op.shared),
        length(op.shared + op.length[row]),
        prompt_stride(op.prompt_stride),
        stride(op.kv_heads * op.width) {
    const std::int64_t offset = head / (op.heads / op.kv_heads) * op.width;
    start = kernels::at<T>(of_prompt, op.start[row] * prompt_stride + offset);
    prompt = kernels::at<T>(of_prompt, op.first[row] * prompt_stride + offset);
    own = kernels::at<T>(of_own, op.slot[row] * op.room * stride + offset);
  }
  [[nodiscard]] __device__ const T* at(std::int64_t key) const {
    if (key < shared) return start + key * prompt_stride;
    return key < length ? prompt + (key - shared) * prompt_stride : own + (key - length) * stride;
  }
};

/// `memory`: D + keys floats.
template <class T>
__device__ void score_keys(const CachedAttention& op, std::int64_t row, std::int64_t head, float* memory) {
  const CachedStrand<T> keys(op, op.prompt_keys, op.keys, row, head);
  const T* query = at<T>(op.queries, row * op.query_stride + head * op.width);
  float* scores = memory + op.width;
  const float factor = rsqrtf(static_cast<float>(op.width));
  for (std::int64_t j = threadIdx.x; j < op.width; j += blockDim.x) memory[j] = factor * get(query + j);
  __syncthreads();
  const unsigned warps = blockDim.x / warp_size, place = threadIdx.x % warp_size;
  for (std::int64_t i = threadIdx.x / warp_size; i < keys.length + op.generated; i += warps) {
    const T* key = keys.at(i);
    float product = 0;
    for (std::int64_t j = place; j < op.width; j += warp_size) product += memory[j] * get(key + j);
    for (int step = warp_size / 2; step > 0; step /= 2)
      product += __shfl_xor_sync(0xffffffffU, product, step);
    if (place == 0) scores[i] = product;
  }
  __syncthreads();
}

template <class T>
__global__ void attend_newest(CachedAttention op) {
  extern __shared__ float memory[];
  const std::int64_t row = blockIdx.x / op.heads, head = blockIdx.x % op.heads;
  score_keys<T>(op, row, head, memory);
  const std::int64_t keys = op.shared + op.length[row] + op.generated;
  float* scores = memory + op.width;
  const Block group;
  float most = lowest, total = 0;
  for (std::int64_t i = threadIdx.x; i < keys; i += blockDim.x) most = scores[i] > most ? scores[i] : most;
  most = group.max(most);
  for (std::int64_t i = threadIdx.x; i < keys; i += blockDim.x) {
    scores[i] = exponential(scores[i] - most);
    total += scores[i];
  }
  const float share = 1.0F / group.sum(total);  // and all scores are there
  const CachedStrand<T> values(op, op.prompt_values, op.values, row, head);
  T* outputs = at<T>(op.outputs, (row * op.heads + head) * op.width);
  for (std::int64_t j = threadIdx.x; j < op.width; j += blockDim.x) {
    float sum = 0;
    for (std::int64_t i = 0; i < keys; ++i) sum += scores[i] * get(values.at(i) + j);
    put(outputs + j, share * sum);
  }
}

}  // namespace headsweep::kernels
