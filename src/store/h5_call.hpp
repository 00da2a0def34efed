// store/h5_call: what the parts of the HDF5 layer share: starting the library, checking a call, types.
#pragma once

#include <cstdint>
#include <string>

#include "store/h5.hpp"

namespace headsweep::h5 {

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
