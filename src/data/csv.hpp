// data, private: comma-separated values as RFC 4180 has them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace headsweep {

/// One record: its fields without their quotes, and the line of the file that it begins in.
struct CsvRecord {
  std::size_t line = 0;
  std::vector<std::string> fields;
};
/// All records, but for empty lines at the end; lines end with LF or CRLF, and a field in quotes may hold commas, line ends and doubled
/// quotes. BadInput `file:line: ...` for a quote that is not closed or stands inside a bare field, text after
/// a closing quote, a lone carriage return, BOM, NUL, bad UTF-8.
std::vector<CsvRecord> parse_csv(std::string_view bytes, const std::string& file);

}  // namespace headsweep
