// sweep: halves of a block until they fit.
#include "sweep/within_memory.hpp"

#include <c10/util/Exception.h>

#include <iterator>
#include <new>
#include <string_view>

namespace headsweep {
namespace {

/// torch says it by a type of its own on a GPU, and by its words elsewhere.
bool is_lack_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  const std::string_view words = error.what();
  for (const char* sign : {"can't allocate memory", "out of memory", "ALLOC_FAILED"})
    if (words.find(sign) != std::string_view::npos) return true;
  return false;
}

/// What `run` gives; empty for lack of memory, with its words in `lack`.
std::vector<TrialRecord> try_run(const Block& block, const RunBlock& run, std::string& lack) {
  try {
    return run(block);
  } catch (const std::exception& error) {
    if (!is_lack_of_memory(error)) throw;
    const std::string words = error.what();
    lack = words.substr(0, words.find('\n'));
    return {};
  }
}

}  // namespace

TrialRecord failed_record(const Plan& plan, TrialId trial, const std::string& stage,
                          const std::string& message) {
  TrialRecord record;
  record.trial = trial;
  record.trial_hash = plan.at(trial).hash;
  record.status = TrialStatus::failed;
  record.stage = stage;
  record.message = message;
  return record;
}

std::vector<TrialRecord> run_within_memory(const Plan& plan, const Block& block, const RunBlock& run) {
  std::string lack;
  std::vector<TrialRecord> records = try_run(block, run, lack);
  if (records.empty() && block.trials.size() == 1)
    records.push_back(failed_record(plan, block.trials.front(), "memory", lack));
  for (TrialRecord& record : records) record.lanes = static_cast<int>(block.trials.size());
  if (!records.empty()) return records;
  log_error(
      cat("block ", block.name, ": ", lack, "; going on with half of its ", block.trials.size(), " lanes"));
  const auto middle = block.trials.begin() + static_cast<std::ptrdiff_t>(block.trials.size() / 2);
  for (const auto& [begin, end] :
       {std::pair(block.trials.begin(), middle), std::pair(middle, block.trials.end())}) {
    Block half = block;
    half.trials.assign(begin, end);
    for (TrialRecord& record : run_within_memory(plan, half, run)) records.push_back(std::move(record));
  }
  return records;
}

}  // namespace headsweep
