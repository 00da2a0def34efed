// eval against transformers: probabilities of judges' words that tests/parity/make_judges.py has written to
// the folder HEADSWEEP_PARITY. Skipped without it.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <headsweep/json.hpp>

#include "eval/label_reader.hpp"
#include "unit/eval_world.hpp"

namespace headsweep {
namespace {

using eval_test::world;

/// Largest difference of the probabilities, absolute and relative.
void compare(const std::string& name) {
  const std::filesystem::path folder = std::filesystem::path(std::getenv("HEADSWEEP_PARITY")) / name;
  const Json expected = read_json_file(folder.string() + ".json");
  const Weights weights = load_weights(folder, read_config(folder), {});
  const auto tokenizer = load_tokenizer(folder);
  const JudgePrompt asked{.folder = folder,
                          .prompt = expected["asked"]["prompt"],
                          .yes = expected["asked"]["yes"],
                          .no = expected["asked"]["no"]};
  std::vector<Reply> replies;
  for (const Json& row : expected["rows"]) replies.push_back({row["question"], row["answer"]});
  const LabelReader reader(world().behaviour, {.weights = weights, .tokenizer = *tokenizer, .asked = asked},
                           8);
  const std::vector<LabelOdds> odds = reader.read(replies, {});
  double largest = 0, relative = 0;
  for (std::size_t i = 0; i < odds.size(); ++i)
    for (const auto& [found, key] : {std::pair(odds[i].yes, "yes"), std::pair(odds[i].no, "no")}) {
      const double due = expected["rows"][i][key];
      ASSERT_FALSE(std::isnan(found)) << replies[i].answer;
      largest = std::max(largest, std::abs(found - due));
      relative = std::max(relative, std::abs(found - due) / due);
    }
  EXPECT_LT(largest, 1e-5) << name;
  EXPECT_LT(relative, 1e-4) << name;
  std::cout << name << ": " << odds.size() << " texts, difference " << largest << ", relative " << relative
            << "\n";
}

TEST(JudgeParity, ProbabilitiesAreThoseOfTransformers) {
  if (std::getenv("HEADSWEEP_PARITY") == nullptr) GTEST_SKIP() << "HEADSWEEP_PARITY names no folder";
  compare("truth");
  compare("info");
}

}  // namespace
}  // namespace headsweep
