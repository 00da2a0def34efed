// cli: `headsweep ask`: one question to the model and to its edited self.
#include <headsweep/sweep.hpp>
#include <iostream>

#include "cli/command.hpp"

namespace headsweep {

ExitCode run_ask(const CommandLine& line) {
  AskOptions ask_options;
  Syntax syntax{.usage = "headsweep ask MODEL \"question\" [--edit RESULTS:TRIAL]",
                .about =
                    "Prints the model's greedy answer and, with --edit, the answer under that trial's edit. "
                    "With --edit, "
                    "prompt, limit and what ends the answer are those of the sweep.",
                .named = options::options_description("options"),
                .positional = {"MODEL", "QUESTION"}};
  syntax.named.add_options()("edit", options::value<std::string>(),
                             "trial whose edit is shown, for example runs/demo/results.h5:17")(
      "prompt", options::value<std::string>()->default_value(ask_options.prompt), "template with {question}")(
      "stop", options::value<std::string>()->default_value("."), "an answer ends after this text")(
      "max-new-tokens", options::value<int>()->default_value(ask_options.max_new_tokens), "longest answer");
  options::variables_map values;
  if (!read_words(line, syntax, values)) return ExitCode::done;
  ask_options.model = values["MODEL"].as<std::vector<std::string>>().front();
  ask_options.question = values["QUESTION"].as<std::vector<std::string>>().front();
  ask_options.prompt = values["prompt"].as<std::string>();
  ask_options.stop = values["stop"].as<std::string>();
  ask_options.max_new_tokens = values["max-new-tokens"].as<int>();
  if (ask_options.prompt.find("{question}") == std::string::npos)
    throw BadUsage("--prompt must hold {question}");
  if (ask_options.max_new_tokens < 1) throw BadUsage("--max-new-tokens is at least 1");
  if (values.count("edit") > 0) ask_options.edit = parse_edit_reference(values["edit"].as<std::string>());
  const Asked asked = ask(ask_options);
  std::cout << "unedited: " << asked.unedited << "\n";
  if (ask_options.edit) std::cout << "edited:   " << asked.edited << "\n";
  return ExitCode::done;
}

}  // namespace headsweep
