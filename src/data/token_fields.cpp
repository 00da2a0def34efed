// data: fields of tokenizer files.
#include "data/token_fields.hpp"

#include <algorithm>
#include <limits>

#include "data/checks.hpp"

namespace headsweep {
namespace {

constexpr std::uint64_t largest_id = std::numeric_limits<int>::max() - 1;

}  // namespace

bool is_token_id(const Json& value) {
  return value.is_number_unsigned() && value.get<std::uint64_t>() <= largest_id;
}

int read_token_id(const Json& value, const std::string& where) {
  require(is_token_id(value), where, ": id ", json_kind(value), ", a whole number from 0 to ", largest_id,
          " is due");
  return value.get<int>();
}

std::string part_type(const Json& owner, const std::string& part, const std::vector<std::string>& supported,
                      const std::string& where) {
  const auto found = owner.find(part);
  const bool absent = found == owner.end() || found->is_null();
  require(absent || found->is_object(), where, ": ", part, " is ", absent ? "" : json_kind(*found),
          ", an object is due");
  std::string type = absent ? "null" : json_text(*found, "type", cat(where, ": ", part));
  require(std::find(supported.begin(), supported.end(), type) != supported.end(), where, ": ", part, " ",
          quote(type), " is not supported (supported: ", join(supported, ", "), ")");
  return type;
}

std::vector<Json> sequence_of(const Json& owner, const std::string& part, const std::string& field,
                              const std::string& where) {
  const auto found = owner.find(part);
  if (found == owner.end() || found->is_null()) return {};
  require(found->is_object(), where, ": ", part, " is ", json_kind(*found), ", an object is due");
  if (json_text(*found, "type", cat(where, ": ", part)) != "Sequence") return {*found};
  check_fields(*found, {"type", field}, cat(where, ": ", part));
  require(found->contains(field) && (*found)[field].is_array(), where, ": ", part, ": a list '", field,
          "' is due");
  return (*found)[field].get<std::vector<Json>>();
}

bool flag_or(const Json& object, const std::string& key, bool otherwise, const std::string& where) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? otherwise : json_flag(object, key, where);
}

void require_value(const Json& object, const std::string& key, const std::vector<Json>& allowed,
                   const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end() || std::find(allowed.begin(), allowed.end(), *found) != allowed.end()) return;
  std::vector<std::string> texts;
  for (const Json& value : allowed) texts.push_back(value.dump());
  throw BadInput(cat(where, ": ", key, " ",
                     quote(found->dump(-1, ' ', false, Json::error_handler_t::replace)),
                     " is not supported (supported: ", join(texts, ", "), ")"));
}

}  // namespace headsweep
