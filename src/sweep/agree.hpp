// sweep: errors that all ranks share: if one rank meets a user's mistake, every rank throws it, so that all
// finalise.
#pragma once

#include <functional>
#include <headsweep/comm.hpp>

namespace headsweep {

/// Every rank does `work`; if it throws an Error anywhere, the lowest such rank's error is thrown on all.
/// Collective.
void all_do(const World& world, const std::function<void()>& work);
/// Rank 0 does `work`, the others wait; its Error is thrown on all. Collective.
void first_does(const World& world, const std::function<void()>& work);

}  // namespace headsweep
