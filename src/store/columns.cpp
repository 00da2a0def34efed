// store/columns: columns of the schema as datasets.
#include "store/columns.hpp"

#include <algorithm>

namespace headsweep {
namespace {

constexpr std::uint64_t small = 4096;  // bytes; smaller columns lie plain
constexpr std::uint64_t results_chunk = std::uint64_t{1} << 15;
constexpr std::uint64_t part_chunk = std::uint64_t{1} << 20;

const std::map<std::string, const Column*>& columns_by_path() {
  static const auto table = [] {
    std::map<std::string, const Column*> columns;
    for (const Column& column : schema()) columns[column.path()] = &column;
    return columns;
  }();
  return table;
}

const Column& column_at(const std::string& path) {
  const auto found = columns_by_path().find(path);
  if (found == columns_by_path().end()) throw std::logic_error(cat("no column ", path, " in the schema"));
  return *found->second;
}

bool same_type(ColumnType in_file, ColumnType due) {
  return in_file == due || (in_file == ColumnType::u8 && due == ColumnType::bytes);
}

/// Axes that only count, and are longer than anyone wants to store.
bool is_bare(const std::string& axis) {
  return axis.ends_with("_byte") || axis.ends_with("_offset") || axis.ends_with("_value");
}

void check_version(const std::string& version) {
  const auto major = [](const std::string& text) { return text.substr(0, text.find('.')); };
  const bool old = version == "1.0" || version == "1.1";  // they lack columns
  sound(major(version) == major(results_version) && !old, "version ", version, ", this program reads ",
        results_version, old ? "; the headsweep that wrote it reads it" : "");
}

}  // namespace

void write_format(h5::File* file, const std::string& format) {
  file->set_attribute("/", "format", format);
  file->set_attribute("/", "version", std::string(results_version));
}

ColumnWriter::ColumnWriter(h5::File* file, Extents extents, FileUse use)
    : file_(file), extents_(std::move(extents)), use_(use) {}

std::uint64_t ColumnWriter::extent(const std::string& axis) const {
  const auto found = extents_.find(axis);
  if (found == extents_.end()) throw std::logic_error(cat("length of axis ", axis, " not given"));
  return found->second;
}

std::vector<h5::Size> ColumnWriter::chunk_of(const Column& column, const h5::Shape& shape) const {
  const std::uint64_t rows = shape.dims[0], row_bytes = shape.row_bytes();
  if (rows == 0 || row_bytes == 0 || rows * row_bytes < small) return {};
  const bool streamed = column.dims.size() > 1 && column.dims[0] == "trial";
  const std::uint64_t target = use_ == FileUse::part ? part_chunk : streamed ? 1 : results_chunk;
  std::vector<h5::Size> chunk = shape.dims;
  chunk[0] = std::clamp<std::uint64_t>(target / row_bytes, 1, rows);
  return chunk;
}

std::uint64_t ColumnWriter::size_of(const std::string& path) const {
  std::uint64_t size = 1;
  for (const std::string& axis : column_at(path).dims) size *= extent(axis);
  return size;
}

void ColumnWriter::create(const std::string& path) { create(column_at(path), 1); }

void ColumnWriter::create(const Column& column, std::size_t text_width) {
  h5::Shape shape{column.type, text_width, {}, {}};
  for (const std::string& axis : column.dims) shape.dims.push_back(extent(axis));
  shape.chunk = chunk_of(column, shape);
  const std::string path = column.path();
  file_->create_dataset(path, shape);
  file_->set_attribute(path, "units", column.units);
  file_->set_attribute(path, "long_name", column.meaning);
  written_.insert(path);
  if (use_ == FileUse::part || column.origin == Origin::axis) return;
  for (unsigned i = 0; i < column.dims.size(); ++i) {
    write_axis(column.dims[i]);
    file_->attach_scale(path, i, column.dims[i]);
  }
}

void ColumnWriter::write_axis(const std::string& axis) {
  if (written_.contains(axis)) return;
  create(axis);
  const std::uint64_t length = extent(axis);
  // How netCDF marks an axis without values of its own.
  file_->make_scale(
      axis, is_bare(axis) ? cat("This is a netCDF dimension but not a netCDF variable. ", length) : axis);
  if (is_bare(axis)) return;
  std::vector<std::int32_t> numbers(length);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::int32_t>(i);
  write_rows(axis, 0, numbers);
}

void ColumnWriter::write(const std::string& path, const std::vector<std::string>& texts) {
  std::size_t width = 1;
  for (const std::string& text : texts) width = std::max(width, text.size());
  const Column& column = column_at(path);
  expect(column.type == ColumnType::text && texts.size() == extent(column.dims[0]), path.c_str());
  create(column, width);
  std::string padded;
  padded.reserve(width * texts.size());
  for (const std::string& text : texts) padded.append(text).append(width - text.size(), '\0');
  file_->write_rows(path, {0, texts.size()}, padded.data());
}

void ColumnWriter::write_rows(const std::string& path, ColumnType type, std::uint64_t first,
                              std::size_t count, const void* values) {
  const Column& column = column_at(path);
  std::uint64_t width = 1;
  for (std::size_t axis = 1; axis < column.dims.size(); ++axis) width *= extent(column.dims[axis]);
  expect(same_type(type, column.type), path.c_str());
  if (width == 0) return;
  expect(count % width == 0 && first + count / width <= extent(column.dims[0]), path.c_str());
  file_->write_rows(path, {first, count / width}, values);
}

void ColumnWriter::expect_all(const Origins& origins) const {
  for (const Column& column : schema())
    if (origins.contains(column.origin) && !written_.contains(column.path()))
      throw std::logic_error(cat("column ", column.path(), " was not written"));
}

ColumnReader::ColumnReader(h5::File file, const std::string& format, const Origins& origins)
    : file_(std::move(file)) {
  const std::string found = attribute("format");
  sound(found == format, "format '", found, "', ", format, " is due");
  check_version(attribute("version"));
  const std::vector<std::string> paths = file_.datasets();
  for (const Column& column : schema()) {
    if (!origins.contains(column.origin)) continue;
    const bool there = std::binary_search(paths.begin(), paths.end(), column.path());
    if (column.added && !there) continue;
    sound(there, column.path(), ": missing");
    check_column(column);
  }
}

void ColumnReader::check_column(const Column& column) {
  const std::string path = column.path();
  const h5::Shape& shape = file_.shape(path);
  sound(same_type(shape.type, column.type), path, ": another type than the schema's");
  sound(shape.dims.size() == column.dims.size(), path, ": ", shape.dims.size(), " axes, ", column.dims.size(),
        " are due");
  for (std::size_t i = 0; i < column.dims.size(); ++i) {
    const std::string& axis = column.dims[i];
    const std::uint64_t due = extents_.emplace(axis, shape.dims[i]).first->second;
    sound(shape.dims[i] == due, path, ": ", shape.dims[i], " along axis ", axis, ", others have ", due);
    sound(is_bare(axis) || due <= INT32_MAX, path, ": ", due, " along axis ", axis, " are too many");
  }
}

std::uint64_t ColumnReader::extent(const std::string& axis) const {
  const auto found = extents_.find(axis);
  if (found == extents_.end()) throw std::logic_error(cat("axis ", axis, " was not read"));
  return found->second;
}

std::vector<std::string> ColumnReader::read_texts(const std::string& path, h5::Rows some) {
  const std::size_t width = file_.shape(path).text_width;
  const auto bytes = file_.read_rows<char>(path, some);
  std::vector<std::string> texts;
  for (std::size_t at = 0; at < bytes.size(); at += width) {
    const std::string_view text(bytes.data() + at, width);
    texts.emplace_back(text.substr(0, text.find_last_not_of('\0') + 1));
  }
  return texts;
}

}  // namespace headsweep
