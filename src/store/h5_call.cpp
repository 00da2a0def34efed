// store/h5_call: HDF5's error stack as text, and the types that results have.
#include "store/h5_call.hpp"

#include <hdf5.h>

#include <algorithm>

namespace headsweep::h5 {
namespace {

herr_t append_message(unsigned depth, const H5E_error2_t* error, void* text) {
  auto& words = *static_cast<std::string*>(text);
  if (depth > 0) words += "; ";
  words += cat(error->desc != nullptr ? error->desc : "?", " (", error->func_name, ")");
  return 0;
}

int close_nothing(std::int64_t) { return 0; }

/// The library's own types are never closed.
Handle lasting(std::int64_t id) { return {id, close_nothing, "type"}; }

}  // namespace

void start_library() {
  static const bool started = [] {
    H5dont_atexit();
    check(H5open(), "start of HDF5");
    check(H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr), "error printing");
    check(H5PLset_loading_state(0), "plug-ins");
    return true;
  }();
  expect(started, "HDF5 started");
}

std::string error_stack() {
  std::string words;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, append_message, &words);
  H5Eclear2(H5E_DEFAULT);
  std::replace(words.begin(), words.end(), '\n', ' ');  // it puts times in, with an end of line
  return words.empty() ? "no reason given" : words;
}

void check(std::int64_t status, const std::string& what) {
  if (status < 0) throw Failure(cat(what, ": ", error_stack()));
}

Handle::Handle(std::int64_t id, Close close, const std::string& what) : id_(id), close_(close) {
  check(id, what);
}

Handle& Handle::operator=(Handle&& other) noexcept {
  if (this == &other) return *this;
  reset();
  id_ = std::exchange(other.id_, -1);
  close_ = other.close_;
  return *this;
}

Handle text_type(std::size_t width) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "text type");
  check(H5Tset_size(type.id(), width), "text width");
  check(H5Tset_cset(type.id(), H5T_CSET_UTF8), "UTF-8");
  check(H5Tset_strpad(type.id(), H5T_STR_NULLPAD), "padding");
  return type;
}

Handle file_type(ColumnType type, std::size_t text_width) {
  switch (type) {
    case ColumnType::u8:
    case ColumnType::bytes:
      return lasting(H5T_STD_U8LE);
    case ColumnType::i32:
      return lasting(H5T_STD_I32LE);
    case ColumnType::i64:
      return lasting(H5T_STD_I64LE);
    case ColumnType::u64:
      return lasting(H5T_STD_U64LE);
    case ColumnType::f32:
      return lasting(H5T_IEEE_F32LE);
    case ColumnType::f64:
      return lasting(H5T_IEEE_F64LE);
    case ColumnType::text:
      return text_type(text_width);
  }
  throw std::logic_error("a type without a form in the file");
}

Handle memory_type(ColumnType type, std::size_t text_width) {
  switch (type) {
    case ColumnType::u8:
    case ColumnType::bytes:
      return lasting(H5T_NATIVE_UINT8);
    case ColumnType::i32:
      return lasting(H5T_NATIVE_INT32);
    case ColumnType::i64:
      return lasting(H5T_NATIVE_INT64);
    case ColumnType::u64:
      return lasting(H5T_NATIVE_UINT64);
    case ColumnType::f32:
      return lasting(H5T_NATIVE_FLOAT);
    case ColumnType::f64:
      return lasting(H5T_NATIVE_DOUBLE);
    case ColumnType::text:
      return text_type(text_width);
  }
  throw std::logic_error("a type without a form in memory");
}

}  // namespace headsweep::h5
