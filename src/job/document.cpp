// job: YAML events -> YamlValue, refusing all that a job file may not hold.
#include "job/document.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

namespace headsweep {
namespace {

int line_of(const YamlSource& source, const YAML::Mark& mark) {
  return source.lines ? std::max(mark.line, 0) + 1 : 0;
}

/// Whether the quoted text that begins at `at` ends: the parser lets an open one run to the end of the file.
bool quote_ends(const std::string& text, std::size_t at) {
  const char quote = text[at];
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    const bool doubled = quote == '\'' && text.compare(i, 2, "''") == 0;
    if (doubled || (quote == '"' && text[i] == '\\'))
      ++i;
    else if (text[i] == quote)
      return true;
  }
  return false;
}

/// Builds the tree from the parser's events.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& text, const YamlOrigin& source) : text_(text), source_(source) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) refuse(mark, "a second document found, one is allowed");
  }
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    refuse(mark, "anchor '&", name, "' found, anchors and aliases are not allowed");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(mark, "alias found, anchors and aliases are not allowed");
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    put(mark, made(mark, YamlValue::Kind::nothing));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& text) override {
    // The parser gives plain scalars the tag `?`, quoted ones `!`, which a file may also write itself.
    const bool quoted = tag == "!" && !stands_at(mark, '!');
    if (tag != "?" && !quoted) refuse_tag(mark);
    const bool open = (stands_at(mark, '"') || stands_at(mark, '\'')) &&
                      !quote_ends(text_, static_cast<std::size_t>(mark.pos));
    if (open) refuse(mark, "a quoted text without its end found");
    YamlValue value = made(mark, quoted ? YamlValue::Kind::text : YamlValue::Kind::word);
    value.text = text;
    put(mark, std::move(value));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    begin(mark, tag, YamlValue::Kind::list);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    begin(mark, tag, YamlValue::Kind::map);
  }
  void OnMapEnd() override { end(); }

  /// The finished document, if there was one.
  std::optional<YamlValue> root;

 private:
  /// A list or map that has begun and not ended.
  struct Open {
    YAML::Mark mark;
    YamlValue value;
    std::map<std::string, int> keys = {};  ///< with their lines
    std::optional<std::string> key = {};   ///< whose value comes next
  };

  [[nodiscard]] YamlValue made(const YAML::Mark& mark, YamlValue::Kind kind) const {
    return {.kind = kind, .line = line_of(*source_, mark), .source = source_};
  }
  template <class... Message>
  [[noreturn]] void refuse(const YAML::Mark& mark, const Message&... message) const {
    YamlPlace place{.file = source_->name, .line = line_of(*source_, mark)};
    for (const Open& open : open_)
      place = open.value.kind == YamlValue::Kind::list ? place.item(open.value.items.size(), place.line)
              : open.key                               ? place.entry(*open.key, place.line)
                                                       : place;
    throw BadInput(cat(place.text(), message...));
  }
  [[noreturn]] void refuse_tag(const YAML::Mark& mark) const {
    refuse(mark, "tag found, tags are not allowed");
  }

  bool stands_at(const YAML::Mark& mark, char c) const {
    return mark.pos >= 0 && static_cast<std::size_t>(mark.pos) < text_.size() &&
           text_[static_cast<std::size_t>(mark.pos)] == c;
  }
  bool key_is_due() const {
    return !open_.empty() && open_.back().value.kind == YamlValue::Kind::map && !open_.back().key;
  }

  void begin(const YAML::Mark& mark, const std::string& tag, YamlValue::Kind kind) {
    if (tag != "?") refuse_tag(mark);
    if (key_is_due()) refuse(mark, "a list or map found, a key is due");
    if (open_.size() == most_yaml_nesting) refuse(mark, "nested deeper than ", most_yaml_nesting);
    open_.push_back({.mark = mark, .value = made(mark, kind)});
  }
  void end() {
    Open closed = std::move(open_.back());
    open_.pop_back();
    put(closed.mark, std::move(closed.value));
  }
  void put(const YAML::Mark& mark, YamlValue value) {
    if (open_.empty()) {
      root = std::move(value);
    } else if (key_is_due()) {
      put_key(mark, value);
    } else {
      Open& parent = open_.back();
      if (parent.key) {
        value.line = parent.keys.at(*parent.key);
        value.key = *std::exchange(parent.key, std::nullopt);
      }
      parent.value.items.push_back(std::move(value));
    }
  }
  void put_key(const YAML::Mark& mark, const YamlValue& key) {
    if (key.text == "<<") refuse(mark, "merge key '<<' found, merge keys are not allowed");
    if (!is_yaml_key(key.text))
      refuse(mark, describe(key), " found, a key is due: up to 64 letters, digits, '_' and '-'");
    Open& map = open_.back();
    const auto [earlier, fresh] = map.keys.emplace(key.text, key.line);
    const int first = earlier->second;
    map.key = key.text;
    if (!fresh) refuse(mark, "key stands twice, first in line ", first);
  }

  const std::string& text_;
  const YamlOrigin& source_;
  int documents_ = 0;
  std::vector<Open> open_;
};

