// comm: the link to NCCL and the CUDA runtime.
#include <cuda_runtime_api.h>
#include <nccl.h>

#include <array>
#include <headsweep/base.hpp>

#include "comm/nccl/link.hpp"

namespace headsweep {
namespace {

void cuda_ok(cudaError_t code, const char* call) {
  if (code != cudaSuccess) throw Error(ExitCode::internal, cat(call, ": ", cudaGetErrorString(code)));
}

void nccl_ok(ncclResult_t code, const char* call) {
  if (code == ncclSuccess) return;
  throw Error(ExitCode::internal, cat(call, ": ", ncclGetErrorString(code), ": ", ncclGetLastError(nullptr)));
}

}  // namespace

int NcclLink::count_devices() {
  int count = 0;
  const bool works = cudaGetDeviceCount(&count) == cudaSuccess;
  if (!works) cudaGetLastError();  // forget it: no driver or no device is no error here
  return works ? count : 0;
}

std::string NcclLink::place_of(int device) {
  std::array<char, 32> place{};
  cuda_ok(cudaDeviceGetPCIBusId(place.data(), static_cast<int>(place.size()), device),
          "cudaDeviceGetPCIBusId");
  return place.data();
}

std::string NcclLink::name_of(int device) {
  cudaDeviceProp properties{};
  cuda_ok(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  return properties.name;
}

double NcclLink::free_bytes(int device) {
  std::size_t free = 0, total = 0;
  cuda_ok(cudaSetDevice(device), "cudaSetDevice");
  cuda_ok(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return static_cast<double>(free);
}

std::string NcclLink::make_group_id() {
  ncclUniqueId id{};
  nccl_ok(ncclGetUniqueId(&id), "ncclGetUniqueId");
  return {id.internal, sizeof id.internal};
}

NcclLink::NcclLink(const std::string& group_id, int ranks, int rank, int device) : device_(device) {
  ncclUniqueId id{};
  expect(group_id.size() == sizeof id.internal, "an id of NCCL's size");
  group_id.copy(id.internal, sizeof id.internal);
  cuda_ok(cudaSetDevice(device_), "cudaSetDevice");
  ncclComm_t communicator = nullptr;
  nccl_ok(ncclCommInitRank(&communicator, ranks, id, rank), "ncclCommInitRank");
  communicator_ = communicator;
}

// Abort frees what this rank holds and, unlike destroy, waits for no other: an exception may be on its way.
NcclLink::~NcclLink() { ncclCommAbort(static_cast<ncclComm_t>(communicator_)); }

void NcclLink::broadcast(void* data, std::size_t bytes) {
  cuda_ok(cudaSetDevice(device_), "cudaSetDevice");
  // The default stream is torch's own: what torch has queued for `data` comes first.
  const cudaStream_t stream = nullptr;
  nccl_ok(ncclBroadcast(data, data, bytes, ncclUint8, 0, static_cast<ncclComm_t>(communicator_), stream),
          "ncclBroadcast");
  cuda_ok(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
}

}  // namespace headsweep
