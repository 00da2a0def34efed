// cli: `headsweep schema`: the columns of results.h5.
#include <headsweep/store.hpp>
#include <iostream>

#include "cli/command.hpp"

namespace headsweep {

ExitCode run_schema(const CommandLine& line) {
  Syntax syntax{.usage = "headsweep schema",
                .about = "Prints every dataset of results.h5: name, type, axes, units, meaning.",
                .named = options::options_description("options"),
                .positional = {}};
  options::variables_map values;
  if (read_words(line, syntax, values)) std::cout << schema_text();
  return ExitCode::done;
}

}  // namespace headsweep
