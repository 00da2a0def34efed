// store/items: the items of a trial or of the unedited model as one row of the item columns, and back.
#pragma once

#include <cstdint>
#include <headsweep/record.hpp>
#include <string>
#include <vector>

#include "store/columns.hpp"

namespace headsweep {

/// Where item columns stand: `items` by trial, or `baseline/items` by fold.
struct ItemGroup {
  std::string group, axis, byte_axis;
};
inline const ItemGroup trial_items{"items", "trial", "answer_byte"};
inline const ItemGroup baseline_items{"baseline/items", "fold", "baseline_byte"};

std::uint64_t answer_bytes(const std::vector<Item>& items);

void create_items(ColumnWriter* out, const ItemGroup& where);
/// One row; `first_byte` is where its answers begin among all. No items: a row of NaN without answers.
void write_items(ColumnWriter* out, const ItemGroup& where, std::uint64_t row, std::uint64_t first_byte,
                 const std::vector<Item>& items);
/// What is written once, after all rows: how many items each row has, and where the answers end.
void finish_items(ColumnWriter* out, const ItemGroup& where, const std::vector<std::int32_t>& counts);

std::vector<Item> read_items(ColumnReader* in, const ItemGroup& where, std::uint64_t row);

/// Metrics of all rows of `group`, for example `metrics/test`.
void write_metrics(ColumnWriter* out, const std::string& group, const std::vector<Metrics>& rows);
std::vector<Metrics> read_metrics(ColumnReader* in, const std::string& group, h5::Rows rows);

}  // namespace headsweep
