// sweep: the run of one rank, from the job to the gathered results.
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <malloc.h>

#include <algorithm>
#include <headsweep/sweep.hpp>
#include <map>

#include "sweep/agree.hpp"
#include "sweep/block.hpp"
#include "sweep/progress.hpp"
#include "sweep/stages.hpp"
#include "sweep/tune.hpp"

namespace headsweep {
namespace {

/// Thrown by the tick inside a block that has to be given up.
struct GiveUp {};

/// Says every 30 seconds, on rank 0, that the owner of the folder lives.
class Heart {
 public:
  Heart(SweepFolder& folder, bool beats) : folder_(folder), beats_(beats) {}
  void beat() {
    const double now = now_seconds();
    if (!beats_ || now - last_ < 30) return;
    last_ = now;
    folder_.beat();
  }

 private:
  SweepFolder& folder_;
  bool beats_;
  double last_ = 0;
};

/// What the loop over blocks needs.
struct Loop {
  const World& world;
  const JobSpec& job;
  const RunOptions& options;
  SweepFolder& folder;
  const SweepHeader& header;
  const BlockInputs& inputs;
  Heart& heart;
  double begin;
};

std::filesystem::path existing_parent(std::filesystem::path folder) {
  folder = std::filesystem::absolute(folder);
  while (!std::filesystem::exists(folder) && folder.has_relative_path()) folder = folder.parent_path();
  return folder;
}

/// Refuses a folder whose disk cannot hold the parts and the results gathered from them.
void require_room(const std::filesystem::path& folder, const Plan& plan, const DataSize& data) {
  constexpr double bytes_an_item = 128, bytes_a_trial = 4096;
  const double bytes_a_layer = sizeof(float) * 2.0 * plan.shape.heads * plan.shape.head_dim;  // a and b
  double bytes = 0;
  for (const Trial& trial : plan.trials) {
    std::set<int> layers;
    for (const Head& head : plan.at(trial.location).heads) layers.insert(head.layer);
    bytes += bytes_a_trial + bytes_an_item * data.test_questions +
             bytes_a_layer * static_cast<double>(layers.size());
  }
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  require(error || static_cast<double>(space.available) > 2 * bytes, folder.string(), ": ", space.available,
          " bytes are free, the sweep needs about ", std::ceil(2 * bytes));
}

/// Names of the blocks to do, in the order of the draw; rank 0 looks at the folder. Collective.
std::vector<std::string> blocks_to_do(const World& world, const SweepFolder& folder, const Plan& plan,
                                      const RunOptions& options) {
  std::string names;
  first_does(world, [&] {
    const std::vector<std::string> finished = folder.finished_blocks(plan, options.retry_failed);
    int left = options.limit > 0 ? options.limit : static_cast<int>(plan.blocks.size());
    for (const Block& block : plan.blocks) {
      const bool done = std::find(finished.begin(), finished.end(), block.name) != finished.end();
      if (!done && left-- > 0) names += block.name + "\n";
    }
  });
  std::vector<std::string> list = split_text(world.broadcast(names), '\n');
  list.pop_back();
  return list;
}

/// Whether a block may begin: no stop is asked for, and the time limit leaves room for one as long as the
/// longest so far.
bool may_begin(const Loop& loop, double longest) {
  if (Stop::level() != Stop::Level::none) return false;
  const double limit = loop.options.max_hours * 3600;
  if (limit > 0 && now_seconds() - loop.begin + longest > limit) Stop::raise(Stop::Level::after_block);
  return Stop::level() == Stop::Level::none;
}

void stop_on_failures(const Loop& loop) {
  if (loop.options.max_failed < 0) return;
  const Standing now = standing_of(loop.header.plan, loop.folder.events(), loop.begin);
  if (now.trials_failed <= loop.options.max_failed) return;
  log_error(cat(now.trials_failed, " trials failed, more than --max-failed ", loop.options.max_failed,
                ": stopping"));
  Stop::raise(Stop::Level::after_block);
}

/// Computes one block and writes its part. Returns the seconds it took.
double do_block(const Loop& loop, const Block& block, int attempt) {
  const double begin = now_seconds();
  Event start{.kind = Event::Kind::start, .block = block.name, .time = begin};
  start.rank = loop.world.rank();
  start.trials = static_cast<int>(block.trials.size());
  loop.folder.log(start);
  const auto tick = [&] {
    loop.world.tick();
    loop.heart.beat();
    if (Stop::level() == Stop::Level::now) throw GiveUp{};
  };
  Part part{.block = block.name,
            .sweep_hash = sweep_hash(loop.header.identity),
            .build = build_text(),
            .records = {}};
  part.records = run_block(loop.inputs, block, tick);
  for (TrialRecord& record : part.records) record.attempt = attempt;
  loop.folder.put(part, now_seconds() - begin, loop.world.rank());
  return now_seconds() - begin;
}

/// Draws blocks until none is left or a stop is asked for. The next block is drawn before the one in hand is
/// computed, so that a busy owner of the counter delays nobody.
void do_blocks(const Loop& loop, const std::vector<std::string>& todo, Ticket& ticket) {
  std::map<std::string, const Block*> blocks;
  for (const Block& block : loop.header.plan.blocks) blocks[block.name] = &block;
  std::map<std::string, int> attempts;
  for (const Event& event : loop.folder.events())
    if (event.kind == Event::Kind::done) ++attempts[event.block];
  const std::string memory = hash_memory(loop.inputs.weights);
  Progress progress(loop.header.plan, loop.folder, loop.world.rank() == 0);
  double longest = 0;
  auto next = static_cast<std::size_t>(ticket.next());
  while (next < todo.size() && may_begin(loop, longest)) {
    const Block& block = *blocks.at(todo[next]);
    next = static_cast<std::size_t>(ticket.next());
    try {
      longest = std::max(longest, do_block(loop, block, attempts[block.name] + 1));
    } catch (const GiveUp&) {
      Event event{.kind = Event::Kind::given_up, .block = block.name, .time = now_seconds()};
      event.rank = loop.world.rank();
      loop.folder.log(event);
      break;
    }
    if (hash_memory(loop.inputs.weights) != memory)
      throw std::logic_error("a block changed the frozen weights");
    stop_on_failures(loop);
    progress.show();
  }
  if (Stop::level() != Stop::Level::now) progress.show(true);
}

/// Gathers on rank 0 and says how the sweep stands. Nothing is gathered where the launcher is about to kill.
ExitCode finish(const World& world, const SweepFolder& folder) {
  Gathered gathered;
  const bool hurried = world.max(Stop::level() == Stop::Level::now ? 1 : 0) > 0;
  if (!hurried) {
    first_does(world, [&] { gathered = folder.gather(); });
    if (world.rank() == 0)
      log_line(cat(folder.results().string(), ": ", gathered.done, " trials done, ", gathered.failed,
                   " failed, ", gathered.missing, " missing"));
  }
  if (hurried || world.sum(gathered.missing) > 0) {
    log_line(cat("stopped early; go on with --resume -o ", folder.path().string()));
    return ExitCode::stopped;
  }
  return world.sum(gathered.failed) > 0 ? ExitCode::trials_failed : ExitCode::done;
}

/// The stored header of a resume, or a new one made by all ranks and written by the first. Collective.
SweepHeader prepare_header(const World& world, const HeaderInputs& in, SweepFolder& folder) {
  bool stored = false;
  first_does(world, [&] { stored = folder.read_header().has_value(); });
  if (world.broadcast(stored ? "1" : "0") == "0") {
    log_line("probing every head ...");
    const std::vector<HeadTable> tables = run_localiser(world, in.job, in.texts, in.weights);
    all_do(world, [&] {
      if (world.rank() == 0)
        folder.write_header(make_header(in, tables));
      else
        in.ground.fold(0);  // what the others need next, while the first measures the unedited model
    });
  }
  std::optional<SweepHeader> header;
  all_do(world, [&] {
    header = folder.read_header();
    require(header.has_value(), folder.path().string(), ": the sweep's header cannot be seen from ",
            host_name(), "; all ranks need the same folder");
  });
  return *header;
}

std::string startup_text(const World& world, const JobSpec& job, const SweepHeader& header,
                         std::size_t todo) {
  return cat(job.name, ": ", header.plan.locations.size(), " locations, ", header.plan.trials.size(),
             " trials, ", header.plan.blocks.size(), " blocks (", todo, " to do), ", world.size(), " rank",
             world.size() == 1 ? "" : "s", " on ", header.device);
}

/// The job as its file says it, and what a resume must find unchanged.
struct Request {
  JobSpec job;
  SweepIdentity identity;
};

ExitCode sweep_folder(const World& world, const Request& request, const RunOptions& options,
                      const Texts& texts, SweepFolder& folder) {
  const double begin = now_seconds();
  Heart heart(folder, world.rank() == 0);
  const SharedWeights shared = share_weights(world, request.job, texts.config, options);
  const Weights& weights = shared.weights;
  heart.beat();
  const JobSpec job = tune(world, request.job, texts, weights, folder);
  Ground ground(job, texts, weights);
  const SweepHeader header = prepare_header(world,
                                            {.job = job,
                                             .identity = request.identity,
                                             .options = options,
                                             .texts = texts,
                                             .weights = weights,
                                             .ground = ground},
                                            folder);
  heart.beat();
  std::vector<HeadTable> tables;
  for (const HeadRows& rows : header.localiser) tables.push_back(table_of(rows, weights.config));
  all_do(world, [&] { check_edits(weights, ground.fold(0).measured(job.training.edit_from).sample); });

  const BlockInputs inputs{.job = job,
                           .plan = header.plan,
                           .weights = weights,
                           .localiser = tables,
                           .ground = ground,
                           .rank = world.rank()};
  const Loop loop{.world = world,
                  .job = job,
                  .options = options,
                  .folder = folder,
                  .header = header,
                  .inputs = inputs,
                  .heart = heart,
                  .begin = begin};
  const std::vector<std::string> todo = blocks_to_do(world, folder, header.plan, options);
  log_line(startup_text(world, job, header, todo.size()));
  if (world.rank() == 0) folder.log({.kind = Event::Kind::run, .time = now_seconds()});
  Ticket ticket(world);
  do_blocks(loop, todo, ticket);
  ticket.close();
  return finish(world, folder);
}

/// Opens the folder, sweeps, and gives the lock back; a folder that was made in vain is taken away again.
ExitCode sweep(const World& world, const std::filesystem::path& job_file, const RunOptions& options) {
  Request request;
  JobSpec& job = request.job;
  Texts texts;
  all_do(world, [&] {
    job = read_job(job_file);
    at::set_num_threads(job.run.threads);
    texts = read_texts(job);
    const DataSize data = size_of_data(job, texts);
    const Plan plan = make_plan(job, shape_of(texts.config), data,
                                nullptr);  // refuses what it must before a weight is read
    require_room(existing_parent(options.folder), plan, data);
  });
  const bool made = !std::filesystem::exists(options.folder);
  SweepFolder folder(options.folder);
  first_does(world, [&] {
    request.identity = identity_of(job, texts);
    folder.open(request.identity, options.resume, options.allow_other_build);
  });
  try {
    const ExitCode code = sweep_folder(world, request, options, texts, folder);
    first_does(world, [&] { folder.release(); });
    return code;
  } catch (const SharedError&) {
    if (world.rank() == 0) {
      folder.release();
      if (made && !folder.exists()) std::filesystem::remove_all(folder.path());
    }
    throw;
  }
}

}  // namespace

ExitCode run_sweep(const World& world, const std::filesystem::path& job_file, const RunOptions& options) {
  // Where glibc gives the memory (without tcmalloc): large tensors go back to the system, however many came
  // before, so that memory stays flat over blocks.
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  const c10::InferenceMode no_gradients;  // the model's own backward needs none of torch's
  try {
    return sweep(world, job_file, options);
  } catch (const SharedError& error) {
    log_line(cat("headsweep: ", error.what()));
    return error.code();
  }
}

}  // namespace headsweep
