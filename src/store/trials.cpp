// store/trials: rows of trials.
#include "store/trials.hpp"

#include <algorithm>

#include "store/fields.hpp"
#include "store/items.hpp"

namespace headsweep {
namespace {

const std::vector<std::string>& status_names() {
  static const std::vector<std::string> names = {"missing", "done", "failed"};
  return names;
}

/// One value of each outline, as a column.
template <class Value, class Get>
std::vector<Value> column_of(const std::vector<TrialOutline>& outlines, Get get) {
  std::vector<Value> values;
  values.reserve(outlines.size());
  for (const TrialOutline& outline : outlines) values.push_back(get(outline));
  return values;
}

void write_numbers(ColumnWriter* out, const std::vector<TrialOutline>& outlines) {
  for (const auto& field : trial_floats())
    out->write(cat("trials/", field.name),
               column_of<float>(outlines, [&](const TrialOutline& one) { return field.get(one.record); }));
  for (const auto& field : trial_integers())
    out->write(cat("trials/", field.name), column_of<std::int32_t>(outlines, [&](const TrialOutline& one) {
                 return field.get(one.record);
               }));
  out->write("trials/seconds",
             column_of<double>(outlines, [](const TrialOutline& one) { return one.record.seconds; }));
  out->write("trials/converged", column_of<std::uint8_t>(outlines, [](const TrialOutline& one) {
               return static_cast<std::uint8_t>(one.record.training.converged);
             }));
  write_metrics(out, "metrics/validation",
                column_of<Metrics>(outlines, [](const TrialOutline& one) { return one.record.validation; }));
  write_metrics(out, "metrics/test",
                column_of<Metrics>(outlines, [](const TrialOutline& one) { return one.record.test; }));
}

void write_texts(ColumnWriter* out, const std::vector<TrialOutline>& outlines) {
  const auto write = [&](const char* path, auto get) {
    out->write(path, column_of<std::string>(outlines, get));
  };
  write("trials/status",
        [](const TrialOutline& one) { return status_names()[static_cast<std::size_t>(one.record.status)]; });
  write("trials/stage", [](const TrialOutline& one) { return one.record.stage; });
  write("trials/message", [](const TrialOutline& one) { return one.record.message; });
  write("trials/build", [](const TrialOutline& one) { return one.build; });
}

/// Values along an axis, NaN after the last.
std::vector<float> padded(const std::vector<float>& values, std::uint64_t size) {
  std::vector<float> row = values;
  row.resize(size, not_measured);
  return row;
}

void read_numbers(ColumnReader* in, h5::Rows rows, std::vector<TrialRecord>* records) {
  const auto each = [&](const auto& values, auto set) {
    for (std::size_t i = 0; i < records->size(); ++i) set((*records)[i], values[i]);
  };
  for (const auto& field : trial_floats())
    each(in->read_rows<float>(cat("trials/", field.name), rows), field.set);
  for (const auto& field : trial_integers())
    each(in->read_rows<std::int32_t>(cat("trials/", field.name), rows), field.set);
  each(in->read_rows<double>("trials/seconds", rows),
       [](TrialRecord& record, double value) { record.seconds = value; });
  each(in->read_rows<std::uint8_t>("trials/converged", rows),
       [](TrialRecord& record, std::uint8_t value) { record.training.converged = value != 0; });
  each(read_metrics(in, "metrics/validation", rows),
       [](TrialRecord& record, const Metrics& value) { record.validation = value; });
  each(read_metrics(in, "metrics/test", rows),
       [](TrialRecord& record, const Metrics& value) { record.test = value; });
  each(in->read_texts("trials/stage", rows),
       [](TrialRecord& record, const std::string& text) { record.stage = text; });
  each(in->read_texts("trials/message", rows),
       [](TrialRecord& record, const std::string& text) { record.message = text; });
}

std::vector<TrialRecord> read_status(ColumnReader* in, h5::Rows rows) {
  std::vector<TrialRecord> records;
  for (const std::string& text : in->read_texts("trials/status", rows)) {
    const auto& names = status_names();
    const auto found = std::find(names.begin(), names.end(), text);
    sound(found != names.end(), "trials/status: '", text.substr(0, 20),
          "', done, failed or missing are allowed");
    records.emplace_back().status = static_cast<TrialStatus>(found - names.begin());
  }
  return records;
}

std::vector<float> read_curve(ColumnReader* in, std::uint64_t row) {
  const std::int32_t length = in->read_rows<std::int32_t>("curves/length", {row, 1}).front();
  sound(length >= 0 && length <= in->size("step"), "curves/length: ", length, " of ", in->size("step"),
        " steps");
  if (length == 0) return {};
  auto curve = in->read_rows<float>("curves/loss", {row, 1});
  curve.resize(static_cast<std::size_t>(length));
  return curve;
}

EditLayer read_edit_row(ColumnReader* in, std::uint64_t row) {
  EditLayer layer;
  layer.layer = in->read_rows<std::int32_t>("edits/layer", {row, 1}).front();
  const std::int32_t a_size = in->read_rows<std::int32_t>("edits/a_size", {row, 1}).front();
  const std::int32_t b_size = in->read_rows<std::int32_t>("edits/b_size", {row, 1}).front();
  const bool fits =
      a_size >= 0 && a_size <= in->size("channel") && b_size >= 0 && b_size <= in->size("write_channel");
  sound(fits, "edits: row ", row, " has ", a_size, " and ", b_size, " values");
  if (a_size > 0) layer.a = in->read_rows<float>("edits/a", {row, 1});
  if (b_size > 0) layer.b = in->read_rows<float>("edits/b", {row, 1});
  layer.a.resize(static_cast<std::size_t>(a_size));
  layer.b.resize(static_cast<std::size_t>(b_size));
  return layer;
}

std::vector<EditLayer> read_edit(ColumnReader* in, std::uint64_t row) {
  const auto ends = in->read_rows<std::int64_t>("edits/trial_offsets", {row, 2});
  const bool sorted = 0 <= ends[0] && ends[0] <= ends[1] && ends[1] <= in->size("edit_row");
  sound(sorted, "edits/trial_offsets: not ascending within the rows");
  std::vector<EditLayer> edit;
  for (std::int64_t at = ends[0]; at < ends[1]; ++at)
    edit.push_back(read_edit_row(in, static_cast<std::uint64_t>(at)));
  return edit;
}

}  // namespace

TrialOutline outline(const TrialRecord& record, const std::string& build) {
  TrialOutline result;
  result.build = build;
  result.items = record.items.size();
  result.answer_bytes = answer_bytes(record.items);
  result.steps = record.training.curve.size();
  result.edit_rows = record.edit.size();
  for (const EditLayer& layer : record.edit) {
    result.channel = std::max<std::uint64_t>(result.channel, layer.a.size());
    result.write_channel = std::max<std::uint64_t>(result.write_channel, layer.b.size());
  }
  result.record = record;
  result.record.items = {};
  result.record.training.curve = {};
  result.record.edit = {};
  return result;
}

TrialOutline missing_outline() {
  TrialOutline result;
  result.record.rank = -1;
  result.record.attempt = 0;
  return result;
}

Extents extents_of(const std::vector<TrialOutline>& outlines) {
  TrialOutline all;
  for (const TrialOutline& one : outlines) {
    all.items = std::max(all.items, one.items);
    all.answer_bytes += one.answer_bytes;
    all.steps = std::max(all.steps, one.steps);
    all.edit_rows += one.edit_rows;
    all.channel = std::max(all.channel, one.channel);
    all.write_channel = std::max(all.write_channel, one.write_channel);
  }
  const std::uint64_t trials = outlines.size();
  return {{"trial", trials},
          {"item", all.items},
          {"step", all.steps},
          {"edit_row", all.edit_rows},
          {"channel", all.channel},
          {"write_channel", all.write_channel},
          {"edit_offset", trials + 1},
          {"answer_byte", all.answer_bytes},
          {"answer_offset", trials * all.items + 1}};
}

TrialWriter::TrialWriter(ColumnWriter* out, const std::vector<TrialOutline>& outlines) : out_(out) {
  first_byte_ = {0};
  first_edit_row_ = {0};
  for (const TrialOutline& one : outlines) {
    first_byte_.push_back(first_byte_.back() + one.answer_bytes);
    first_edit_row_.push_back(first_edit_row_.back() + one.edit_rows);
  }
  write_numbers(out, outlines);
  write_texts(out, outlines);
  create_items(out, trial_items);
  finish_items(out, trial_items, column_of<std::int32_t>(outlines, [](const TrialOutline& one) {
                 return static_cast<std::int32_t>(one.items);
               }));
  out->write("curves/length", column_of<std::int32_t>(outlines, [](const TrialOutline& one) {
               return static_cast<std::int32_t>(one.steps);
             }));
  out->create("curves/loss");
  out->write("edits/trial_offsets",
             std::vector<std::int64_t>(first_edit_row_.begin(), first_edit_row_.end()));
  for (const char* name : {"layer", "a_size", "b_size", "a", "b"}) out->create(cat("edits/", name));
  for (std::size_t row = 0; row < outlines.size(); ++row)
    if (outlines[row].items == 0) write_items(out, trial_items, row, first_byte_[row], {});
}

void TrialWriter::write_long(std::size_t row, const TrialRecord& record) {
  write_items(out_, trial_items, row, first_byte_[row], record.items);
  const std::vector<float>& curve = record.training.curve;
  if (!curve.empty()) out_->write_rows("curves/loss", row, padded(curve, out_->extent("step")));
  write_edit(first_edit_row_[row], record.edit);
}

void TrialWriter::write_edit(std::uint64_t first_row, const std::vector<EditLayer>& edit) {
  for (std::size_t i = 0; i < edit.size(); ++i) {
    const EditLayer& layer = edit[i];
    const std::uint64_t row = first_row + i;
    out_->write_rows("edits/layer", row, std::vector<std::int32_t>{layer.layer});
    out_->write_rows("edits/a_size", row,
                     std::vector<std::int32_t>{static_cast<std::int32_t>(layer.a.size())});
    out_->write_rows("edits/b_size", row,
                     std::vector<std::int32_t>{static_cast<std::int32_t>(layer.b.size())});
    if (!layer.a.empty()) out_->write_rows("edits/a", row, padded(layer.a, out_->extent("channel")));
    if (!layer.b.empty()) out_->write_rows("edits/b", row, padded(layer.b, out_->extent("write_channel")));
  }
}

std::vector<TrialRecord> read_trials(ColumnReader* in, h5::Rows rows, LongValues long_values) {
  std::vector<TrialRecord> records = read_status(in, rows);
  read_numbers(in, rows, &records);
  if (long_values == LongValues::skip) return records;
  for (std::size_t i = 0; i < records.size(); ++i) {
    records[i].items = read_items(in, trial_items, rows.first + i);
    records[i].training.curve = read_curve(in, rows.first + i);
    records[i].edit = read_edit(in, rows.first + i);
  }
  return records;
}

}  // namespace headsweep
