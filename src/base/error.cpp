// base: errors and their text.
#include <fmt/format.h>

#include <headsweep/base.hpp>

namespace headsweep {

std::string to_text(double value) { return fmt::format("{}", value); }
std::string to_text(float value) { return fmt::format("{}", value); }

void expect(bool ok, const char* what) {
  if (!ok) throw std::logic_error(cat("internal error: expected ", what));
}

std::string to_text(EditTarget target) {
  switch (target) {
    case EditTarget::q:
      return "q_proj";
    case EditTarget::k:
      return "k_proj";
    case EditTarget::v:
      return "v_proj";
    case EditTarget::o:
      return "o_proj";
    case EditTarget::gate:
      return "gate_proj";
    case EditTarget::up:
      return "up_proj";
    case EditTarget::down:
      return "down_proj";
  }
  return "?";
}
std::string to_text(const Head& head) { return fmt::format("L{}.H{}", head.layer, head.index); }

}  // namespace headsweep
