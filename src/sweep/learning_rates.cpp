// sweep: learning rates, chosen by blocks of tuning trials that the ranks share as they share those of the
// sweep. Each finished block is a file; the choices are one file, then part of the header.
#include "sweep/learning_rates.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "sweep/agree.hpp"
#include "sweep/pace.hpp"
#include "sweep/rate_files.hpp"
#include "sweep/within_memory.hpp"

namespace headsweep {
namespace {

std::set<RateKey> keys_of(const std::vector<RateChoice>& choices) {
  std::set<RateKey> keys;
  for (const RateChoice& choice : choices) keys.insert(choice.key);
  return keys;
}

std::set<RateKey> keys_of(const std::vector<TuningRow>& rows) {
  std::set<RateKey> keys;
  for (const TuningRow& row : rows) keys.insert(row.key);
  return keys;
}

/// A fold without validation pairs has no loss to choose by.
void require_validation_pairs(const JobSpec& job, const Texts& texts) {
  for (std::size_t fold = 0; fold < texts.splits.size(); ++fold)
    require(!make_pairs(texts.training, texts.behaviour, texts.splits[fold].questions(SplitPart::val),
                        job.training, job.seed)
                 .empty(),
            job.file, ": training.learning_rate: several rates to choose from, but the validation questions",
            texts.splits.size() > 1 ? cat(" of fold ", fold) : "", " have no pairs to choose by");
}

/// What one rank measures, block by block.
class TuningLoop {
 public:
  TuningLoop(const TuneInputs& inputs, const TuningPlan& tuning, std::string sweep)
      : in_(inputs),
        tuning_(tuning),
        sweep_(std::move(sweep)),
        job_(tuning_job(inputs.job)),
        ground_(job_, inputs.texts, inputs.weights, nullptr),
        pace_(tuning.plan, inputs.limit) {}

  /// The texts of the blocks that this rank has done, until none is left, a stop is asked for, or none fits
  /// into the time.
  std::string run(const std::vector<const Block*>& todo) {
    std::string done;
    Ticket ticket(in_.world);
    draw_blocks(ticket, todo, pace_, [&](const Block& block) {
      try {
        done += end_block(block);
        return true;
      } catch (const GiveUp&) {
        return false;
      }
    });
    ticket.close();
    return done;
  }

 private:
  std::string end_block(const Block& block) {
    const double begin = now_seconds(), end = begin + pace_.expected_seconds(block);
    TunedBlock tuned{.name = block.name, .losses = {}};
    const auto measure = [&](const Block& lanes) { return measure_block(lanes, end); };
    for (const TrialRecord& record : run_within_memory(tuning_.plan, block, measure)) {
      const bool trained = record.status == TrialStatus::done && std::isfinite(record.training.val_loss);
      tuned.losses.push_back(trained ? record.training.val_loss : std::numeric_limits<double>::infinity());
    }
    const std::string text = tuned_text(tuned, sweep_);
    write_file(tuned_file(in_.folder, block.name), text);
    pace_.add(block, now_seconds() - begin);
    Event event{.kind = Event::Kind::tuning, .block = block.name, .time = now_seconds()};
    event.rank = in_.world.rank();
    event.seconds = now_seconds() - begin;
    in_.folder.log(event);
    return text;
  }

  /// Trains the lanes as a block of the sweep does, and measures their loss alone.
  std::vector<TrialRecord> measure_block(const Block& block, double expected_end) {
    const auto tick = [&] { pace_.tick(in_.world, expected_end); };
    const Trial& first = tuning_.plan.at(block.trials.front());
    std::vector<LaneSpec> specs;
    for (const TrialId id : block.trials)
      specs.push_back({.heads = tuning_.plan.at(tuning_.plan.at(id).location).heads,
                       .strength = tuning_.plan.at(id).strength,
                       .learning_rate = tuning_.rates.at(static_cast<std::size_t>(id.value)),
                       .seed = first.seed});
    FoldGround& fold = ground_.fold(first.fold);
    LaneParams params = LaneParams::start(first.edit, specs, job_.training, in_.weights, first.lora);
    const TrainedLanes trained = train_lanes(fold.training(first.seed), specs, params, tick);
    FoldGround::Measured& pairs = fold.measured(job_.training.edit_from);
    const at::Tensor losses = score_pairs(pairs.prefixes, pairs.validation, params.edits(in_.weights),
                                          tau_of(specs, in_.weights.device()), job_.training.log_prob)
                                  .loss.to(at::kCPU);
    std::vector<TrialRecord> records(block.trials.size());
    for (std::size_t k = 0; k < records.size(); ++k) {
      records[k].trial = block.trials[k];
      records[k].status = trained.failed[k].empty() ? TrialStatus::done : TrialStatus::failed;
      records[k].training.val_loss = losses[static_cast<std::int64_t>(k)].item<float>();
    }
    return records;
  }

