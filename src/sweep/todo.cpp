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
std::vector<const Block*> by_expected_time(const Plan& plan, const std::vector<Event>& events,
                                           std::vector<const Block*> blocks) {
  const CostModel costs = learn_costs(plan, events);
  if (costs.known())
    std::stable_sort(blocks.begin(), blocks.end(), [&](const Block* one, const Block* other) {
      return costs.seconds(*one) > costs.seconds(*other);
    });
  return blocks;
}

void set_aside(const LoopInputs& in, const Block& block, const Crashes& crashes) {
  const std::string message = cat("crashed the program ", crashes.count, " times: ", crashes.message);
  log_error(cat("block ", block.name, " ", message, "; its trials are set aside as failed"));
  Part part{
      .block = block.name, .sweep_hash = sweep_hash(in.header.identity), .build = in.build, .records = {}};
  for (const TrialId trial : block.trials)
    part.records.push_back(failed_record(in.header.plan, trial, "crash", message));
  in.folder.put(part, 0, in.world.rank());
}

}  // namespace

void log_memory_kills(const World& world, SweepFolder& folder) {
  all_do(world, [&] {
    if (world.node_rank() != 0) return;
    for (const auto& [rank, start] : ranks_at_work(folder.events())) {
      const bool ours = start && start->shard == folder.shard().index && start->host == host_name();
      if (!ours || oom_kills() <= start->oom_kills) continue;
      Event event = *start;
      event.kind = Event::Kind::crashed;
      event.time = now_seconds();
      event.message = "killed, and its host was out of memory";
      folder.log(event);
    }
  });
}

std::vector<std::string> blocks_to_do(const World& world, const LoopInputs& in) {
  std::string names;
  first_does(world, [&] {
    const std::vector<Event> events = in.folder.events();
    const std::map<std::string, Crashes> crashes = crashes_of(events);
    int left = in.options.limit > 0 ? in.options.limit : static_cast<int>(in.header.plan.blocks.size());
    for (const Block* block : by_expected_time(
             in.header.plan, events, open_blocks(in.folder, in.header.plan, in.options.retry_failed))) {
      const auto crashed = crashes.find(block->name);
      if (crashed != crashes.end() && crashed->second.count >= most_crashes)
        set_aside(in, *block, crashed->second);
      else if (left-- > 0)
        names += block->name + "\n";
    }
  });
  std::vector<std::string> list = split_text(world.broadcast(names), '\n');
  list.pop_back();
  return list;
}

int blocks_left(const SweepFolder& folder, const Plan& plan) {
  int left = 0;
  for (std::size_t i = 0; i < plan.blocks.size(); ++i)
    if (folder.shard().owns(i) && !std::filesystem::exists(folder.part_file(plan.blocks[i].name))) ++left;
  return left;
}

}  // namespace headsweep
