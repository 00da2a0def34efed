// cli: `headsweep gather`: parts of one or several folders of the same sweep -> one results file.
#include <headsweep/store.hpp>
#include <iostream>

#include "cli/command.hpp"

namespace headsweep {
namespace {

Syntax syntax() {
  Syntax syntax{.usage = "headsweep gather FOLDER... [-o FILE]",
                .about =
                    "Gathers the finished parts of a sweep, complete or not; of several folders if they hold "
                    "the same sweep.",
                .named = options::options_description("options"),
                .positional = {"FOLDER"},
                .tail = true};
  syntax.named.add_options()("output,o", options::value<std::string>(),
                             "results file; default: FOLDER/results.h5");
  return syntax;
}

}  // namespace

ExitCode run_gather(const CommandLine& line) {
  options::variables_map values;
  if (!read_words(line, syntax(), values)) return ExitCode::done;
  std::vector<SweepFolder> folders;
  for (const std::string& name : values["FOLDER"].as<std::vector<std::string>>()) folders.emplace_back(name);
  const std::filesystem::path output = values.count("output") > 0
                                           ? std::filesystem::path(values["output"].as<std::string>())
                                           : folders.front().results();
  const bool own = folders.size() == 1 && values.count("output") == 0;
  const Gathered gathered = own ? folders.front().gather() : gather_folders(folders, output);
  std::cout << output.string() << ": " << gathered.done << " trials done, " << gathered.failed << " failed, "
            << gathered.missing << " missing" << std::endl;
  return gathered.failed > 0 ? ExitCode::trials_failed : ExitCode::done;
}

}  // namespace headsweep
