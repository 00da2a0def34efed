// cli: `headsweep judge`: results by the scores of a judge from outside.
#include <headsweep/store.hpp>
#include <iostream>

#include "cli/command.hpp"

namespace headsweep {

ExitCode run_judge(const CommandLine& line) {
  Syntax syntax{.usage = "headsweep judge RESULTS SCORES.jsonl -o NEW.h5 [--threshold 0.5]",
                .about =
                    "Writes a copy of the results in which all verdicts are those of SCORES: one JSON object "
                    "a line with the \"id\" that `headsweep answers` gives (or \"question\" and \"answer\"), "
                    "\"p_truth\" (or \"truth\", 0 or 1) and, in all lines or in none, \"p_info\" (or "
                    "\"info\"). Every answer needs its score.",
                .named = options::options_description("options"),
                .positional = {"RESULTS", "SCORES"}};
  syntax.named.add_options()("output,o", options::value<std::string>(), "results file that is written")(
      "threshold", options::value<double>()->default_value(0.5), "least probability that counts as yes");
  options::variables_map values;
  if (!read_words(line, syntax, values)) return ExitCode::done;
  if (values.count("output") == 0) throw BadUsage("-o NEW.h5 is missing: where do the results go?");
  const OutsideScores request{.results = values["RESULTS"].as<std::vector<std::string>>().front(),
                              .scores = values["SCORES"].as<std::vector<std::string>>().front(),
                              .output = values["output"].as<std::string>(),
                              .threshold = values["threshold"].as<double>()};
  if (!(request.threshold >= 0 && request.threshold <= 1)) throw BadUsage("--threshold is 0 to 1");
  const int answers = apply_scores(request);
  std::cout << request.output.string() << ": " << answers << " answers judged" << std::endl;
  return ExitCode::done;
}

}  // namespace headsweep
