// data: lines of untrusted text files, fields of untrusted objects, texts in messages.
#include "data/checks.hpp"

#include <algorithm>

namespace headsweep {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

void check_line(std::string_view line, const std::string& where) {
  require(line.find('\r') == std::string_view::npos, where,
          ": carriage return; lines end with a line feed alone");
  require(line.find('\0') == std::string_view::npos, where, ": NUL character");
  const std::size_t bad = find_invalid_utf8(line);
  require(bad == std::string_view::npos, where, ": byte ", bad, " is not UTF-8");
}

}  // namespace

std::string quote(std::string_view text) {
  constexpr std::size_t most = 60;
  std::size_t length = std::min(text.size(), most);
  const auto inside_character = [&] { return (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U; };
  while (length > 0 && length < text.size() && inside_character()) --length;
  std::string shown(text.substr(0, length));
  const auto is_control = [](unsigned char byte) { return byte < 0x20; };
  std::replace_if(shown.begin(), shown.end(), is_control, ' ');
  return cat("'", shown, length < text.size() ? "...'" : "'");
}

std::string place_of(const Behaviour& behaviour, std::size_t question) {
  return cat(behaviour.file, ":", behaviour.questions.at(question).line);
}

void check_no_mark(std::string_view bytes, const std::string& file) {
  require(!bytes.starts_with(byte_order_mark), file, ":1: byte-order mark; plain UTF-8 without it is due");
}

std::vector<std::string_view> cut_lines(std::string_view bytes, const std::string& file) {
  check_no_mark(bytes, file);
  std::vector<std::string_view> lines;
  while (!bytes.empty()) {
    const std::size_t length = std::min(bytes.find('\n'), bytes.size());
    lines.push_back(bytes.substr(0, length));
    check_line(lines.back(), cat(file, ":", lines.size()));
    bytes.remove_prefix(std::min(length + 1, bytes.size()));
  }
  return lines;
}

void check_fields(const Json& object, const std::vector<std::string>& allowed, const std::string& where) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(allowed.begin(), allowed.end(), key) != allowed.end()) continue;
    const std::string near = nearest(key, allowed);
    const std::string guess = near.empty() ? "" : cat(", did you mean '", near, "'?");
    throw BadInput(
        cat(where, ": unknown field ", quote(key), guess, " (allowed: ", join(allowed, ", "), ")"));
  }
}

}  // namespace headsweep
