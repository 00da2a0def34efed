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
  std::uint64_t items = 0, answer_bytes = 0, steps = 0;
  struct EditRow {
    std::int32_t layer = 0;
    EditTarget target = EditTarget::o;
    std::uint64_t a_size = 0, b_size = 0;
  };
  std::vector<EditRow> edit;
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
  void write_edit_rows(const std::vector<TrialOutline>& outlines);

  ColumnWriter* out_;
  std::vector<std::uint64_t> first_byte_, first_a_, first_b_;  // [trial + 1] where a trial's values begin
};

/// Some rows back; `long_values` says whether with items, curves and edits. Leaves `trial` and `trial_hash`
/// open.
enum class LongValues { skip, read };
std::vector<TrialRecord> read_trials(ColumnReader* in, h5::Rows rows, LongValues long_values);

}  // namespace headsweep
