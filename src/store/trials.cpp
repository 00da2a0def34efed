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

EditTarget parse_target(const std::string& text) {
  for (const EditTarget target : edit_targets)
    if (to_text(target) == text) return target;
  throw h5::Failure(cat("edits/target: '", text.substr(0, 20), "' is not known"));
}

/// Values of some rows, which lie one after the other.
struct RowValues {
  std::vector<std::int64_t> ends;  ///< [rows + 1]
  std::vector<float> values;
  [[nodiscard]] std::vector<float> of(std::size_t row) const {
    const auto place = [&](std::size_t i) { return values.begin() + (ends[i] - ends[0]); };
    return {place(row), place(row + 1)};
  }
};
RowValues read_values(ColumnReader* in, const std::string& name, h5::Rows rows) {
  RowValues read;
  read.ends = in->read_rows<std::int64_t>(cat("edits/", name, "_offsets"), {rows.first, rows.count + 1});
  const auto all = static_cast<std::int64_t>(in->extent(name + "_value"));
  const bool sorted =
      read.ends.front() >= 0 && read.ends.back() <= all && std::is_sorted(read.ends.begin(), read.ends.end());
  sound(sorted, "edits/", name, "_offsets: not ascending within the values");
  const auto first = static_cast<std::uint64_t>(read.ends.front());
  read.values = in->read_rows<float>(cat("edits/", name),
                                     {first, static_cast<std::uint64_t>(read.ends.back()) - first});
  return read;
}

std::vector<EditLayer> read_edit(ColumnReader* in, std::uint64_t row) {
  const auto ends = in->read_rows<std::int64_t>("edits/trial_offsets", {row, 2});
  const bool sorted = 0 <= ends[0] && ends[0] <= ends[1] && ends[1] <= in->size("edit_row");
  sound(sorted, "edits/trial_offsets: not ascending within the rows");
  if (ends[0] == ends[1]) return {};
  const h5::Rows rows{static_cast<std::uint64_t>(ends[0]), static_cast<std::uint64_t>(ends[1] - ends[0])};
  const auto layers = in->read_rows<std::int32_t>("edits/layer", rows);
  const auto targets = in->read_texts("edits/target", rows);
  const RowValues a = read_values(in, "a", rows), b = read_values(in, "b", rows);
  std::vector<EditLayer> edit;
  for (std::size_t i = 0; i < layers.size(); ++i)
    edit.push_back({.layer = layers[i], .target = parse_target(targets[i]), .a = a.of(i), .b = b.of(i)});
  return edit;
}

}  // namespace

TrialOutline outline(const TrialRecord& record, const std::string& build) {
  TrialOutline result;
  result.build = build;
  result.items = record.items.size();
  result.answer_bytes = answer_bytes(record.items);
  result.steps = record.training.curve.size();
  for (const EditLayer& layer : record.edit)
    result.edit.push_back({layer.layer, layer.target, layer.a.size(), layer.b.size()});
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
  std::uint64_t rows = 0, a_values = 0, b_values = 0;
  for (const TrialOutline& one : outlines) {
    all.items = std::max(all.items, one.items);
    all.answer_bytes += one.answer_bytes;
    all.steps = std::max(all.steps, one.steps);
    rows += one.edit.size();
    for (const TrialOutline::EditRow& row : one.edit) {
      a_values += row.a_size;
      b_values += row.b_size;
    }
  }
  const std::uint64_t trials = outlines.size();
  return {{"trial", trials},
          {"item", all.items},
          {"step", all.steps},
          {"edit_row", rows},
          {"edit_row_offset", rows + 1},
          {"a_value", a_values},
          {"b_value", b_values},
          {"edit_offset", trials + 1},
          {"answer_byte", all.answer_bytes},
          {"answer_offset", trials * all.items + 1}};
}

TrialWriter::TrialWriter(ColumnWriter* out, const std::vector<TrialOutline>& outlines) : out_(out) {
  first_byte_ = {0};
  for (const TrialOutline& one : outlines) first_byte_.push_back(first_byte_.back() + one.answer_bytes);
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
  write_edit_rows(outlines);
  for (std::size_t row = 0; row < outlines.size(); ++row)
    if (outlines[row].items == 0) write_items(out, trial_items, row, first_byte_[row], {});
}

void TrialWriter::write_long(std::size_t row, const TrialRecord& record) {
  write_items(out_, trial_items, row, first_byte_[row], record.items);
  const std::vector<float>& curve = record.training.curve;
  if (!curve.empty()) out_->write_rows("curves/loss", row, padded(curve, out_->extent("step")));
  const auto write = [&](const char* path, std::uint64_t first, std::vector<float> EditLayer::*member) {
    std::vector<float> values;
    for (const EditLayer& layer : record.edit)
      values.insert(values.end(), (layer.*member).begin(), (layer.*member).end());
    if (!values.empty()) out_->write_rows(path, first, values);
  };
  write("edits/a", first_a_[row], &EditLayer::a);
  write("edits/b", first_b_[row], &EditLayer::b);
}

/// Where each trial's rows and each row's values lie, and what the rows edit.
void TrialWriter::write_edit_rows(const std::vector<TrialOutline>& outlines) {
  std::vector<std::int64_t> rows = {0}, a = {0}, b = {0};
  std::vector<std::int32_t> layers;
  std::vector<std::string> targets;
  for (const TrialOutline& one : outlines) {
    first_a_.push_back(static_cast<std::uint64_t>(a.back()));
    first_b_.push_back(static_cast<std::uint64_t>(b.back()));
    for (const TrialOutline::EditRow& row : one.edit) {
      layers.push_back(row.layer);
      targets.push_back(to_text(row.target));
      a.push_back(a.back() + static_cast<std::int64_t>(row.a_size));
      b.push_back(b.back() + static_cast<std::int64_t>(row.b_size));
    }
    rows.push_back(static_cast<std::int64_t>(layers.size()));
  }
  out_->write("edits/trial_offsets", rows);
  out_->write("edits/layer", layers);
  out_->write("edits/target", targets);
  out_->write("edits/a_offsets", a);
  out_->write("edits/b_offsets", b);
  out_->create("edits/a");
  out_->create("edits/b");
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
