// store/trials: what a trial leaves, as one row of every column by trial, and back. Parts and results use the
// same.
#pragma once

#include <cstdint>
#include <headsweep/record.hpp>
#include <string>
#include <vector>

#include "store/columns.hpp"

namespace headsweep {

/// A trial without what is long: its numbers, and the sizes of the rest.
struct TrialOutline {
  TrialRecord record;  ///< items, curve and edit are empty
  std::string build;   ///< hash of the program's build
  std::uint64_t items = 0, answer_bytes = 0, steps = 0, edit_rows = 0;
  std::uint64_t channel = 0, write_channel = 0;  ///< longest a and b
};
TrialOutline outline(const TrialRecord& record, const std::string& build);
/// Of a trial without a part.
TrialOutline missing_outline();
/// Lengths of the axes of the columns by trial.
Extents extents_of(const std::vector<TrialOutline>& outlines);

/// Writes every column of origin `part`. All outlines are known first, as they fix where long values go.
class TrialWriter {
 public:
  TrialWriter(ColumnWriter* out, const std::vector<TrialOutline>& outlines);
  /// Items, curve and edit of one trial, in any order of rows.
  void write_long(std::size_t row, const TrialRecord& record);

 private:
  void write_edit(std::uint64_t first_row, const std::vector<EditLayer>& edit);

  ColumnWriter* out_;
  std::vector<std::uint64_t> first_byte_, first_edit_row_;  // [trial + 1]
};

/// Some rows back; `long_values` says whether with items, curves and edits. Leaves `trial` and `trial_hash`
/// open.
enum class LongValues { skip, read };
std::vector<TrialRecord> read_trials(ColumnReader* in, h5::Rows rows, LongValues long_values);

}  // namespace headsweep
