// data, private: code points of UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace headsweep {

/// The code point that begins at byte `at` of a valid UTF-8 text; moves `at` behind it.
char32_t read_code_point(std::string_view text, std::size_t& at);
/// Appends a code point as UTF-8.
void append_code_point(std::string& text, char32_t code_point);
/// Valid UTF-8: U+FFFD stands for each longest beginning of a character that is not completed, as in Rust's
/// from_utf8_lossy.
std::string repair_utf8(std::string_view bytes);

}  // namespace headsweep
