// store/columns: writes and reads datasets by their row of the schema: type, axes, units and meaning come
// from there.
#pragma once

#include <headsweep/store.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "store/h5.hpp"

namespace headsweep {

/// Length of each axis.
using Extents = std::map<std::string, std::uint64_t>;
using Origins = std::set<Origin>;

template <class T>
constexpr ColumnType type_of();
template <>
constexpr ColumnType type_of<std::uint8_t>() {
  return ColumnType::u8;
}
template <>
constexpr ColumnType type_of<std::int32_t>() {
  return ColumnType::i32;
}
template <>
constexpr ColumnType type_of<std::int64_t>() {
  return ColumnType::i64;
}
template <>
constexpr ColumnType type_of<std::uint64_t>() {
  return ColumnType::u64;
}
template <>
constexpr ColumnType type_of<float>() {
  return ColumnType::f32;
}
template <>
constexpr ColumnType type_of<double>() {
  return ColumnType::f64;
}

/// A part is read whole; results are read and written trial by trial, and carry dimension scales.
enum class FileUse { part, results };

class ColumnWriter {
 public:
  ColumnWriter(h5::File* file, Extents extents, FileUse use);
  /// A whole column at once.
  template <class T>
  void write(const std::string& path, const std::vector<T>& values) {
    create(path);
    expect(values.size() == size_of(path), path.c_str());
    write_rows(path, 0, values);
  }
  void write(const std::string& path, const std::vector<std::string>& texts);
  /// A column that is filled by write_rows; what is not written reads as NaN or 0.
  void create(const std::string& path);
  /// Whole rows from row `first` on.
  template <class T>
  void write_rows(const std::string& path, std::uint64_t first, const std::vector<T>& values) {
    write_rows(path, type_of<T>(), first, values.size(), values.data());
  }
  [[nodiscard]] std::uint64_t extent(const std::string& axis) const;
  /// That every column of these origins was written.
  void expect_all(const Origins& origins) const;

 private:
  void create(const Column& column, std::size_t text_width);
  [[nodiscard]] std::uint64_t size_of(const std::string& path) const;
  void write_rows(const std::string& path, ColumnType type, std::uint64_t first, std::size_t count,
                  const void* values);
  void write_axis(const std::string& axis);
  [[nodiscard]] std::vector<h5::Size> chunk_of(const Column& column, const h5::Shape& shape) const;

  h5::File* file_;
  Extents extents_;
  FileUse use_;
  std::set<std::string> written_;
};

class ColumnReader {
 public:
  /// Checks format, version, links, that the columns of `origins` are there with their types, and that all
  /// lengths along an axis agree. Throws h5::Failure.
  ColumnReader(h5::File file, const std::string& format, const Origins& origins);
  [[nodiscard]] std::uint64_t extent(const std::string& axis) const;
  /// Whether the file has the rows of an axis that was added to the format.
  [[nodiscard]] bool has(const std::string& axis) const { return extents_.contains(axis); }
  [[nodiscard]] int size(const std::string& axis) const { return static_cast<int>(extent(axis)); }
  template <class T>
  std::vector<T> read(const std::string& path) {
    return read_rows<T>(path, {0, rows(path)});
  }
  template <class T>
  std::vector<T> read_rows(const std::string& path, h5::Rows rows) {
    return file_.read_rows<T>(path, rows);
  }
  std::vector<std::string> read_texts(const std::string& path) { return read_texts(path, {0, rows(path)}); }
  std::vector<std::string> read_texts(const std::string& path, h5::Rows rows);
  [[nodiscard]] std::string attribute(const std::string& name) const {
    return file_.text_attribute("/", name);
  }
  [[nodiscard]] std::int64_t number(const std::string& name) const {
    return file_.integer_attribute("/", name);
  }

 private:
  std::uint64_t rows(const std::string& path) { return file_.shape(path).dims[0]; }
  void check_column(const Column& column);

  h5::File file_;
  Extents extents_;
};

/// Root attributes `format` and `version`.
void write_format(h5::File* file, const std::string& format);
/// Throws h5::Failure with the message unless `ok`: for what a file may not hold.
template <class... Message>
void sound(bool ok, const Message&... message) {
  if (!ok) throw h5::Failure(cat(message...));
}

}  // namespace headsweep
