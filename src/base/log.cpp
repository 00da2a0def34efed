// base: lines for people, on standard error.
#include <cstdio>
#include <headsweep/base.hpp>

namespace headsweep {
namespace {

bool speaks = true;

void print(std::string_view text) {
  const std::string line = std::string(text) + "\n";  // one write, so that ranks do not mix within a line
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

void set_speaker(bool speaker) { speaks = speaker; }
void log_line(std::string_view text) {
  if (speaks) print(text);
}
void log_error(std::string_view text) { print(text); }

}  // namespace headsweep
