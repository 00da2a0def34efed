// store/folder: the sweep folder: who may open it, its parts and what is left to do.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <headsweep/store.hpp>

#include "store/events.hpp"
#include "store/header.hpp"
#include "store/identity.hpp"
#include "store/lock.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  require(!error, folder.string(), ": cannot be made: ", error.message());
}

/// Whether the writer of `NAME.tmp-HOST-PID` may still be at it.
bool is_being_written(const fs::path& file) {
  std::error_code error;
  const std::string name = file.filename().string();
  const std::size_t host = name.find(".tmp-") + 5, pid = name.rfind('-') + 1;
  if (pid <= host) return false;
  const auto age = fs::file_time_type::clock::now() - fs::last_write_time(file, error);
  return may_write(name.substr(host, pid - 1 - host), std::atoll(name.c_str() + pid),
                   now_seconds() - std::chrono::duration<double>(age).count());
}

/// What a killed writer may have left.
void remove_temporaries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().filename().string().find(".tmp-") != std::string::npos) left.push_back(entry.path());
  for (const fs::path& file : left)
    if (!is_being_written(file)) fs::remove(file, error);
}

/// All lock files of a folder: `lock` of a whole sweep, `lock-2-of-8` of a shard.
std::vector<fs::path> lock_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name == "lock" || name.starts_with("lock-")) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

constexpr const char* header_lock = "lock-header";

std::string padded(int number, std::size_t width) {
  std::string text = to_text(number);
  return text.insert(0, text.size() < width ? width - text.size() : 0, '0');
}

}  // namespace

fs::path SweepFolder::part_file(const std::string& block) const {
  return folder_ / "parts" / (block + ".h5");
}

void SweepFolder::require_same_sweep(const SweepIdentity& identity, bool allow_other_build) const {
  const SweepIdentity there = read_header()->identity;
  require_same(folder_, there, identity);
  require(allow_other_build || there.build == identity.build, folder_.string(), ": begun by build '",
          there.build, "', this is '", identity.build, "'; --allow-other-build goes on all the same");
}

void SweepFolder::open(const SweepIdentity& identity, bool resume, bool allow_other_build) {
  std::error_code error;
  const bool file = fs::exists(folder_, error) && !fs::is_directory(folder_, error);
  require(!file, folder_.string(), ": a file stands there, a folder is due");
  require(resume || !exists(), folder_.string(),
          ": holds a sweep already; go on with --resume, or name a new folder");
  require(exists() || !fs::exists(results()), folder_.string(),
          ": holds results.h5 but no sweep.yaml; name a new folder");
  for (const char* name : {"parts", "state", "tune"}) make_folder(folder_ / name);
  lock();
  try {
    if (exists()) require_same_sweep(identity, allow_other_build);
  } catch (const BadInput&) {
    release();
    throw;
  }
  for (const char* name : {".", "parts", "tune"}) remove_temporaries(folder_ / name);
}

void SweepFolder::lock() {
  take_lock(lock_file());
  const std::string kin = cat("-of-", shard_.count);
  for (const fs::path& other : lock_files(folder_)) {
    const std::string name = other.filename().string();
    const bool shard_of_the_same = !shard_.whole() && (name.ends_with(kin) || name == header_lock);
    if (other == lock_file() || shard_of_the_same) continue;
    const std::optional<FolderOwner> owner = owner_of(other);
    if (!owner || !owner->lives) continue;
    release();
    refuse(other, *owner);
  }
}

fs::path SweepFolder::lock_file() const {
  return folder_ / (shard_.whole() ? "lock" : cat("lock-", shard_.index, "-of-", shard_.count));
}

void SweepFolder::release() {
  prepared();
  release_lock(lock_file());
}

bool SweepFolder::beat() const {
  const fs::path header = folder_ / header_lock;
  const std::optional<FolderOwner> preparing = owner_of(header);
  if (preparing && preparing->host == host_name() && preparing->pid == ::getpid()) renew_lock(header);
  return renew_lock(lock_file());
}

std::vector<FolderOwner> SweepFolder::owners() const {
  std::vector<FolderOwner> owners;
  for (const fs::path& file : lock_files(folder_)) {
    std::optional<FolderOwner> owner = owner_of(file);
    if (!owner || file.filename() == header_lock) continue;
    std::sscanf(file.filename().c_str(), "lock-%d-of-", &owner->shard);
    owners.push_back(*owner);
  }
  return owners;
}

bool SweepFolder::may_prepare() const { return exists() || try_prepare(); }

bool SweepFolder::try_prepare() const { return shard_.whole() || try_lock(folder_ / header_lock); }

void SweepFolder::prepared() { release_lock(folder_ / header_lock); }

void SweepFolder::put(const Part& part, double seconds, int rank) {
  const std::string image = encode_part(part);
  write_file(part_file(part.block), image);
  Event event{.kind = Event::Kind::done, .block = part.block, .time = now_seconds(), .seconds = seconds};
  event.bytes = static_cast<std::int64_t>(image.size());
  event.part_hash = hash_hex(image);
  event.rank = rank;
  event.shard = shard_.index;
  event.trials = static_cast<int>(part.records.size());
  for (const TrialRecord& record : part.records) {
    if (record.status != TrialStatus::failed) continue;
    if (event.failed_trials++ == 0)
      event.message = cat("trial ", record.trial.value, ": ", record.stage, ": ", record.message);
  }
  append_event(log_of(rank), event, Sync::yes);
}

fs::path SweepFolder::log_of(int rank) const {
  const std::string shard = shard_.whole() ? "" : cat("shard-", padded(shard_.index, 3), "-");
  return folder_ / "state" / cat(shard, "rank-", padded(rank, 5), ".log");
}

void SweepFolder::log(Event event) {
  event.shard = shard_.index;
  append_event(log_of(event.rank), event, Sync::no);
}

std::vector<Event> SweepFolder::events() const { return read_events(folder_ / "state"); }

Gathered SweepFolder::gather() const {
  require(exists(), folder_.string(), ": holds no sweep (no sweep.yaml)");
  const Turn turn(folder_ / "state" / "gathering");  // the last of several shards gathers the most
  return gather_folders({*this}, results());
}

Gathered gather_folders(const std::vector<SweepFolder>& folders, const fs::path& file) {
  std::optional<SweepHeader> first;
  std::vector<fs::path> parts;
  for (const SweepFolder& folder : folders) {
    auto header = folder.read_header();
    require(header.has_value(), folder.path().string(), ": holds no sweep (no sweep.yaml)");
    if (first) require_same(folder.path(), first->identity, header->identity);
    for (const std::string& block : folder.finished_blocks(header->plan))
      parts.push_back(folder.part_file(block));
    if (first)
      join_extensions(header->extensions, first->extensions);
    else
      first = std::move(header);
  }
  require(first.has_value(), "gather: no folder named");
  return write_results(file, *first, parts);
}

}  // namespace headsweep
