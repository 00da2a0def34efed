// data: picks the tokenizer of a model folder.
#include "data/checks.hpp"
#include "data/token_pipeline.hpp"

namespace headsweep {

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder) {
  const std::filesystem::path json = folder / "tokenizer.json", model = folder / "tokenizer.model";
  if (std::filesystem::exists(json)) return read_tokenizer_json(json, read_tokenizer_config(folder));
  require(std::filesystem::exists(model), folder.string(),
          ": no tokenizer; tokenizer.json or tokenizer.model of sentencepiece is due");
  return read_sentencepiece(model, read_tokenizer_config(folder));
}

std::string hash_tokenizer(const std::filesystem::path& folder) {
  std::string hashes;
  for (const char* name : {"tokenizer.json", "tokenizer.model", "tokenizer_config.json",
                           "special_tokens_map.json", "added_tokens.json"})
    if (std::filesystem::exists(folder / name)) hashes += cat(name, " ", hash_file(folder / name), "\n");
  return hash_hex(hashes);
}

bool has_tokenizer(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "tokenizer.json") ||
         std::filesystem::exists(folder / "tokenizer.model");
}

}  // namespace headsweep
