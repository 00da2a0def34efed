// sweep: the heart beats in a thread of its own: loading a model or measuring it may take longer than other
// hosts wait for a sign of life.
#include "sweep/heart.hpp"

#include <chrono>
#include <csignal>
#include <headsweep/sweep.hpp>

namespace headsweep {
namespace {

constexpr auto between_beats = std::chrono::seconds(30);

/// Signals are for the first thread, whose stack is made for them.
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

Heart::Heart(const SweepFolder& folder) : folder_(folder) {
  const NoSignals inherited;
  thread_ = std::thread([this] { beat_until_told(); });
}

Heart::~Heart() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Heart::beat_until_told() {
  std::unique_lock lock(mutex_);
  double heard = now_seconds();
  while (!wake_.wait_for(lock, between_beats, [this] { return ends_; })) {
    try {
      if (!folder_.beat()) break;
      heard = now_seconds();
    } catch (const std::exception& error) {
      log_error(cat("headsweep: ", error.what()));
      if (now_seconds() - heard > lock_silence) break;
    }
  }
  if (ends_) return;
  log_error(cat("headsweep: ", folder_.path().string(), ": the lock is not ours any more; stopping"));
  Stop::raise(Stop::Level::now);
}

}  // namespace headsweep
