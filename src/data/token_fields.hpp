// data, private: fields of tokenizer files, read strictly.
#pragma once

#include <headsweep/json.hpp>
#include <string>
#include <vector>

namespace headsweep {

/// A token's id: not negative, and 1 + id is an int.
bool is_token_id(const Json& value);
int read_token_id(const Json& value, const std::string& where);

/// Type of a part of a tokenizer ("null" where it is null or absent). BadInput, with the list, unless
/// supported.
std::string part_type(const Json& owner, const std::string& part, const std::vector<std::string>& supported,
                      const std::string& where);

/// The parts of a `Sequence` that stand in its list `field`; else the part alone, if it is not null.
std::vector<Json> sequence_of(const Json& owner, const std::string& part, const std::string& field,
                              const std::string& where);

/// A flag that may be absent or null.
bool flag_or(const Json& object, const std::string& key, bool otherwise, const std::string& where);

/// BadInput unless the member is absent or one of these values.
void require_value(const Json& object, const std::string& key, const std::vector<Json>& allowed,
                   const std::string& where);

}  // namespace headsweep
