// store/finished: which blocks of the plan are done: their part is there, whole, and as it was logged.
#include <algorithm>
#include <headsweep/store.hpp>
#include <set>

namespace headsweep {
namespace {

namespace fs = std::filesystem;

/// Hashes that were ever logged for a block's part.
std::map<std::string, std::set<std::string>> logged_parts(const std::vector<Event>& events) {
  std::map<std::string, std::set<std::string>> hashes;
  for (const Event& event : events)
    if (event.kind == Event::Kind::done) hashes[event.block].insert(event.part_hash);
  return hashes;
}

bool holds_block(const Part& part, const Plan& plan, const Block& block) {
  std::set<std::string> due, found;
  for (const TrialId id : block.trials) due.insert(plan.at(id).hash);
  for (const TrialRecord& record : part.records) found.insert(record.trial_hash);
  return due == found;
}

/// Decodes a part only if its bytes are those that were logged; BadInput with what is wrong.
Part read_finished(const fs::path& file, const std::set<std::string>& hashes) {
  require(!hashes.empty(), file.string(), ": written, but not logged as finished");
  const std::string bytes = read_file(file);
  require(hashes.contains(hash_hex(bytes)), file.string(), ": ", bytes.size(), " bytes of hash ",
          hash_hex(bytes), ", logged was ", *hashes.begin());
  return decode_part(bytes, file.string());
}

void name_strangers(const fs::path& parts, const Plan& plan) {
  std::set<std::string> known;
  for (const Block& block : plan.blocks) known.insert(block.name);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(parts, error)) {
    const fs::path& file = entry.path();
    if (file.extension() == ".h5" && !known.contains(file.stem().string()))
      log_error(cat(file.string(), ": of a block that is not in the plan; left aside"));
  }
}

}  // namespace

std::vector<std::string> SweepFolder::finished_blocks(const Plan& plan, bool retry_failed) const {
  const auto header = read_header();
  const std::string due = header ? sweep_hash(header->identity) : "";
  auto hashes = logged_parts(events());
  std::vector<std::string> finished;
  for (const Block& block : plan.blocks) {
    const fs::path file = part_file(block.name);
    if (!fs::exists(file) && hashes[block.name].empty()) continue;
    try {
      const Part part = read_finished(file, hashes[block.name]);
      require(part.sweep_hash == due, file.string(), ": of sweep ", part.sweep_hash, ", this is sweep ", due);
      require(part.block == block.name && holds_block(part, plan, block), file.string(), ": holds block ",
              part.block, ", other trials than the plan's");
      const bool failed =
          std::any_of(part.records.begin(), part.records.end(),
                      [](const TrialRecord& record) { return record.status == TrialStatus::failed; });
      if (!failed || !retry_failed) finished.push_back(block.name);
    } catch (const BadInput& error) {
      log_error(cat(error.what(), "; the block does not count as done"));
    }
  }
  name_strangers(folder_ / "parts", plan);
  return finished;
}

}  // namespace headsweep
