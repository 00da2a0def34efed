// cli: `headsweep export`: a trial's edit as a PEFT adapter.
#include <headsweep/sweep.hpp>
#include <iostream>

#include "cli/command.hpp"

namespace headsweep {
namespace {

Syntax syntax() {
  Syntax syntax{
      .usage = "headsweep export RESULTS:TRIAL -o FOLDER [--model MODEL]",
      .about =
          "Writes a trial's edit as a LoRA adapter that PEFT loads: optimal edits and lora as they "
          "are, constant shifts as biases. An adapter acts on every token, so edits that begin later "
          "(edit_from) are refused.",
      .named = options::options_description("options"),
      .positional = {"TRIAL"}};
  syntax.named.add_options()("output,o", options::value<std::string>(),
                             "folder of the adapter, which must not be there yet")(
      "model", options::value<std::string>(), "folder of the model; default: that of the sweep's job");
  return syntax;
}

}  // namespace

ExitCode run_export(const CommandLine& line) {
  options::variables_map values;
  if (!read_words(line, syntax(), values)) return ExitCode::done;
  if (values.count("output") == 0) throw BadUsage("-o FOLDER is missing: where does the adapter go?");
  const EditReference reference =
      parse_edit_reference(values["TRIAL"].as<std::vector<std::string>>().front());
  const std::string folder = values["output"].as<std::string>();
  export_edit(reference, values.count("model") > 0 ? values["model"].as<std::string>() : "", folder);
  std::cout << folder << ": adapter of trial " << reference.trial.value << std::endl;
  return ExitCode::done;
}

}  // namespace headsweep
