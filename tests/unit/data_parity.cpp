// Tokenizers against transformers: ids and texts that tests/parity/make_tokenizers.py wrote; run by
// tests/parity/test_tokenizers.py.
#include <algorithm>
#include <cstdlib>
#include <headsweep/json.hpp>
#include <iostream>

#include "unit/data_support.hpp"

namespace headsweep {
namespace {

using Ids = std::vector<int>;

void compare(const std::filesystem::path& folder) {
  const Json expected =
      parse_json(read_file(folder.string() + ".json"), folder.filename().string() + " by transformers");
  const auto tokenizer = load_tokenizer(folder);
  int tokens = 0, different = 0;
  const auto same = [&](const std::string& what, const auto& ours, const auto& theirs) {
    if (ours == theirs) return;
    constexpr int most = 5;  // of the many that one mistake makes
    if (++different > most) return;
    ADD_FAILURE() << folder.filename() << ": " << what << "\nours:   " << Json(ours)
                  << "\ntheirs: " << Json(theirs);
  };
  for (const Json& row : expected["texts"]) {
    const auto ids = row[1].get<Ids>();
    same(cat("ids of ", row[0].dump()), tokenizer->encode(row[0], "parity"), ids);
    same(cat("text of the ids of ", row[0].dump()), tokenizer->decode(ids), row[2].get<std::string>());
    tokens += static_cast<int>(ids.size());
  }
  for (const Json& row : expected["ids"])
    same(cat("text of ", row[0].dump()), tokenizer->decode(row[0].get<Ids>()), row[1].get<std::string>());
  EXPECT_GT(expected["texts"].size(), 10'000U);
  std::cout << folder.filename().string() << ": " << expected["texts"].size() << " texts, " << tokens
            << " tokens, " << expected["ids"].size() << " lists of ids; " << different << " differ\n";
}

TEST(DataParity, TokenizersAgreeWithTransformers) {
  const char* root = std::getenv("HEADSWEEP_PARITY");
  if (root == nullptr) GTEST_SKIP() << "HEADSWEEP_PARITY names no folder";
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(root))
    if (entry.is_directory()) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  EXPECT_FALSE(folders.empty());
  for (const auto& folder : folders) compare(folder);
}

}  // namespace
}  // namespace headsweep
