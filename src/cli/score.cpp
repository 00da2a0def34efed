// cli: `headsweep score`: log-probabilities of completions.
#include <headsweep/sweep.hpp>
#include <iostream>

#include "cli/command.hpp"

namespace headsweep {

ExitCode run_score(const CommandLine& line) {
  Syntax syntax{.usage = "headsweep score MODEL FILE.jsonl [--edit RESULTS:TRIAL]",
                .about =
                    "Prints each line ({\"prompt\",\"completion\"} or {\"prompt_ids\",\"completion_ids\"}) "
                    "with \"tokens\", "
                    "\"log_probs\" (nats, one a token) and \"log_prob\" (their sum) added.",
                .named = options::options_description("options"),
                .positional = {"MODEL", "FILE"}};
  syntax.named.add_options()("edit", options::value<std::string>(), "score under the edit of this trial");
  options::variables_map values;
  if (!read_words(line, syntax, values)) return ExitCode::done;
  std::optional<EditReference> edit;
  if (values.count("edit") > 0) edit = parse_edit_reference(values["edit"].as<std::string>());
  score_lines(values["MODEL"].as<std::vector<std::string>>().front(),
              values["FILE"].as<std::vector<std::string>>().front(), edit,
              [](const std::string& text) { std::cout << text << "\n"; });
  return ExitCode::done;
}

}  // namespace headsweep
