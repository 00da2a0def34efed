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

}  // namespace headsweep
