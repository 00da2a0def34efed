// cli: `headsweep answers`: what a judge from outside is asked.
#include <fstream>
#include <headsweep/json.hpp>
#include <headsweep/store.hpp>
#include <iostream>

#include "cli/command.hpp"

namespace headsweep {
namespace {

std::string line_of(const AskedAnswer& answer) {
  nlohmann::ordered_json line = {{"id", answer.id}, {"question", answer.question}, {"answer", answer.answer}};
  if (answer.kind) line["kind"] = to_text(*answer.kind);
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

ExitCode run_answers(const CommandLine& line) {
  Syntax syntax{.usage = "headsweep answers RESULTS -o FILE.jsonl",
                .about =
                    "Writes every distinct question and answer of a results file, one JSON object a line "
                    "(\"id\", \"question\", \"answer\"), and the references with their \"kind\": what a "
                    "judge from outside needs, whose scores `headsweep judge` brings in.",
                .named = options::options_description("options"),
                .positional = {"RESULTS"}};
  syntax.named.add_options()("output,o", options::value<std::string>(), "JSONL file that is written");
  options::variables_map values;
  if (!read_words(line, syntax, values)) return ExitCode::done;
  if (values.count("output") == 0) throw BadUsage("-o FILE.jsonl is missing: where do the answers go?");
  const std::string output = values["output"].as<std::string>();
  require(!std::filesystem::exists(output), output, ": is there already");
  const ResultsFile results(values["RESULTS"].as<std::vector<std::string>>().front());
  std::string text;
  int count = 0;
  list_answers(results, [&](const AskedAnswer& answer) {
    text += line_of(answer);
    ++count;
  });
  write_file(output, text);
  std::cout << output << ": " << count << " answers" << std::endl;
  return ExitCode::done;
}

}  // namespace headsweep
