// json: strict reading of JSON from untrusted files. Level 0. Used where a file is JSON; knows nothing of its
// meaning.
#pragma once

#include <cstdint>
#include <filesystem>
#include <headsweep/base.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace headsweep {

using Json = nlohmann::json;

/// Parses one JSON value that fills `text`. Throws BadInput `file: place: ...` on bad syntax (with the byte),
/// bad UTF-8, a duplicate key, a NaN literal, or nesting deeper than 64.
Json parse_json(std::string_view text, const std::string& where);

/// Reads a JSON file of at most `cap` bytes whose top value is an object.
Json read_json_file(const std::filesystem::path& file, std::uint64_t cap = 100'000'000);

/// A member of an object read with its type checked; `where` is the place named in errors. Absent or of
/// another type: BadInput with what was found and what is allowed.
std::int64_t json_integer(const Json& object, const std::string& key, const std::string& where,
                          std::int64_t low, std::int64_t high);
double json_number(const Json& object, const std::string& key, const std::string& where);
bool json_flag(const Json& object, const std::string& key, const std::string& where);
std::string json_text(const Json& object, const std::string& key, const std::string& where);
std::vector<std::string> json_texts(const Json& object, const std::string& key, const std::string& where);
/// What a value is, for messages: `a number`, `null`, ...
std::string json_kind(const Json& value);

}  // namespace headsweep
