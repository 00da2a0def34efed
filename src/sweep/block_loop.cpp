// sweep: the loop over drawn blocks. Every block ends in one way: done, given up, or with the program.
#include "sweep/block_loop.hpp"

#include <algorithm>
#include <map>

#include "sweep/crash_note.hpp"
#include "sweep/pace.hpp"
#include "sweep/progress.hpp"
#include "sweep/within_memory.hpp"

namespace headsweep {
namespace {

class BlockLoop {
 public:
  explicit BlockLoop(const LoopInputs& inputs)
      : in_(inputs),
        memory_(hash_memory(inputs.blocks.weights)),
        pace_(inputs.header.plan, inputs.limit),
        progress_(inputs.header.plan, inputs.folder, inputs.world.rank() == 0) {
    for (const Block& block : in_.header.plan.blocks) blocks_[block.name] = &block;
    for (const Event& event : in_.past) {
      const auto block = blocks_.find(event.block);
      if (event.kind != Event::Kind::done || block == blocks_.end()) continue;
      ++attempts_[event.block];
      if (event.seconds > 0) pace_.add(*block->second, event.seconds);
    }
  }

  int run(const std::vector<std::string>& todo, Ticket& ticket) {
    int done = 0;
    stop_on_failures(in_.past);
    std::vector<const Block*> blocks;
    for (const std::string& name : todo) blocks.push_back(blocks_.at(name));
    draw_blocks(ticket, blocks, pace_, [&](const Block& block) {
      if (!end_block(block)) return false;
      ++done;
      if (hash_memory(in_.blocks.weights) != memory_)
        throw std::logic_error("a block changed the frozen weights");
      progress_.show();
      return true;
    });
    if (Stop::level() != Stop::Level::now) progress_.show(true);
    return done;
  }

 private:
  /// Computes the block and writes its part; false if it was given up.
  bool end_block(const Block& block) {
    const double begin = now_seconds();
    log(Event::Kind::start, block, "");
    Part part;
    try {
      const CrashNote note(in_.folder.log_of(in_.world.rank()), event_of(Event::Kind::crashed, block, ""));
      part = compute(block, begin);
    } catch (const GiveUp&) {
      log(Event::Kind::given_up, block, "");
      return false;
    } catch (const Error&) {
      throw;  // the user's world: not this block's fault
    } catch (const std::exception& error) {
      const std::string what = error.what();
      log(Event::Kind::crashed, block, what.substr(0, what.find('\n')));
      throw;
    }
    in_.folder.put(part, now_seconds() - begin, in_.world.rank());
    pace_.add(block, now_seconds() - begin);
    const auto failed = [](const TrialRecord& record) { return record.status == TrialStatus::failed; };
    const bool counts = in_.options.max_failed >= 0;  // else no rank reads the others' logs
    if (counts && std::any_of(part.records.begin(), part.records.end(), failed))
      stop_on_failures(in_.folder.events());
    return true;
  }

  Part compute(const Block& block, double begin) {
    const double end = begin + pace_.expected_seconds(block);
    const auto tick = [&] { pace_.tick(in_.world, end); };
    Part part{.block = block.name,
              .sweep_hash = sweep_hash(in_.header.identity),
              .build = in_.build,
              .records = run_within_memory(in_.header.plan, block, [&](const Block& lanes) {
                return run_block(in_.blocks, lanes, tick);
              })};
    for (TrialRecord& record : part.records) record.attempt = attempts_[block.name] + 1;
    return part;
  }

  void stop_on_failures(const std::vector<Event>& events) const {
    if (in_.options.max_failed < 0) return;
    const Standing now = standing_of(in_.header.plan, events, in_.begin);
    if (now.trials_failed <= in_.options.max_failed) return;
    log_error(cat(now.trials_failed, " trials failed, more than --max-failed ", in_.options.max_failed,
                  ": stopping"));
    Stop::raise(Stop::Level::after_block);
  }

  [[nodiscard]] Event event_of(Event::Kind kind, const Block& block, const std::string& message) const {
    Event event{.kind = kind, .block = block.name, .time = now_seconds()};
    event.shard = in_.folder.shard().index;
    event.rank = in_.world.rank();
    event.trials = static_cast<int>(block.trials.size());
    event.message = message;
    return event;
  }
  void log(Event::Kind kind, const Block& block, const std::string& message) {
    Event event = event_of(kind, block, message);
    if (kind == Event::Kind::start) {
      event.host = host_name();
      event.oom_kills = oom_kills();
    }
    in_.folder.log(event);
  }

  const LoopInputs& in_;
  std::string memory_;
  Pace pace_;  ///< by all ranks' blocks before this run, by this rank's in it
  Progress progress_;
  std::map<std::string, const Block*> blocks_;
  std::map<std::string, int> attempts_;
};

}  // namespace

int do_blocks(const LoopInputs& inputs, const std::vector<std::string>& todo, Ticket& ticket) {
  return BlockLoop(inputs).run(todo, ticket);
}

}  // namespace headsweep
