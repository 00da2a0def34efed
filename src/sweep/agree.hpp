// sweep: errors that all ranks share: if one rank meets a user's mistake, every rank throws it, so that all
// finalise.
#pragma once

#include <functional>
#include <headsweep/base.hpp>
#include <headsweep/comm.hpp>

namespace headsweep {

/// An error that every rank has been told of: all of them may end in good order.
class SharedError : public Error {
 public:
  using Error::Error;
};

/// Every rank does `work`; if it throws an Error anywhere, the lowest such rank's error is thrown on all.
/// Collective.
void all_do(const World& world, const std::function<void()>& work);
/// Rank 0 does `work`, the others wait; its Error is thrown on all. Collective.
void first_does(const World& world, const std::function<void()>& work);

/// What a rank starts with: {`hash of the data`, `01ab...`}, ...; what it does not know is empty.
using Fingerprint = std::vector<std::pair<std::string, std::string>>;
/// Refuses on every rank what is not the same on all that know it. Collective.
void require_agreement(const World& world, const Fingerprint& own);

}  // namespace headsweep
