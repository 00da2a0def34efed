// data, private: what the readers of this module check alike, and how their messages name a place and a text.
#pragma once

#include <headsweep/data.hpp>
#include <headsweep/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace headsweep {

/// A text in a message: quoted, in one line, shortened.
std::string quote(std::string_view text);
/// `file:line` of a question.
std::string place_of(const Behaviour& behaviour, std::size_t question);
/// BadInput for a byte-order mark at the beginning of a file.
void check_no_mark(std::string_view bytes, const std::string& file);
/// Lines of a text file's bytes. BadInput `file:line: ...` for BOM, CRLF, NUL, bad UTF-8.
std::vector<std::string_view> cut_lines(std::string_view bytes, const std::string& file);
/// BadInput unless every key of the object is allowed; names the nearest one.
void check_fields(const Json& object, const std::vector<std::string>& allowed, const std::string& where);

}  // namespace headsweep
