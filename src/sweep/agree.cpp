// sweep: shared errors, told as one byte of exit code and the message.
#include "sweep/agree.hpp"

#include <algorithm>
#include <headsweep/base.hpp>

namespace headsweep {

void all_do(const World& world, const std::function<void()>& work) {
  std::string outcome;
  try {
    work();
  } catch (const Error& error) {
    outcome = cat(static_cast<int>(error.code()), error.what());
  } catch (const std::exception& error) {
    const std::string what = error.what();  // torch appends a stack trace in further lines
    outcome = cat(static_cast<int>(ExitCode::internal), what.substr(0, what.find('\n')));
  }
  for (const std::string& told : world.all_gather(outcome))
    if (!told.empty()) throw SharedError(static_cast<ExitCode>(told[0] - '0'), told.substr(1));
}

void first_does(const World& world, const std::function<void()>& work) {
  all_do(world, [&] {
    if (world.rank() == 0) work();
  });
}

void require_agreement(const World& world, const Fingerprint& own) {
  const std::vector<std::string> hosts = world.all_gather(host_name());
  for (const auto& [what, value] : own) {
    const std::vector<std::string> values = world.all_gather(value);
    const auto known = [](const std::string& one) { return !one.empty(); };
    const auto first = std::find_if(values.begin(), values.end(), known);
    const auto other = std::find_if(values.begin(), values.end(),
                                    [&](const std::string& one) { return known(one) && one != *first; });
    if (other == values.end()) continue;
    const auto place = [&](auto at) {
      return cat("rank ", at - values.begin(), " on ", hosts[static_cast<std::size_t>(at - values.begin())]);
    };
    throw SharedError(ExitCode::bad_input, cat(what, ": ", place(other), " has '", *other, "', ",
                                               place(first), " has '", *first, "'; all ranks need the same"));
  }
}

}  // namespace headsweep
