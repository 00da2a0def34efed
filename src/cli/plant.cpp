// cli: `headsweep plant`: sweeps whose truth is known.
#include <cmath>
#include <headsweep/sweep.hpp>
#include <iostream>

#include "cli/command.hpp"

namespace headsweep {
namespace {

constexpr int most_plants = 1000, most_draws = 1'000'000;

Syntax syntax() {
  const PlantOptions usual;
  Syntax syntax{
      .usage = "headsweep plant JOB -o FOLDER [--plants N] [--size K] [--gain G] [--draws N]",
      .about =
          "Writes planted controls: folders with a job whose wanted answers are those of the model with a "
          "known "
          "random edit at known random heads, made of JOB's model, questions and training. `headsweep run` "
          "sweeps each; where the tool has the power to find such heads, they rank first among random ones "
          "(python -m analysis.planted).",
      .named = options::options_description("options"),
      .positional = {"JOB"}};
  syntax.named.add_options()("output,o", options::value<std::string>(),
                             "folder of the plants, which must not be there yet")(
      "plants", options::value<int>()->default_value(usual.plants), "how many")(
      "size", options::value<int>()->default_value(usual.size), "heads of a plant")(
      "edit", options::value<std::string>()->default_value("trained"),
      "the known edit: trained as JOB's first optimal edit would be at the heads, or random; where JOB lists "
      "learning rates to choose from, it is trained at the first, and each plant's sweep chooses its own")(
      "gain", options::value<double>(),
      "what a random edit adds at each of its layers, relative to the residual stream at answer tokens; "
      "default: 0.4")("draws", options::value<int>()->default_value(usual.draws),
                      "random sets that the planted heads are compared with, of each kind");
  return syntax;
}

int read_count(const options::variables_map& values, const std::string& word, int most) {
  const int count = values[word].as<int>();
  if (count < 1 || count > most) throw BadUsage(cat("--", word, " ", count, ": 1 to ", most, " is due"));
  return count;
}

void read_edit(const options::variables_map& values, PlantOptions& plant) {
  const std::string word = values["edit"].as<std::string>();
  if (word != "trained" && word != "random")
    throw BadUsage(cat("--edit ", word, ": trained or random is due"));
  plant.edit = word == "random" ? PlantedEdit::random : PlantedEdit::trained;
  if (values.count("gain") == 0) return;
  if (word != "random") throw BadUsage("--gain belongs to --edit random");
  plant.gain = values["gain"].as<double>();
  if (!std::isfinite(plant.gain) || plant.gain <= 0)
    throw BadUsage(cat("--gain ", plant.gain, ": a number above 0 is due"));
}

void print(const std::vector<Plant>& plants) {
  for (const Plant& plant : plants) {
    std::cout << plant.folder.string() << ": " << plant.changed << " of " << plant.questions
              << " answers changed, " << plant.distinct << " distinct, tau " << plant.tau << ", planted at";
    for (const Head& head : plant.heads) std::cout << " " << to_text(head);
    std::cout << "\n";
  }
  std::cout << std::flush;
}

}  // namespace

ExitCode run_plant(const CommandLine& line) {
  options::variables_map values;
  if (!read_words(line, syntax(), values)) return ExitCode::done;
  if (values.count("output") == 0) throw BadUsage("-o FOLDER is missing: where do the plants go?");
  PlantOptions plant{.job = values["JOB"].as<std::vector<std::string>>().front(),
                     .folder = values["output"].as<std::string>(),
                     .plants = read_count(values, "plants", most_plants),
                     .size = read_count(values, "size", most_draws),
                     .draws = read_count(values, "draws", most_draws),
                     .command_line = line.text()};
  read_edit(values, plant);
  print(make_plants(plant));
  return ExitCode::done;
}

}  // namespace headsweep
