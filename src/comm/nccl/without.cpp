// comm: the twin of the link in a build without NCCL: no devices, so that no group asks for it.
#include <headsweep/base.hpp>

#include "comm/nccl/link.hpp"

namespace headsweep {

int NcclLink::count_devices() { return 0; }
std::string NcclLink::place_of(int) { return ""; }
std::string NcclLink::name_of(int) { return ""; }
double NcclLink::free_bytes(int) { return 0; }
std::string NcclLink::make_group_id() { throw std::logic_error("this build has no NCCL"); }
NcclLink::NcclLink(const std::string&, int, int, int) { throw std::logic_error("this build has no NCCL"); }
NcclLink::~NcclLink() = default;
void NcclLink::broadcast(void*, std::size_t) {}

}  // namespace headsweep
