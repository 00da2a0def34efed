// The link to NCCL on one GPU: a group of one rank. More ranks take more GPUs; their way is the same.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <headsweep/comm.hpp>
#include <string>

#include "comm/nccl/link.hpp"

namespace headsweep {
namespace {

TEST(NcclLink, CountsDevicesAsTheWorldSeesThem) {
  EXPECT_EQ(NcclLink::count_devices(), GpuGroup::visible_devices());
}

TEST(NcclLink, KeepsRankZerosBytes) {
  if (NcclLink::count_devices() == 0) GTEST_SKIP() << "no GPU here";
  EXPECT_FALSE(NcclLink::place_of(0).empty());
  const std::string sent(100'000, 'x');
  std::string back(sent.size(), ' ');
  void* device = nullptr;
  ASSERT_EQ(cudaMalloc(&device, sent.size()), cudaSuccess);
  ASSERT_EQ(cudaMemcpy(device, sent.data(), sent.size(), cudaMemcpyHostToDevice), cudaSuccess);
  {
    NcclLink link(NcclLink::make_group_id(), 1, 0, 0);
    link.broadcast(device, sent.size());
  }
  ASSERT_EQ(cudaMemcpy(back.data(), device, back.size(), cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_EQ(back, sent);
  EXPECT_EQ(cudaFree(device), cudaSuccess);
}

}  // namespace
}  // namespace headsweep
