// json: strict parsing on top of nlohmann-json: duplicate keys, depth and size are checked while parsing.
#include <headsweep/json.hpp>
#include <set>
#include <vector>

namespace headsweep {
namespace {

constexpr int most_nesting = 64;

/// Follows the parser's events: the keys of each open object, and how deep we are.
class Watch {
 public:
  explicit Watch(const std::string& where) : where_(where) {}

  bool operator()(int depth, nlohmann::detail::parse_event_t event, const Json& value) {
    using Event = nlohmann::detail::parse_event_t;
    require(depth <= most_nesting, where_, ": nested deeper than ", most_nesting);
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key) {
      const auto& key = value.get_ref<const std::string&>();
      require(keys_.back().insert(key).second, where_, ": key '", key, "' stands twice");
    }
    return true;
  }

 private:
  const std::string& where_;
  std::vector<std::set<std::string>> keys_;
};

const Json& member(const Json& object, const std::string& key, const std::string& where) {
  const auto found = object.find(key);
  require(found != object.end(), where, ": '", key, "' is missing");
  return *found;
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  const std::size_t bad = find_invalid_utf8(text);
  require(bad == std::string_view::npos, where, ": byte ", bad, " is not UTF-8");
  Watch watch(where);
  try {
    return Json::parse(text.begin(), text.end(), std::ref(watch));
  } catch (const Json::parse_error& error) {
    throw BadInput(cat(where, ": not JSON at byte ", error.byte));
  } catch (const Json::exception& error) {
    throw BadInput(cat(where, ": not JSON: ", error.what()));
  }
}

Json read_json_file(const std::filesystem::path& file, std::uint64_t cap) {
  Json value = parse_json(read_file(file, cap), file.string());
  require(value.is_object(), file.string(), ": ", json_kind(value), " found, an object is due");
  return value;
}

std::string json_kind(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return value.get<bool>() ? "true" : "false";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "a list";
    case Json::value_t::string:
      return cat("text '", value.get<std::string>().substr(0, 40), "'");
    default:
      return value.dump();
  }
}

std::int64_t json_integer(const Json& object, const std::string& key, const std::string& where,
                          std::int64_t low, std::int64_t high) {
  const Json& value = member(object, key, where);
  const bool fits = value.is_number_unsigned()
                        ? value.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX)
                        : value.is_number_integer();
  const bool ok = fits && value.get<std::int64_t>() >= low && value.get<std::int64_t>() <= high;
  require(ok, where, ": ", key, " = ", json_kind(value), ", a whole number from ", low, " to ", high,
          " is due");
  return value.get<std::int64_t>();
}

double json_number(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = member(object, key, where);
  require(value.is_number(), where, ": ", key, " = ", json_kind(value), ", a number is due");
  return value.get<double>();
}

bool json_flag(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = member(object, key, where);
  require(value.is_boolean(), where, ": ", key, " = ", json_kind(value), ", true or false is due");
  return value.get<bool>();
}

std::string json_text(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = member(object, key, where);
  require(value.is_string(), where, ": ", key, " = ", json_kind(value), ", text is due");
  return value.get<std::string>();
}

std::vector<std::string> json_texts(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = member(object, key, where);
  require(value.is_array(), where, ": ", key, " = ", json_kind(value), ", a list of texts is due");
  std::vector<std::string> texts;
  for (const Json& item : value) {
    require(item.is_string(), where, ": ", key, " holds ", json_kind(item), ", only texts are allowed");
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

}  // namespace headsweep
