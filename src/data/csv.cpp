// data: comma-separated values. In: a file's bytes; out: records with their lines. One pass.
#include "data/csv.hpp"

#include <algorithm>

#include "data/checks.hpp"

namespace headsweep {
namespace {

/// A byte that no field may hold is told with its line before anything is read.
void check_bytes(std::string_view bytes, const std::string& file) {
  check_no_mark(bytes, file);
  const auto place = [&](std::size_t at) {
    return cat(file, ":",
               1 + std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
  };
  const std::size_t bad = find_invalid_utf8(bytes), nul = bytes.find('\0');
  require(nul == std::string_view::npos, place(std::min(nul, bytes.size())), ": NUL character");
  const std::size_t line = bad == std::string_view::npos ? 0 : bytes.rfind('\n', bad) + 1;
  require(bad == std::string_view::npos, place(std::min(bad, bytes.size())), ": byte ", bad - line,
          " is not UTF-8");
}

class CsvReader {
 public:
  CsvReader(std::string_view bytes, const std::string& file) : rest_(bytes), file_(file) {}

  std::vector<CsvRecord> run() {
    std::vector<CsvRecord> records;
    while (rest_.find_first_not_of("\r\n") != std::string_view::npos) records.push_back(read_record());
    return records;
  }

 private:
  CsvRecord read_record() {
    CsvRecord record{line_, {}};
    do record.fields.push_back(take('"') ? read_quoted() : read_bare());
    while (take(','));
    const bool ends = rest_.empty() || take_line_end();
    require(ends || rest_[0] != '\r', place(line_), ": a carriage return without its line feed");
    require(ends || rest_[0] != '"', place(line_),
            ": a quote inside a field; such a field stands in quotes, and its own are doubled");
    require(ends, place(line_), ": text after a closing quote; a comma or the line's end is due");
    return record;
  }

  std::string read_bare() {
    const std::size_t length = std::min(rest_.find_first_of(",\r\n\""), rest_.size());
    std::string field(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return field;
  }

  std::string read_quoted() {
    const std::size_t begin = line_;
    std::string field;
    while (true) {
      const std::size_t length = rest_.find('"');
      require(length != std::string_view::npos, place(begin), ": a quote is not closed");
      const std::string_view text = rest_.substr(0, length);
      line_ += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
      field += text;
      rest_.remove_prefix(length + 1);
      if (!take('"')) return field;
      field += '"';
    }
  }

  bool take(char due) {
    if (!rest_.starts_with(due)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take_line_end() {
    const std::string_view end = rest_.starts_with("\r\n") ? "\r\n" : "\n";
    if (!rest_.starts_with(end)) return false;
    rest_.remove_prefix(end.size());
    ++line_;
    return true;
  }
  [[nodiscard]] std::string place(std::size_t line) const { return cat(file_, ":", line); }

  std::string_view rest_;
  const std::string& file_;
  std::size_t line_ = 1;
};

}  // namespace

std::vector<CsvRecord> parse_csv(std::string_view bytes, const std::string& file) {
  check_bytes(bytes, file);
  return CsvReader(bytes, file).run();
}

}  // namespace headsweep
