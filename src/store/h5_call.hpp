// store/h5_call: what every call of HDF5 needs: the library started, an identifier owned, a status checked, a
// type.
#pragma once

#include <cstdint>
#include <headsweep/store.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace headsweep::h5 {

/// What HDF5 refused, or what a file may not hold, in one line.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Owns one HDF5 identifier.
class Handle {
 public:
  using Close = int (*)(std::int64_t);
  Handle() = default;
  /// Throws Failure(`what`) if `id` is the negative number that a failed call gives back.
  Handle(std::int64_t id, Close close, const std::string& what);
  ~Handle() { reset(); }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept;
  [[nodiscard]] std::int64_t id() const { return id_; }
  /// Closes now; false if HDF5 could not.
  bool reset() { return id_ < 0 || close_(std::exchange(id_, -1)) >= 0; }

 private:
  std::int64_t id_ = -1;
  Close close_ = nullptr;
};

/// Once a process: no printing, no plug-ins, no clean-up at exit (which crashes after a full disk).
void start_library();
/// HDF5's own words on the last failed call, outermost first, in one line.
std::string error_stack();
/// Throws Failure(`what: error stack`) for the negative number that a failed call gives back.
void check(std::int64_t status, const std::string& what);
/// How values lie in the file, and in memory.
Handle file_type(ColumnType type, std::size_t text_width);
Handle memory_type(ColumnType type, std::size_t text_width);
/// A text of exactly `width` bytes, UTF-8, padded with zero bytes.
Handle text_type(std::size_t width);

}  // namespace headsweep::h5
