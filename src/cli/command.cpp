// cli: strict reading of a command's words with Boost.Program_options.
#include "cli/command.hpp"

#include <iostream>

namespace headsweep {
namespace {

std::vector<std::string> option_names(const options::options_description& named) {
  std::vector<std::string> names;
  for (const auto& option : named.options()) names.push_back("--" + option->long_name());
  return names;
}

[[noreturn]] void refuse(const std::string& usage, const std::string& problem) {
  throw BadUsage(cat(problem, "\nusage: ", usage));
}

}  // namespace

std::string CommandLine::text() const {
  std::vector<std::string> all(*argv, *argv + *argc);
  return join(all, " ");
}

void add_job_changes(Syntax& syntax) {
  syntax.named.add_options()("set", options::value<std::vector<std::string>>()->composing(),
                             "KEY=VALUE: a key of the job, over what its files say; may repeat: --set "
                             "training.batch=8 --set 'edits=[{iti: {at: [all], alpha: [5]}}]'; --set "
                             "locations.singles= takes a key away");
}

std::vector<std::string> job_changes(const options::variables_map& values) {
  return values.count("set") > 0 ? values["set"].as<std::vector<std::string>>() : std::vector<std::string>{};
}

bool read_words(const CommandLine& line, Syntax syntax, options::variables_map& values) {
  options::options_description everything, hidden;
  syntax.named.add_options()("help,h", "this text");
  options::positional_options_description places;
  for (std::size_t i = 0; i < syntax.positional.size(); ++i) {
    const bool repeats = syntax.tail && i + 1 == syntax.positional.size();
    hidden.add_options()(syntax.positional[i].c_str(), options::value<std::vector<std::string>>());
    places.add(syntax.positional[i].c_str(), repeats ? -1 : 1);
  }
  everything.add(syntax.named).add(hidden);
  using namespace options::command_line_style;
  try {
    options::store(options::command_line_parser(line.words)
                       .options(everything)
                       .positional(places)
                       .style(allow_long | allow_short | long_allow_adjacent | long_allow_next |
                              allow_dash_for_short | short_allow_next | short_allow_adjacent)
                       .run(),
                   values);
    options::notify(values);
  } catch (const options::unknown_option& error) {
    const std::string near = nearest(error.get_option_name(), option_names(syntax.named));
    refuse(syntax.usage, cat("unknown option ", error.get_option_name(),
                             near.empty() ? "" : cat("; is ", near, " meant?")));
  } catch (const options::error& error) {
    refuse(syntax.usage, error.what());
  }
  if (values.count("help") > 0) {
    std::cout << "usage: " << syntax.usage << "\n\n" << syntax.about << "\n\n" << syntax.named;
    return false;
  }
  for (const std::string& word : syntax.positional)
    if (values.count(word) == 0) refuse(syntax.usage, cat(word, " is missing"));
  return true;
}

}  // namespace headsweep
