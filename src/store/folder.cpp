// store/folder: the sweep folder: who may open it, its parts and what is left to do.
#include <algorithm>
#include <headsweep/store.hpp>
#include <set>

#include "store/events.hpp"
#include "store/lock.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;
using Settings = std::map<std::string, std::string>;

std::string value_or_absent(const Settings& settings, const std::string& key) {
  const auto found = settings.find(key);
  return found == settings.end() ? "absent" : cat("'", found->second, "'");
}

/// `key: there, now` of everything that is not the same.
std::vector<std::string> differences(const SweepIdentity& there, const SweepIdentity& now) {
  Settings old_keys = there.settings, new_keys = now.settings;
  old_keys["hash of the model"] = there.model_hash;
  new_keys["hash of the model"] = now.model_hash;
  old_keys["hash of the data"] = there.data_hash;
  new_keys["hash of the data"] = now.data_hash;
  Settings all = old_keys;
  all.insert(new_keys.begin(), new_keys.end());
  std::vector<std::string> found;
  for (const auto& [key, value] : all) {
    const std::string before = value_or_absent(old_keys, key), after = value_or_absent(new_keys, key);
    if (before != after) found.push_back(cat(key, " is ", before, " there and ", after, " now"));
  }
  return found;
}

void require_same(const fs::path& folder, const SweepIdentity& there, const SweepIdentity& now) {
  const std::vector<std::string> found = differences(there, now);
  require(found.empty(), folder.string(), ": another sweep: ", join(found, "; "), "; name a new folder");
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  require(!error, folder.string(), ": cannot be made: ", error.message());
}

/// What a killed writer may have left.
void remove_temporaries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().filename().string().find(".tmp-") != std::string::npos) left.push_back(entry.path());
  for (const fs::path& file : left) fs::remove(file, error);
}

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

fs::path SweepFolder::part_file(const std::string& block) const {
  return folder_ / "parts" / (block + ".h5");
}

void SweepFolder::open(const SweepIdentity& identity, bool resume, bool allow_other_build) {
  std::error_code error;
  const bool file = fs::exists(folder_, error) && !fs::is_directory(folder_, error);
  require(!file, folder_.string(), ": a file stands there, a folder is due");
  if (exists()) {
    require(resume, folder_.string(), ": holds a sweep already; go on with --resume, or name a new folder");
    const SweepIdentity there = read_header()->identity;
    require_same(folder_, there, identity);
    require(allow_other_build || there.build == identity.build, folder_.string(), ": begun by build '",
            there.build, "', this is '", identity.build, "'; --allow-other-build goes on all the same");
  } else {
    require(!fs::exists(results()), folder_.string(),
            ": holds results.h5 but no sweep.yaml; name a new folder");
  }
  make_folder(folder_ / "parts");
  make_folder(folder_ / "state");
  make_folder(folder_ / "tune");
  take_lock(folder_ / "lock");
  remove_temporaries(folder_);
  remove_temporaries(folder_ / "parts");
  remove_temporaries(folder_ / "tune");
}

void SweepFolder::release() { release_lock(folder_ / "lock"); }
void SweepFolder::beat() { renew_lock(folder_ / "lock"); }

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

void SweepFolder::put(const Part& part, double seconds, int rank) {
  const std::string image = encode_part(part);
  write_file(part_file(part.block), image);
  Event event{.kind = Event::Kind::done, .block = part.block, .time = now_seconds(), .seconds = seconds};
  event.bytes = static_cast<std::int64_t>(image.size());
  event.part_hash = hash_hex(image);
  event.rank = rank;
  event.trials = static_cast<int>(part.records.size());
  for (const TrialRecord& record : part.records) {
    if (record.status != TrialStatus::failed) continue;
    if (event.failed_trials++ == 0)
      event.message = cat("trial ", record.trial.value, ": ", record.stage, ": ", record.message);
  }
  append_event(folder_ / "state", event, Sync::yes);
}

void SweepFolder::log(const Event& event) { append_event(folder_ / "state", event, Sync::no); }

std::vector<Event> SweepFolder::events() const { return read_events(folder_ / "state"); }

Gathered SweepFolder::gather() const { return gather_folders({*this}, results()); }

Gathered gather_folders(const std::vector<SweepFolder>& folders, const fs::path& file) {
  std::optional<SweepHeader> first;
  std::vector<fs::path> parts;
  for (const SweepFolder& folder : folders) {
    auto header = folder.read_header();
    require(header.has_value(), folder.path().string(), ": holds no sweep (no sweep.yaml)");
    if (first) require_same(folder.path(), first->identity, header->identity);
    for (const std::string& block : folder.finished_blocks(header->plan))
      parts.push_back(folder.part_file(block));
    if (!first) first = std::move(header);
  }
  require(first.has_value(), "gather: no folder named");
  return write_results(file, *first, parts);
}

}  // namespace headsweep
