// comm: the way of bytes between ranks: NCCL where each has a GPU of its own, else MPI through host memory.
#include <headsweep/base.hpp>
#include <headsweep/comm.hpp>
#include <set>

#include "comm/mpi.hpp"
#include "comm/nccl/link.hpp"

namespace headsweep {
namespace {

/// No rank is without a GPU and no two share one, which NCCL refuses.
bool each_has_its_own(const std::vector<std::string>& places) {
  const std::set<std::string> distinct(places.begin(), places.end());
  return distinct.size() == places.size() && distinct.count("") == 0;
}

}  // namespace

GpuGroup::GpuGroup(const World& world, int device, bool want_nccl) {
  if (world.size() == 1) return;
  std::string place = want_nccl && device >= 0 ? NcclLink::place_of(device) : "";
  if (!place.empty()) place = host_name() + " " + place;
  // All ranks see the same places, hence choose the same path.
  path_ = each_has_its_own(world.all_gather(place)) ? Path::nccl : Path::host;
  if (path_ == Path::host) return;
  const std::string id = world.broadcast(world.rank() == 0 ? NcclLink::make_group_id() : "");
  nccl_ = std::make_unique<NcclLink>(id, world.size(), world.rank(), device);
}

GpuGroup::~GpuGroup() = default;

void GpuGroup::broadcast(void* data, std::size_t bytes) {
  if (path_ == Path::host) broadcast_bytes(data, bytes);
  if (path_ == Path::nccl) {
    nccl_->broadcast(data, bytes);
    // A rank may drop its link once all have their bytes, not before.
    mpi_ok(MPI_Barrier(MPI_COMM_WORLD), "MPI_Barrier");
  }
}

int GpuGroup::visible_devices() { return NcclLink::count_devices(); }
std::string GpuGroup::place_of(int device) { return NcclLink::place_of(device); }
std::string GpuGroup::name_of(int device) { return NcclLink::name_of(device); }
double GpuGroup::free_bytes(int device) { return NcclLink::free_bytes(device); }

}  // namespace headsweep
