// sweep: the words are written before the signal comes; its handler does nothing but hand them to the system.
#include "sweep/crash_note.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace headsweep {
namespace {

struct Fatal {
  int signal;
  const char* name;
  std::string words{};
  struct sigaction before {};
};

std::array<Fatal, 5>& fatal() {
  static std::array<Fatal, 5> all{{{SIGSEGV, "segmentation fault"},
                                   {SIGABRT, "abort"},
                                   {SIGBUS, "bus error"},
                                   {SIGILL, "illegal instruction"},
                                   {SIGFPE, "arithmetic error"}}};
  return all;
}
int note = -1;  // open while a note is armed

extern "C" void on_fatal_signal(int signal) {
  for (Fatal& one : fatal()) {
    if (one.signal != signal) continue;
    if (note >= 0 && ::write(note, one.words.data(), one.words.size()) > 0) ::fsync(note);
    ::sigaction(signal, &one.before, nullptr);
  }
  ::raise(signal);  // as if nobody had listened
}

}  // namespace

CrashNote::CrashNote(const std::filesystem::path& log, Event event) {
  note = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  event.kind = Event::Kind::crashed;
  struct sigaction action {};
  action.sa_handler = on_fatal_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_ONSTACK;  // see Stop::install
  for (Fatal& one : fatal()) {
    event.message = one.name;
    one.words = event_line(event) + "\n";
    ::sigaction(one.signal, &action, &one.before);
  }
}

CrashNote::~CrashNote() {
  for (Fatal& one : fatal()) ::sigaction(one.signal, &one.before, nullptr);
  ::close(note);
  note = -1;
}

}  // namespace headsweep
