// job: YAML text -> a tree of words, lists and maps with their files and lines, and back. None of YAML's
// conversions is used: what a word means is decided where it is read. In: text; out: YamlValue. BadInput
// `file:line: place: found, allowed`.
#pragma once

#include <filesystem>
#include <headsweep/base.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace headsweep {

/// Larger job files, and deeper ones, are refused.
inline constexpr std::size_t most_yaml_bytes = 1'000'000;
inline constexpr std::size_t most_yaml_nesting = 16;

/// What a text is read from: a file, or a word of the command line.
struct YamlSource {
  std::string name = {};              ///< as messages say it
  std::filesystem::path folder = {};  ///< paths in it are relative to this
  bool lines = true;                  ///< messages name a line
};
using YamlOrigin = std::shared_ptr<const YamlSource>;

struct YamlValue {
  enum class Kind { nothing, word, text, list, map };
  Kind kind = Kind::nothing;
  int line = 0;                       ///< of an entry of a map: where its key stands; 0: not said
  YamlOrigin source = {};             ///< null: not read
  std::string key = {};               ///< of an entry of a map
  std::string text = {};              ///< a plain word, or a quoted text
  std::vector<YamlValue> items = {};  ///< of a list or a map
  /// The entry of a map with this key, or null.
  [[nodiscard]] const YamlValue* find(std::string_view entry) const;
};
YamlValue yaml_word(std::string word);
YamlValue yaml_text(std::string text);

/// One document whose top is a map. Refused: duplicate keys, anchors, aliases, merge keys, tags, tabs and
/// other control characters, several documents, an empty one, other tops, keys that are no words, the caps
/// above.
YamlValue parse_yaml(const std::string& text, const YamlOrigin& source);
/// Up to 64 letters, digits, '_' and '-'.
bool is_yaml_key(const std::string& text);

/// A map as YAML lines; parse_yaml reads them back.
std::string print_yaml(const YamlValue& map);
/// Any value on one line.
std::string print_flow(const YamlValue& value);
/// What a value is, for messages: `'010'`, `the text "a"`, `a list`, ...
std::string describe(const YamlValue& value);

/// Where a value stands, as messages say it.
struct YamlPlace {
  std::string file = {};
  int line = 0;          ///< of an entry of a map: where its key stands; 0: not said
  std::string key = {};  ///< dotted, `training.batch`; empty at the top
  [[nodiscard]] YamlPlace entry(const YamlValue& value) const;  ///< of a map, whose entries have own files
  [[nodiscard]] YamlPlace entry(const std::string& name, int entry_line) const;  ///< of a map, in its file
  [[nodiscard]] YamlPlace item(std::size_t index, int item_line) const;          ///< of a list
  [[nodiscard]] std::string where() const;                                       ///< `file:line`
  [[nodiscard]] std::string text() const;                                        ///< `file:line: key: `
};
/// ` (did you mean 'batch'?)`, or nothing where no candidate is near.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace headsweep
