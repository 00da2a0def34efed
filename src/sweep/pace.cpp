// sweep: stops and limits, looked at between steps.
#include "sweep/pace.hpp"

#include <chrono>
#include <thread>

#include "sweep/agree.hpp"

namespace headsweep {

bool stop_asked(const World& world, const TimeLimit& limit) {
  return world.max(Stop::level() != Stop::Level::none || !limit.leaves(0) ? 1 : 0) > 0;
}

bool await(const World& world, const TimeLimit& limit, const std::string& waiting,
           const std::function<bool()>& ready) {
  first_does(world, [&] {
    if (ready()) return;
    log_line(waiting);
    while (!ready() && Stop::level() == Stop::Level::none && limit.leaves(0))
      std::this_thread::sleep_for(std::chrono::seconds(1));
  });
  return !stop_asked(world, limit);
}

double Pace::expected_seconds(const Block& block) const {
  if (!limit_.is_set()) return 0;
  const CostModel costs(plan_, timed_);
  return costs.known() ? costs.seconds(block) : 0;
}

void Pace::tick(const World& world, double expected_end) const {
  world.tick();
  if (must_give_up(expected_end)) throw GiveUp{};
}

bool Pace::must_give_up(double expected_end) const {
  if (Stop::level() == Stop::Level::now || !limit_.leaves(0)) return true;
  return Stop::level() == Stop::Level::after_block && !limit_.leaves(expected_end - now_seconds());
}

void draw_blocks(Ticket& ticket, const std::vector<const Block*>& todo, const Pace& pace,
                 const std::function<bool(const Block&)>& finish) {
  auto next = static_cast<std::size_t>(ticket.next());
  while (next < todo.size() && Stop::level() == Stop::Level::none) {
    const Block& block = *todo[next];
    next = static_cast<std::size_t>(ticket.next());
    if (!pace.leaves(block)) continue;  // a later one is shorter
    if (!finish(block)) break;
  }
  if (Stop::level() != Stop::Level::none) ticket.exhaust();  // whoever hears of a stop stops all
}

}  // namespace headsweep
