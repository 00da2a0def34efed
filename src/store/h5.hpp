// store/h5: the one thin layer over the HDF5 C library: files, datasets, attributes, dimension scales. Every
// call is checked; a failure carries HDF5's own error stack. One thread; no handle is ever shared.
#pragma once

#include <cstdint>
#include <filesystem>
#include <headsweep/store.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "store/h5_call.hpp"

namespace headsweep::h5 {

/// HDF5's own type of lengths.
using Size = unsigned long long;

/// Form of a dataset.
struct Shape {
  ColumnType type = ColumnType::f32;
  std::size_t text_width = 1;  ///< bytes of one text
  std::vector<Size> dims;
  std::vector<Size> chunk;  ///< empty: contiguous; else deflated
  [[nodiscard]] std::uint64_t value_bytes() const;
  [[nodiscard]] std::uint64_t row_bytes() const;  ///< of one index of the first axis
};

/// Rows [first, first + count) of a dataset's first axis.
struct Rows {
  std::uint64_t first = 0, count = 0;
};

/// An HDF5 file. Datasets are named by their path from the root, `trials/seconds`, without a leading slash.
class File {
 public:
  static File create(const std::filesystem::path& file);
  /// An existing file, written by this program, whose rows and attributes are to change.
  static File open_to_change(const std::filesystem::path& file);
  static File create_image();  ///< lives in memory alone
  /// Read-only. A file from outside is not trusted: links that lead out, virtual and external data, filters
  /// other than deflate and shuffle, and reads far larger than the file are refused.
  static File open(const std::filesystem::path& file);
  static File open_image(const std::string& bytes);

  [[nodiscard]] std::string image() const;  ///< the file's bytes
  void close();                             ///< throws what a destructor would hide: a full disk

  void create_dataset(const std::string& path, const Shape& shape);
  void write_rows(const std::string& path, Rows rows, const void* values);
  /// An attribute that is there is replaced.
  void set_attribute(const std::string& path, const std::string& name, const std::string& text);
  void set_attribute(const std::string& path, const std::string& name, std::int64_t value);
  void set_attribute(const std::string& path, const std::string& name, double value);
  void make_scale(const std::string& path, const std::string& name);
  void attach_scale(const std::string& path, unsigned axis, const std::string& scale);
  [[nodiscard]] bool has_scale(const std::string& path, unsigned axis);

  [[nodiscard]] std::vector<std::string> datasets()
      const;  ///< every dataset's path, sorted; checks every link
  [[nodiscard]] const Shape& shape(const std::string& path);
  /// The values of some rows; texts as bytes, each padded to the width. Refuses more than the file can hold.
  template <class T>
  std::vector<T> read_rows(const std::string& path, Rows rows) {
    std::vector<T> values(bytes_of(path, rows) / sizeof(T));
    read_rows(path, rows, values.data());
    return values;
  }
  [[nodiscard]] std::string text_attribute(const std::string& path, const std::string& name) const;
  [[nodiscard]] std::int64_t integer_attribute(const std::string& path, const std::string& name) const;

 private:
  struct Dataset {
    Handle handle;
    Shape shape;
  };
  File(Handle file, std::uint64_t read_limit) : file_(std::move(file)), read_limit_(read_limit) {}
  Dataset& dataset(const std::string& path);
  void make_groups(const std::string& path);
  /// A scalar attribute; types are HDF5's.
  void put_attribute(const std::string& path, const std::string& name, std::int64_t type,
                     std::int64_t memory_type, const void* value);
  std::uint64_t bytes_of(const std::string& path, Rows rows);
  void read_rows(const std::string& path, Rows rows, void* values);
  void list(const std::string& group, int depth, std::vector<std::string>* found) const;

  Handle file_;
  std::uint64_t read_limit_ = 0;  ///< bytes that one read may ask for
  std::map<std::string, Dataset> open_;
  std::set<std::string> groups_;  ///< made by this writer
};

}  // namespace headsweep::h5
