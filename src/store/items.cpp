// store/items: rows of items and metrics.
#include "store/items.hpp"

#include "store/fields.hpp"

namespace headsweep {
namespace {

/// NaN or 0 after the last item.
template <class Value>
void write_padded(ColumnWriter* out, const ItemGroup& where, std::uint64_t row,
                  const std::vector<Item>& items, const Field<Item, Value>& field) {
  constexpr Value padding = std::is_same_v<Value, float> ? Value(not_measured) : Value{0};
  std::vector<Value> values(out->extent("item"), padding);
  for (std::size_t i = 0; i < items.size(); ++i) values[i] = field.get(items[i]);
  out->write_rows(cat(where.group, "/", field.name), row, values);
}

template <class Value>
void read_field(ColumnReader* in, const ItemGroup& where, std::uint64_t row, const Field<Item, Value>& field,
                std::vector<Item>* items) {
  const auto values = in->read_rows<Value>(cat(where.group, "/", field.name), {row, 1});
  for (std::size_t i = 0; i < items->size(); ++i) field.set((*items)[i], values[i]);
}

void read_answers(ColumnReader* in, const ItemGroup& where, std::uint64_t row, std::vector<Item>* items) {
  const std::uint64_t width = in->extent("item");
  const auto offsets =
      in->read_rows<std::int64_t>(cat(where.group, "/answer_offsets"), {row * width, width + 1});
  const auto all_bytes = static_cast<std::int64_t>(in->extent(where.byte_axis));
  bool sorted = offsets.front() >= 0 && offsets.back() <= all_bytes;
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) sorted = sorted && offsets[i] <= offsets[i + 1];
  sound(sorted, where.group, "/answer_offsets: not ascending within the answers");
  const auto first = static_cast<std::uint64_t>(offsets.front());
  const auto bytes = in->read_rows<char>(cat(where.group, "/answer_bytes"),
                                         {first, static_cast<std::uint64_t>(offsets.back()) - first});
  for (std::size_t i = 0; i < items->size(); ++i)
    (*items)[i].answer.assign(bytes.data() + (offsets[i] - offsets[0]),
                              bytes.data() + (offsets[i + 1] - offsets[0]));
}

}  // namespace

std::uint64_t answer_bytes(const std::vector<Item>& items) {
  std::uint64_t bytes = 0;
  for (const Item& item : items) bytes += item.answer.size();
  return bytes;
}

void create_items(ColumnWriter* out, const ItemGroup& where) {
  for (const auto& field : item_fields()) out->create(cat(where.group, "/", field.name));
  for (const auto& field : item_flags()) out->create(cat(where.group, "/", field.name));
  out->create(cat(where.group, "/answer_bytes"));
  out->create(cat(where.group, "/answer_offsets"));
}

void write_items(ColumnWriter* out, const ItemGroup& where, std::uint64_t row, std::uint64_t first_byte,
                 const std::vector<Item>& items) {
  const std::uint64_t width = out->extent("item");
  expect(items.size() <= width, "no more items than the axis has");
  std::vector<std::int64_t> offsets(width, static_cast<std::int64_t>(first_byte + answer_bytes(items)));
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < items.size(); ++i) {
    offsets[i] = static_cast<std::int64_t>(first_byte + bytes.size());
    bytes.insert(bytes.end(), items[i].answer.begin(), items[i].answer.end());
  }
  out->write_rows(cat(where.group, "/answer_offsets"), row * width, offsets);
  if (items.empty()) return;
  out->write_rows(cat(where.group, "/answer_bytes"), first_byte, bytes);
  for (const auto& field : item_fields()) write_padded(out, where, row, items, field);
  for (const auto& field : item_flags()) write_padded(out, where, row, items, field);
}

void finish_items(ColumnWriter* out, const ItemGroup& where, const std::vector<std::int32_t>& counts) {
  const std::vector<std::int64_t> end = {static_cast<std::int64_t>(out->extent(where.byte_axis))};
  out->write_rows(cat(where.group, "/answer_offsets"), counts.size() * out->extent("item"), end);
  out->write(cat(where.group, "/count"), counts);
}

std::vector<Item> read_items(ColumnReader* in, const ItemGroup& where, std::uint64_t row) {
  const std::int32_t count = in->read_rows<std::int32_t>(cat(where.group, "/count"), {row, 1}).front();
  const bool fits = count >= 0 && static_cast<std::uint64_t>(count) <= in->extent("item");
  sound(fits, where.group, "/count: ", count, " items of ", in->extent("item"));
  std::vector<Item> items(static_cast<std::size_t>(count));
  if (items.empty()) return items;
  for (const auto& field : item_fields()) read_field(in, where, row, field, &items);
  for (const auto& field : item_flags()) read_field(in, where, row, field, &items);
  read_answers(in, where, row, &items);
  return items;
}

void write_metrics(ColumnWriter* out, const std::string& group, const std::vector<Metrics>& rows) {
  for (const auto& field : metric_fields()) {
    std::vector<float> values;
    for (const Metrics& metrics : rows) values.push_back(field.get(metrics));
    out->write(cat(group, "/", field.name), values);
  }
}

std::vector<Metrics> read_metrics(ColumnReader* in, const std::string& group, h5::Rows rows) {
  std::vector<Metrics> metrics;
  for (const auto& field : metric_fields()) {
    const auto values = in->read_rows<float>(cat(group, "/", field.name), rows);
    metrics.resize(values.size());
    for (std::size_t i = 0; i < metrics.size(); ++i) field.set(metrics[i], values[i]);
  }
  return metrics;
}

}  // namespace headsweep
