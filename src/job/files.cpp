// job: the files and folders that a job names, found by a visit of the keys.
#include "job/files.hpp"

#include "job/keys.hpp"

namespace headsweep {
namespace {

/// Visits the keys of one section, `prefix` its dotted name.
class FileCheck {
 public:
  FileCheck(const JobSpec& job, const JobPlaces& places, std::string prefix)
      : job_(job), places_(places), prefix_(std::move(prefix)) {}

  template <class T>
  void operator()(const JobKey&, T&) {}
  void operator()(const JobKey& key, std::filesystem::path& path) {
    if (path.empty()) return;
    const bool folder = key.name == "folder";
    std::error_code error;
    require(std::filesystem::exists(path, error) && std::filesystem::is_directory(path, error) == folder,
            place_of(job_, places_, prefix_ + key.name), path.string(), ": no such ",
            folder ? "folder" : "file");
  }
  template <class Section>
  void section(const JobKey& key, Section& section) {
    FileCheck inner(job_, places_, cat(prefix_, key.name, "."));
    visit_keys(inner, section);
  }
  /// Whichever was given, the section holds the path.
  template <class T, class Section>
  void either(const JobKey& key, T&, Section& section, Either) {
    this->section(key, section);
  }
  template <class T>
  void named(const JobKey&, T&) {}
  template <class T>
  void listed(const JobKey&, T&) {}
  void composed(const JobKey&) {}

 private:
  const JobSpec& job_;
  const JobPlaces& places_;
  std::string prefix_;
};

}  // namespace

void check_files(JobSpec job, const JobPlaces& places) {
  FileCheck check(job, places, "");
  visit_keys(check, job);
}

}  // namespace headsweep