  const TuneInputs& in_;
  const TuningPlan& tuning_;
  std::string sweep_;
  JobSpec job_;
  Ground ground_;
  Pace pace_;
};

using BlockLosses = std::map<std::string, std::vector<double>>;

/// What earlier runs have left, on the first rank; its names on all. Collective.
BlockLosses read_measured(const TuneInputs& in, const TuningPlan& tuning, const std::string& sweep) {
  std::string lines;
  first_does(in.world, [&] {
    for (const Block& block : tuning.plan.blocks)
      if (const auto tuned = read_tuned(in.folder, block, sweep)) lines += tuned_text(*tuned, sweep);
  });
  BlockLosses losses;
  for (const std::string& line : split_text(in.world.broadcast(lines), '\n'))
    if (!line.empty()) {
      TunedBlock tuned = parse_tuned(line, "tune");
      losses[tuned.name] = std::move(tuned.losses);
    }
  return losses;
}

/// Puts the losses of the tuning trials into the choices that they belong to.
std::vector<RateChoice> fill_choices(const TuningPlan& tuning, const BlockLosses& losses) {
  std::vector<double> of_trial(tuning.plan.trials.size());
  for (const Block& block : tuning.plan.blocks)
    for (std::size_t i = 0; i < block.trials.size(); ++i)
      of_trial.at(static_cast<std::size_t>(block.trials[i].value)) = losses.at(block.name).at(i);
  std::vector<RateChoice> choices = tuning.choices;
  auto next = of_trial.begin();
  for (RateChoice& choice : choices)
    for (std::size_t rate = 0; rate < choice.rates.size(); ++rate) {
      const auto end = next + static_cast<std::ptrdiff_t>(choice.locations.size());
      choice.losses.emplace_back(next, end);
      next = end;
    }
  return choices;
}

void log_begin(const TuneInputs& in, const TuningPlan& tuning, std::size_t todo) {
  Event event{.kind = Event::Kind::tuning, .time = now_seconds()};
  event.message = cat("choosing learning rates: ", tuning.plan.trials.size(), " trials in ",
                      tuning.plan.blocks.size(), " blocks, ", todo, " to do");
  log_line(event.message);
  in.folder.log(event);
}

/// All choices of a tuning plan; none if a stop came first. On the first rank alone; collective.
std::vector<RateChoice> measure_choices(const TuneInputs& in, const TuningPlan& tuning,
                                        const std::string& sweep) {
  all_do(in.world, [&] { require_validation_pairs(in.job, in.texts); });
  BlockLosses losses = read_measured(in, tuning, sweep);
  std::vector<const Block*> todo;
  for (const Block& block : tuning.plan.blocks)
    if (!losses.contains(block.name)) todo.push_back(&block);
  first_does(in.world, [&] { log_begin(in, tuning, todo.size()); });
  const std::string mine = TuningLoop(in, tuning, sweep).run(todo);
  in.world.gather(mine, [&](int, const std::string& sent) {
    for (const std::string& line : split_text(sent, '\n'))
      if (!line.empty()) {
        TunedBlock tuned = parse_tuned(line, "tune");
        losses[tuned.name] = std::move(tuned.losses);
      }
  });
  const bool whole = losses.size() == tuning.plan.blocks.size();
  return whole ? fill_choices(tuning, losses) : std::vector<RateChoice>{};
}

void tell(const RateChoice& choice) {
  const std::size_t best = choice.chosen();
  const double loss = choice.mean_loss(best);
  std::vector<std::string> rates;
  for (const double rate : choice.rates) rates.push_back(to_text(rate));
  std::string text =
      cat("learning rate of ", choice.key, ": ", choice.rates[best], " of ", join(rates, ", "));
  if (std::isinf(loss))
    text += "; training failed at each of them, the smallest is taken";
  else if (choice.at_edge())
    text += "; this is an end of the grid, a wider one may do better";
  log_line(text);
}

/// Rewrites the stored header if it lacks a choice, and takes away what led to it.
void put_choices(const TuneInputs& in, const SweepHeader& header, const TuningPlan& due) {
  if (in.folder.read_header()->tuning != header.tuning) in.folder.rewrite_header(header);
  std::error_code error;
  for (const Block& block : due.plan.blocks)
    std::filesystem::remove(tuned_file(in.folder, block.name), error);
}

}  // namespace

bool choose_learning_rates(const TuneInputs& in, SweepHeader& header) {
  const DataSize data = size_of_data(in.job, in.texts);
  const auto lacks = [&](const std::set<RateKey>& known) {
    return plan_tuning(in.job, header.plan, data, known);
  };
  const TuningPlan due = lacks(keys_of(header.tuning));
  if (due.choices.empty()) return true;
  const auto ready = [&] {
    return in.folder.try_prepare() || lacks(keys_of(in.folder.read_header()->tuning)).choices.empty();
  };
  if (!await(in.world, in.limit, "another shard chooses learning rates; waiting for it ...", ready))
    return false;

  const std::string where = rates_file(in.folder).string(), sweep = sweep_hash(header.identity);
  std::string text;
  first_does(in.world, [&] { text = read_choices(in.folder, header); });
  text = in.world.broadcast(text);
  std::vector<RateChoice> choices;
  all_do(in.world, [&] { choices = parse_choices(text, where); });
  const TuningPlan tuning = lacks(keys_of(choices));
  if (!tuning.choices.empty()) {
    const std::vector<RateChoice> chosen = measure_choices(in, tuning, sweep);
    text.clear();
    first_does(in.world, [&] {
      if (chosen.empty()) return;
      for (const RateChoice& choice : chosen) tell(choice);
      choices.insert(choices.end(), chosen.begin(), chosen.end());
      std::sort(choices.begin(), choices.end(),
                [](const RateChoice& one, const RateChoice& other) { return one.key < other.key; });
      text = choices_text(choices, sweep);
      write_file(rates_file(in.folder), text);
    });
    text = in.world.broadcast(text);
    if (text.empty()) return false;
    choices = parse_choices(text, where);
  }
  header.tuning = tuning_rows(choices);
  mark_tuning(choices, header.plan);
  first_does(in.world, [&] { put_choices(in, header, due); });
  return true;
}

}  // namespace headsweep
