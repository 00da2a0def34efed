// job: YAML tree -> JobSpec, key by key.
#include <algorithm>

#include "job/compose.hpp"
#include "job/files.hpp"
#include "job/keys.hpp"

namespace headsweep {
namespace {

/// Collects the keys of one section.
class KeyNames {
 public:
  template <class T>
  void operator()(const JobKey& key, T&) {
    names.push_back(key.name);
  }
  template <class T>
  void section(const JobKey& key, T&) {
    names.push_back(key.name);
  }
  template <class T>
  void named(const JobKey& key, T&) {
    names.push_back(key.name);
  }
  template <class T>
  void listed(const JobKey& key, T&) {
    names.push_back(key.name);
  }
  template <class Kind, class Then>
  void variant(const JobKey& key, Kind&, Kind, Then) {
    names.push_back(key.name);
  }
  void composed(const JobKey& key) { names.push_back(key.name); }
  template <class T, class Section>
  void either(const JobKey& key, T&, Section&, Either) {
    names.push_back(key.name);
  }
  std::vector<std::string> names;
};

template <class Section>
std::vector<std::string> key_names(Section& section) {
  KeyNames known;
  visit_keys(known, section);
  return known.names;
}

/// Visits the table and fills it from one map of the file.
class KeyReader {
 public:
  KeyReader(const YamlValue& map, YamlPlace place, JobPlaces& places)
      : map_(map), place_(std::move(place)), places_(places) {}

  template <class T>
  void operator()(const JobKey& key, T& value) {
    if (const YamlValue* found = take(key, allowed(value, key.limits)))
      read_leaf(*found, at(*found), key.limits, value);
  }
  template <class Section>
  void section(const JobKey& key, Section& section) {
    if (const YamlValue* found = take(key, "a map")) read_section(*found, at(*found), section);
  }
  void named(const JobKey& key, std::vector<LocationSpec>& sets) {
    const std::string due = "a map from names to sets of heads";
    const YamlValue* found = take(key, due);
    if (found->kind != YamlValue::Kind::map || found->items.empty()) refuse(*found, at(*found), due);
    for (const YamlValue& item : found->items) {
      const YamlPlace place = at(*found).entry(item);
      places_[place.key] = place;
      if (!is_job_name(item.key)) refuse(yaml_word(item.key), place, allowed(std::string(), names()));
      LocationSpec& set = sets.emplace_back();
      set.name = item.key;
      set.place = place.where();
      read_variant(item.kind == YamlValue::Kind::word && item.text == "all" ? spelled_out(item) : item, place,
                   set);
    }
  }
  void listed(const JobKey& key, std::vector<EditSpec>& edits) {
    const std::string due = "a list of edits";
    const YamlValue* found = take(key, due);
    if (found->kind != YamlValue::Kind::list || found->items.empty()) refuse(*found, at(*found), due);
    for (const YamlValue& item : found->items) {
      const YamlPlace place = at(*found).item(edits.size(), item.line);
      edits.emplace_back().place = place.where();
      read_variant(item, place, edits.back());
    }
  }
  template <class Kind, class Then>
  void variant(const JobKey& key, Kind& kind, Kind of, Then then) {
    if (map_.find(key.name) == nullptr) return;
    kind = of;
    then(key);
  }
  void composed(const JobKey&) {}

  template <class T, class Section>
  void either(const JobKey& key, T& value, Section& section, Either) {
    const YamlValue* found = take(key, allowed(value, key.limits));
    if (found == nullptr) return;
    if (found->kind == YamlValue::Kind::map)
      read_section(*found, at(*found), section);
    else
      read_leaf(*found, at(*found), key.limits, value);
  }

  /// Reads a whole map; a key that the section does not know is refused before one that is missing.
  template <class Section>
  void read_section(const YamlValue& value, const YamlPlace& place, Section& section) {
    if (value.kind != YamlValue::Kind::map) refuse(value, place, "a map");
    const std::vector<std::string> known = key_names(section);
    for (const YamlValue& item : value.items) {
      const bool found = std::find(known.begin(), known.end(), item.key) != known.end();
      require(found, place.entry(item).text(), "unknown key", did_you_mean(item.key, known),
              "; allowed: ", join(known, ", "));
    }
    KeyReader reader(value, place, places_);
    visit_keys(reader, section);
  }

 private:
  /// The value of a key, its place noted; null where it is absent and has a default.
  const YamlValue* take(const JobKey& key, const std::string& due) {
    const YamlValue* found = map_.find(key.name);
    if (found == nullptr) {
      require(!key.due, place_.entry(key.name, place_.line).text(), "missing, ", due, " is due");
      return nullptr;
    }
    const YamlPlace place = at(*found);
    require(key.clash.empty(), place.text(), "not allowed ", key.clash);
    places_[place.key] = place;
    return found;
  }
  [[nodiscard]] YamlPlace at(const YamlValue& value) const { return place_.entry(value); }

  template <class Variants>
  void read_variant(const YamlValue& value, const YamlPlace& place, Variants& variants) {
    const std::string due = "a map with one key, " + allowed_words(key_names(variants)) + ",";
    if (value.kind != YamlValue::Kind::map || value.items.size() != 1) refuse(value, place, due);
    read_section(value, place, variants);
  }
  /// `NAME: all` is short for `NAME: {all: all}`.
  static YamlValue spelled_out(YamlValue word) {
    YamlValue map{.kind = YamlValue::Kind::map, .line = word.line, .source = word.source};
    word.key = "all";
    map.items.push_back(std::move(word));
    return map;
  }

  const YamlValue& map_;
  YamlPlace place_;
  JobPlaces& places_;
};

/// What is said where, beside the job.
struct PlacedJob {
  JobSpec job;
  JobPlaces places;
};

PlacedJob make_job(const std::string& text, const JobOrigin& origin, const std::vector<std::string>& set) {
  const YamlValue document = compose_job(text, origin, set);
  PlacedJob made;
  auto& [job, places] = made;
  const YamlPlace top{.file = origin.source->name, .line = 1};
  KeyReader(document, top, places).read_section(document, top, job);
  job.text = text;
  job.file = origin.source->name;
  check_job(job, places);
  return made;
}

}  // namespace

JobSpec parse_job(const std::string& text, const std::string& name, const std::filesystem::path& folder) {
  return make_job(text, {std::make_shared<const YamlSource>(YamlSource{name, folder})}, {}).job;
}

JobSpec read_job(const std::filesystem::path& file, const std::vector<std::string>& set) {
  const std::string text = read_file(file, most_yaml_bytes);
  const YamlSource source{file.string(), std::filesystem::absolute(file).parent_path()};
  const JobOrigin origin{std::make_shared<const YamlSource>(source), std::filesystem::canonical(file)};
  const auto [job, places] = make_job(text, origin, set);
  check_files(job, places);
  return job;
}

}  // namespace headsweep
