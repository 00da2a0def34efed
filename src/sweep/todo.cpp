// sweep: finished blocks are left out, those that crash the program are set aside, shards take their share.
#include "sweep/todo.hpp"

#include <algorithm>
#include <set>

#include "sweep/agree.hpp"
#include "sweep/within_memory.hpp"

namespace headsweep {
namespace {

/// This shard's blocks that no finished part stands for, in the plan's order.
std::vector<const Block*> open_blocks(const SweepFolder& folder, const Plan& plan, bool retry_failed) {
  const std::vector<std::string> list = folder.finished_blocks(plan, retry_failed);
  const std::set<std::string> finished(list.begin(), list.end());
  std::vector<const Block*> open;
  for (std::size_t i = 0; i < plan.blocks.size(); ++i)
    if (folder.shard().owns(i) && !finished.contains(plan.blocks[i].name)) open.push_back(&plan.blocks[i]);
  return open;
}

/// The longest first, by what finished blocks have taken; in the plan's order where there are none.
std::vector<const Block*> by_expected_time(const Plan& plan, const std::vector<Event>& past,
                                           std::vector<const Block*> blocks) {
  const CostModel costs = learn_costs(plan, past);
  if (costs.known())
    std::stable_sort(blocks.begin(), blocks.end(), [&](const Block* one, const Block* other) {
      return costs.seconds(*one) > costs.seconds(*other);
    });
  return blocks;
}

/// Results of an earlier attempt stay.
void set_aside(const LoopInputs& in, const Block& block, const Crashes& crashes) {
  const std::string message = cat("crashed the program ", crashes.count, " times: ", crashes.message);
  const bool kept = std::filesystem::exists(in.folder.part_file(block.name));
  log_error(cat("block ", block.name, " ", message,
                kept ? "; its earlier results stay" : "; its trials are set aside as failed"));
  if (kept) return;
  Part part{
      .block = block.name, .sweep_hash = sweep_hash(in.header.identity), .build = in.build, .records = {}};
  for (const TrialId trial : block.trials)
    part.records.push_back(failed_record(in.header.plan, trial, "crash", message));
  in.folder.put(part, 0, in.world.rank());
}

}  // namespace

std::vector<Event> share_events(const World& world, const SweepFolder& folder) {
  std::string lines;
  first_does(world, [&] {
    for (const Event& event : folder.events()) lines += event_line(event) + "\n";
  });
  return parse_events(world.broadcast(lines));
}

std::vector<Event> memory_kills(const std::vector<Event>& past, int shard, std::int64_t oom_kills_now) {
  std::vector<Event> here;
  for (const auto& [rank, start] : ranks_at_work(past))
    if (start && start->shard == shard && start->host == host_name() && oom_kills_now > start->oom_kills)
      here.push_back(*start);
  if (here.empty()) return {};
  log_error(cat(
      host_name(), ": processes were killed for lack of memory while ", here.size(),
      here.size() == 1 ? " block was" : " blocks were",
      " in hand; if it happens again, lower run.memory or run.lanes of a new sweep, or start fewer ranks"));
  if (here.size() > 1) return {};
  here.front().kind = Event::Kind::crashed;
  here.front().time = now_seconds();
  here.front().message = "killed, and its host was out of memory";
  return here;
}

void note_memory_kills(const World& world, SweepFolder& folder, std::vector<Event>& past) {
  std::string lines;
  all_do(world, [&] {
    if (world.node_rank() != 0) return;
    for (const Event& event : memory_kills(past, folder.shard().index, oom_kills())) {
      folder.log(event);
      lines += event_line(event) + "\n";
    }
  });
  for (const std::string& others : world.all_gather(lines))
    for (Event& event : parse_events(others)) past.push_back(std::move(event));
}

Todo find_todo(const World& world, const LoopInputs& in) {
  Todo todo;
  std::string names;
  first_does(world, [&] {
    const std::map<std::string, Crashes> crashes = crashes_of(in.past);
    const std::vector<const Block*> open = open_blocks(in.folder, in.header.plan, in.options.retry_failed);
    for (const Block* block : by_expected_time(in.header.plan, in.past, open)) {
      const auto crashed = crashes.find(block->name);
      if (crashed != crashes.end() && crashed->second.count >= most_crashes)
        set_aside(in, *block, crashed->second);
      else
        names += block->name + "\n";
    }
  });
  todo.blocks = split_text(world.broadcast(names), '\n');
  todo.blocks.pop_back();
  const auto most = static_cast<std::size_t>(in.options.limit);
  if (most > 0 && todo.blocks.size() > most) {
    todo.later = static_cast<int>(todo.blocks.size() - most);
    todo.blocks.resize(most);
  }
  return todo;
}

}  // namespace headsweep
