// sweep: the stop flag and the signals that raise it. A handler sets a flag and does nothing else.
#include <array>
#include <csignal>
#include <headsweep/sweep.hpp>

namespace headsweep {
namespace {

std::atomic<int> flag{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may touch the flag");

extern "C" void on_signal(int signal) {
  Stop::raise(signal == SIGTERM || signal == SIGINT ? Stop::Level::now : Stop::Level::after_block);
}

}  // namespace

void Stop::install() {
  // oneDNN's compiled products point the stack register into the heap while they run: a handler on that stack
  // would write over tensors. So it gets a stack of its own, on the first thread, the one that Linux prefers
  // for a process's signals.
  static std::array<std::byte, 64 * 1024> stack;
  const stack_t place{.ss_sp = stack.data(), .ss_flags = 0, .ss_size = stack.size()};
  sigaltstack(&place, nullptr);
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  for (const int signal : {SIGUSR1, SIGUSR2, SIGTERM, SIGINT}) sigaction(signal, &action, nullptr);
}

Stop::Level Stop::level() { return static_cast<Level>(flag.load()); }

void Stop::raise(Level level) {
  int seen = flag.load();
  while (seen < static_cast<int>(level) && !flag.compare_exchange_weak(seen, static_cast<int>(level))) {
  }
}

}  // namespace headsweep
