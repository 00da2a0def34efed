// comm, private: what only NCCL and the CUDA runtime can do. Two twins fill it in, and CMake takes one:
// with.cpp where torch brings NCCL, without.cpp elsewhere.
#pragma once

#include <cstddef>
#include <string>

namespace headsweep {

class NcclLink {
 public:
  /// 0 without CUDA, without a driver, or without a device. Never throws.
  static int count_devices();
  /// The device's place on this machine's bus: what NCCL tells GPUs apart by; "" without NCCL.
  static std::string place_of(int device);
  /// The device's product name; "" without CUDA.
  static std::string name_of(int device);
  /// Bytes that the device has free; 0 without CUDA.
  static double free_bytes(int device);
  /// What rank 0 makes and all ranks pass to the constructor.
  static std::string make_group_id();

  NcclLink(const std::string& group_id, int ranks, int rank, int device);  ///< collective
  ~NcclLink();
  NcclLink(const NcclLink&) = delete;
  NcclLink& operator=(const NcclLink&) = delete;
  /// Rank 0's device memory into everyone's; has arrived on this rank when it returns.
  void broadcast(void* data, std::size_t bytes);

 private:
  int device_ = 0;
  void* communicator_ = nullptr;
};

}  // namespace headsweep
