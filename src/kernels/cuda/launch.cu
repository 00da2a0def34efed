// kernels: the operations on CUDA. A thread block does a row at a time; where a row's columns need nothing of
// each other, several blocks share it.
#define HEADSWEEP_WORKERS
#include <cuda_runtime_api.h>

#include <algorithm>
#include <headsweep/base.hpp>

#include "kernels/cuda/block.cuh"
#include "kernels/cuda/cached.cuh"
#include "kernels/drive.hpp"
#include "kernels/edits.hpp"

namespace headsweep::kernels {
namespace {

constexpr std::int64_t most_blocks = 1 << 20, numbers_a_worker = 4;
constexpr int workers_of_columns = 128, workers_of_keys = 128;
constexpr std::size_t usual_shared_bytes = 48 << 10;

/// The sums over the inner numbers of one token: half of CollapsedBackward.
struct CollapsedSums {
  CollapsedBackward whole;
};
template <class T>
__device__ void do_row(const CollapsedSums& op, std::int64_t row, Block group) {
  const CollapsedBackward& whole = op.whole;
  const CollapsedToken<T> one(whole, row / whole.tokens, row % whole.tokens);
  float by_gate = 0, by_scale = 0;
  HEADSWEEP_LOOP(j, whole.width) {
    const CollapsedCell cell = one.at(j);
    by_gate += cell.by_gate();
    by_scale += cell.by_scale();
  }
  by_gate = group.sum(by_gate);
  by_scale = group.sum(by_scale);
  if (group.index() != 0) return;
  whole.dgate[row] = one.scale * by_gate;
  whole.dscale[row] = by_scale;
}

/// The sums over the tokens of one lane: the other half.
struct CollapsedColumns {
  CollapsedBackward whole;
};
template <class T>
__device__ void do_row(const CollapsedColumns& op, std::int64_t lane, Columns group) {
  const CollapsedBackward& whole = op.whole;
  float* down = whole.down + lane * 2 * whole.width;
  HEADSWEEP_LOOP(j, whole.width) {
    float x = 0, y = 0;
    for (std::int64_t token = 0; token < whole.tokens; ++token) {
      const CollapsedToken<T> one(whole, lane, token);
      const float weight = one.gate * one.scale;
      const CollapsedCell cell = one.at(j);
      x += weight * cell.dx;
      y += weight * cell.dy;
    }
    down[j] = x;
    down[whole.width + j] = y;
  }
}

template <class T, class Operation>
__global__ void __launch_bounds__(most_workers) do_rows(Operation operation, std::int64_t rows) {
  for (std::int64_t row = blockIdx.x; row < rows; row += gridDim.x) do_row<T>(operation, row, Block{});
}
template <class T, class Operation>
__global__ void __launch_bounds__(workers_of_columns) do_columns(Operation operation) {
  do_row<T>(operation, blockIdx.y, Columns{});
}

void check(cudaError_t code, const char* operation) {
  if (code != cudaSuccess)
    throw Error(ExitCode::internal, cat("CUDA: ", operation, ": ", cudaGetErrorString(code)));
}

/// How many numbers a row's workers share.
template <class Operation>
std::int64_t numbers_of(const Operation& operation) {
  if constexpr (requires { operation.heads; })
    return operation.heads * operation.width;
  else
    return operation.width;
}
/// Threads for a row of this many numbers: whole warps.
int workers_for(std::int64_t numbers) {
  const std::int64_t warps = numbers / (numbers_a_worker * warp_size);
  return static_cast<int>(std::clamp<std::int64_t>(warps, 1, most_workers / warp_size)) * warp_size;
}

template <class T, class Operation>
void start_rows(const Operation& operation, std::int64_t rows, std::int64_t numbers, cudaStream_t in) {
  do_rows<T>
      <<<static_cast<unsigned>(std::min(rows, most_blocks)), workers_for(numbers), 0, in>>>(operation, rows);
}
template <class T, class Operation>
void start_columns(const Operation& operation, std::int64_t rows, std::int64_t columns, cudaStream_t in) {
  const dim3 blocks(static_cast<unsigned>((columns + workers_of_columns - 1) / workers_of_columns),
                    static_cast<unsigned>(rows));
  do_columns<T><<<blocks, workers_of_columns, 0, in>>>(operation);
}

template <class T, class Operation>
void start(const Operation& operation, cudaStream_t in) {
  start_rows<T>(operation, operation.rows(), numbers_of(operation), in);
}
/// What copies of heads move at once where all is a multiple of it.
struct alignas(16) Chunk {
  std::uint64_t parts[2];
};
template <class T, class Copy>
void start_copy(Copy copy, cudaStream_t in) {
  constexpr std::int64_t numbers = sizeof(Chunk) / sizeof(T);
  const auto addresses =
      reinterpret_cast<std::uintptr_t>(copy.packed) | reinterpret_cast<std::uintptr_t>(copy.squares);
  const bool in_chunks =
      copy.width % numbers == 0 && copy.stride % numbers == 0 && addresses % sizeof(Chunk) == 0;
  if (!in_chunks) return start_rows<T>(copy, copy.rows(), numbers_of(copy), in);
  copy.width /= numbers;
  copy.stride /= numbers;
  start_rows<Chunk>(copy, copy.rows(), numbers_of(copy), in);
}
template <class T>
void start(const SpreadHeads& operation, cudaStream_t in) {
  start_copy<T>(operation, in);
}
template <class T>
void start(const GatherHeads& operation, cudaStream_t in) {
  start_copy<T>(operation, in);
}
template <class T>
void start(const WeightedSum& operation, cudaStream_t in) {
  start_columns<T>(operation, operation.n, operation.width, in);
}
template <class T>
void start(const CollapsedBackward& operation, cudaStream_t in) {
  start_rows<T>(CollapsedSums{operation}, operation.lanes * operation.tokens, operation.width, in);
  start_columns<T>(CollapsedColumns{operation}, operation.lanes, operation.width, in);
}
template <class T>
void start(const CachedAttention& operation, cudaStream_t in) {
  const auto floats = static_cast<std::size_t>(operation.width + operation.longest + operation.generated);
  const std::size_t bytes = floats * sizeof(float);
  if (bytes > usual_shared_bytes)
    check(cudaFuncSetAttribute(attend_newest<T>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(bytes)),
          "memory for the scores of a text");
  attend_newest<T>
      <<<static_cast<unsigned>(operation.n * operation.heads), workers_of_keys, bytes, in>>>(operation);
}

}  // namespace

bool has_cuda() { return true; }

template <class Operation>
void launch(const Operation& operation, Number number, void* stream) {
  if (operation.rows() == 0) return;
  const auto in = static_cast<cudaStream_t>(stream);
  if (number == Number::f32)
    start<float>(operation, in);
  else
    start<Bf16>(operation, in);
  check(cudaGetLastError(), "launch of a row operation");
}

#define HEADSWEEP_LAUNCH(Operation) template void launch<Operation>(const Operation&, Number, void*);
HEADSWEEP_ROW_OPERATIONS(HEADSWEEP_LAUNCH)
HEADSWEEP_LAUNCH(CachedAttention)

}  // namespace headsweep::kernels