/// What yaml-cpp would let through, or read as another encoding.
void check_bytes(const std::string& text, const YamlSource& source) {
  require(text.size() <= most_yaml_bytes, source.name, ": ", text.size(), " bytes found, at most ",
          most_yaml_bytes, " are allowed");
  const auto place_at = [&](std::size_t at) {
    const auto lines = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    return YamlPlace{.file = source.name, .line = source.lines ? static_cast<int>(lines) + 1 : 0}.text();
  };
  const std::size_t bad = find_invalid_utf8(text);
  require(bad == std::string::npos, place_at(std::min(bad, text.size())), "byte ", bad, " is not UTF-8");
  require(!text.starts_with("\xEF\xBB\xBF"), place_at(0), "byte order mark found, plain UTF-8 is due");
  const auto control = std::find_if(text.begin(), text.end(),
                                    [](char c) { return c != '\n' && static_cast<unsigned char>(c) < 0x20; });
  if (control == text.end()) return;
  const std::string name = *control == '\t'   ? "tab"
                           : *control == '\r' ? "carriage return"
                                              : "control character";
  throw BadInput(cat(place_at(static_cast<std::size_t>(control - text.begin())), name,
                     " found, spaces and plain line ends are due"));
}

/// On one line, as a double-quoted YAML text writes it.
std::string escape(const std::string& text) {
  const std::string digits = "0123456789abcdef";
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') escaped += '\\';
    if (byte >= 0x20)
      escaped += c;
    else
      escaped += std::string("\\x") + digits[byte / 16] + digits[byte % 16];
  }
  return escaped;
}

/// At most 40 bytes, whole characters.
std::string shorten(const std::string& text) {
  if (text.size() <= 40) return text;
  std::size_t end = 40;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "...";
}

}  // namespace

const YamlValue* YamlValue::find(std::string_view entry) const {
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const YamlValue& item) { return item.key == entry; });
  return found == items.end() ? nullptr : &*found;
}

YamlValue yaml_word(std::string word) { return {.kind = YamlValue::Kind::word, .text = std::move(word)}; }
YamlValue yaml_text(std::string text) { return {.kind = YamlValue::Kind::text, .text = std::move(text)}; }

bool is_yaml_key(const std::string& text) {
  const auto fits = [](char c) {
    return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') || ('0' <= c && c <= '9') || c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), fits);
}

YamlValue parse_yaml(const std::string& text, const YamlOrigin& source) {
  check_bytes(text, *source);
  std::istringstream in(text);
  TreeBuilder builder(text, source);
  try {
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    const YamlPlace place{.file = source->name, .line = line_of(*source, error.mark)};
    throw BadInput(cat(place.text(), "not YAML: ", error.msg));
  }
  const YamlPlace top{.file = source->name, .line = builder.root ? builder.root->line : 1};
  require(builder.root && builder.root->kind != YamlValue::Kind::nothing, source->name,
          ":1: nothing found, keys like 'name: ...' are due");
  require(builder.root->kind == YamlValue::Kind::map, top.text(), describe(*builder.root),
          " found at the top, keys like 'name: ...' are due");
  return std::move(*builder.root);
}

std::string print_flow(const YamlValue& value) {
  using Kind = YamlValue::Kind;
  if (value.kind == Kind::text) return "\"" + escape(value.text) + "\"";
  if (value.kind != Kind::list && value.kind != Kind::map) return value.text;
  std::vector<std::string> parts;
  for (const YamlValue& item : value.items)
    parts.push_back(value.kind == Kind::map ? item.key + ": " + print_flow(item) : print_flow(item));
  return value.kind == Kind::map ? "{" + join(parts, ", ") + "}" : "[" + join(parts, ", ") + "]";
}

std::string print_yaml(const YamlValue& map) {
  using Kind = YamlValue::Kind;
  std::string out;
  for (const YamlValue& section : map.items) {
    const bool nested = section.kind == Kind::map || section.kind == Kind::list;
    out += section.key + ":" + (nested ? "" : " " + print_flow(section)) + "\n";
    for (const YamlValue& item : section.items)
      out += (section.kind == Kind::map ? "  " + item.key + ": " : "  - ") + print_flow(item) + "\n";
  }
  return out;
}

std::string describe(const YamlValue& value) {
  switch (value.kind) {
    case YamlValue::Kind::nothing:
      return "nothing";
    case YamlValue::Kind::word:
      return "'" + escape(shorten(value.text)) + "'";
    case YamlValue::Kind::text:
      return "the text \"" + escape(shorten(value.text)) + "\"";
    case YamlValue::Kind::list:
      return "a list";
    case YamlValue::Kind::map:
      return "a map";
  }
  return "";
}

YamlPlace YamlPlace::entry(const YamlValue& value) const {
  YamlPlace place = entry(value.key, value.line);
  if (value.source) place.file = value.source->name;
  return place;
}

YamlPlace YamlPlace::entry(const std::string& name, int entry_line) const {
  return {.file = file, .line = entry_line, .key = key.empty() ? name : key + "." + name};
}

YamlPlace YamlPlace::item(std::size_t index, int item_line) const {
  return {.file = file, .line = item_line, .key = cat(key, "[", index, "]")};
}

std::string YamlPlace::where() const { return line > 0 ? cat(file, ":", line) : file; }

std::string YamlPlace::text() const { return cat(where(), ": ", key, key.empty() ? "" : ": "); }

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
  std::string lower = word;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string near = nearest(word, candidates);
  if (near.empty()) near = nearest(lower, candidates);
  return near.empty() ? "" : " (did you mean '" + near + "'?)";
}

}  // namespace headsweep
