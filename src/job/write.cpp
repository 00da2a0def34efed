// job: JobSpec -> YAML tree, settings and the list of all keys.
#include <algorithm>
#include <type_traits>

#include "job/keys.hpp"

namespace headsweep {
namespace {

enum class Paths { write, leave_out };

/// Visits the table and writes its values into one map.
class KeyWriter {
 public:
  explicit KeyWriter(Paths paths) : paths_(paths) {}

  template <class Section>
  static YamlValue write(Section& section, Paths paths) {
    KeyWriter writer(paths);
    visit_keys(writer, section);
    return std::move(writer.map_);
  }

  template <class T>
  void operator()(const JobKey& key, T& value) {
    constexpr bool path = std::is_same_v<T, std::filesystem::path>;
    if (key.clash.empty() && !(path && paths_ == Paths::leave_out)) put(key.name, write_leaf(value));
  }
  template <class Section>
  void section(const JobKey& key, Section& section) {
    put(key.name, write(section, paths_));
  }
  void named(const JobKey& key, std::vector<LocationSpec>& sets) {
    YamlValue map{.kind = YamlValue::Kind::map};
    for (LocationSpec& set : sets) {
      map.items.push_back(write(set, paths_));
      map.items.back().key = set.name;
    }
    put(key.name, std::move(map));
  }
  void listed(const JobKey& key, std::vector<EditSpec>& edits) {
    YamlValue list{.kind = YamlValue::Kind::list};
    for (EditSpec& edit : edits) list.items.push_back(write(edit, paths_));
    put(key.name, std::move(list));
  }
  template <class Kind, class Then>
  void variant(const JobKey& key, Kind& kind, Kind of, Then then) {
    if (kind == of) then(key);
  }
  void composed(const JobKey&) {}

  /// A value that is written as a value; of a path that is empty, nothing.
  template <class T, class Section>
  void either(const JobKey& key, T& value, Section& map, Either as) {
    if (as == Either::map) return section(key, map);
    if constexpr (std::is_same_v<T, std::filesystem::path>) {
      if (value.empty()) return;
    }
    (*this)(key, value);
  }

 private:
  void put(const std::string& key, YamlValue value) {
    value.key = key;
    map_.items.push_back(std::move(value));
  }

  Paths paths_;
  YamlValue map_{.kind = YamlValue::Kind::map};
};

YamlValue write_job(JobSpec job, Paths paths) { return KeyWriter::write(job, paths); }

void flatten(const YamlValue& value, const std::string& name, std::map<std::string, std::string>& settings) {
  const auto nested = [](const YamlValue& item) { return item.kind == YamlValue::Kind::map; };
  if (nested(value)) {
    for (const YamlValue& item : value.items)
      flatten(item, name.empty() ? item.key : name + "." + item.key, settings);
  } else if (std::any_of(value.items.begin(), value.items.end(), nested)) {
    for (std::size_t i = 0; i < value.items.size(); ++i)
      flatten(value.items[i], cat(name, "[", i, "]"), settings);
  } else {
    settings[name] = print_flow(value);
  }
}

/// Visits the table of a job with all its defaults and keeps a line for each key.
class KeyLister {
 public:
  explicit KeyLister(std::string prefix = "") : prefix_(std::move(prefix)) {}

  template <class T>
  void operator()(const JobKey& key, T& value) {
    const std::string initial = key.due ? "required" : print_flow(write_leaf(value));
    rows.push_back({prefix_ + key.name, allowed(value, key.limits), initial, key.meaning});
  }
  template <class Section>
  void section(const JobKey& key, Section& section) {
    KeyLister inner(prefix_ + key.name + ".");
    visit_keys(inner, section);
    rows.insert(rows.end(), inner.rows.begin(), inner.rows.end());
  }
  void named(const JobKey& key, std::vector<LocationSpec>&) {
    LocationSpec any;
    section({.name = key.name + ".NAME"}, any);
  }
  void listed(const JobKey& key, std::vector<EditSpec>&) {
    EditSpec any;
    section({.name = key.name + "[]"}, any);
  }
  template <class Kind, class Then>
  void variant(const JobKey& key, Kind& kind, Kind of, Then then) {
    kind = of;
    then(key);
  }
  void composed(const JobKey& key) {
    rows.push_back({prefix_ + key.name, "a job file or a list of them", "", key.meaning});
  }

  template <class T, class Section>
  void either(const JobKey& key, T& value, Section& map, Either) {
    (*this)(key, value);
    section(key, map);
  }

  std::vector<std::vector<std::string>> rows;  ///< name, allowed, default, meaning

 private:
  std::string prefix_;
};

}  // namespace

std::map<std::string, std::string> settings_of(const JobSpec& job) {
  std::map<std::string, std::string> settings;
  flatten(write_job(job, Paths::leave_out), "", settings);
  std::vector<std::string> order;
  for (const LocationSpec& set : job.locations) order.push_back(set.name);
  settings["locations"] = join(order, ", ");
  settings.erase("run.memory");  // what was chosen by it is stored, and fixes the bits
  return settings;
}

std::string resolved_job(const JobSpec& job) { return print_yaml(write_job(job, Paths::write)); }

std::string job_keys() {
  KeyLister lister;
  JobSpec defaults;
  visit_keys(lister, defaults);
  std::string text;
  for (const auto& row : lister.rows) {
    const auto padded = [](std::string word, std::size_t width) {
      word.resize(std::max(word.size() + 1, width), ' ');
      return word;
    };
    text += padded(row[0], 40) + padded(row[2], 18) + row[1] + " - " + row[3] + "\n";
  }
  return text;
}

}  // namespace headsweep
