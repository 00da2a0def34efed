// sweep: parts in a folder beside the results that they become.
#include "sweep/new_results.hpp"

#include <unistd.h>

namespace headsweep {

namespace fs = std::filesystem;

NewResults::NewResults(fs::path file)
    : file_(std::move(file)), folder_(cat(file_.string(), ".parts-", host_name(), "-", ::getpid())) {
  require_new();
  std::error_code error;
  require(fs::create_directory(folder_, error), file_.string(), ": its folder cannot be written to",
          error ? ": " + error.message() : "");
}

NewResults::~NewResults() {
  std::error_code error;
  fs::remove_all(folder_, error);
}

void NewResults::require_new() const {
  std::error_code error;
  require(!fs::exists(fs::symlink_status(file_, error)), file_.string(), ": is there already");
}

void NewResults::put(const SweepIdentity& identity, const std::vector<TrialRecord>& records) {
  const std::string name = to_text(parts_.size());
  parts_.push_back(folder_ / (name + ".h5"));
  write_file(
      parts_.back(),
      encode_part(
          {.block = name, .sweep_hash = sweep_hash(identity), .build = identity.build, .records = records}));
}

Gathered NewResults::finish(const SweepHeader& header) const {
  require_new();
  return write_results(file_, header, parts_);
}

}  // namespace headsweep
