// store/identity: whether two sweeps are the same.
#pragma once

#include <headsweep/store.hpp>

namespace headsweep {

/// BadInput that names `folder` and all that differs.
void require_same(const std::filesystem::path& folder, const SweepIdentity& there, const SweepIdentity& now);

}  // namespace headsweep
