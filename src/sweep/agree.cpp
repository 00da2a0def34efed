// sweep: shared errors, told as one byte of exit code and the message.
#include "sweep/agree.hpp"

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

}  // namespace headsweep
