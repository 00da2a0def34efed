// sweep: a results file that no sweep folder stands behind.
#pragma once

#include <headsweep/store.hpp>

namespace headsweep {

/// Records on their way into a results file: each set of them waits as a part beside it, so that memory stays
/// flat; the parts go with this object. BadInput if something stands where the file is to be.
class NewResults {
 public:
  explicit NewResults(std::filesystem::path file);
  ~NewResults();
  NewResults(const NewResults&) = delete;
  void put(const SweepIdentity& identity, const std::vector<TrialRecord>& records);
  /// Writes the file, whole or not at all.
  [[nodiscard]] Gathered finish(const SweepHeader& header) const;

 private:
  void require_new() const;
  std::filesystem::path file_, folder_;
  std::vector<std::filesystem::path> parts_;
};

}  // namespace headsweep
