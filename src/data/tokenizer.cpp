// data: picks the tokenizer that a model folder's tokenizer.json asks for.
#include "data/checks.hpp"
#include "data/special_tokens.hpp"
#include "data/word_level.hpp"

namespace headsweep {

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "tokenizer.json";
  const std::string where = file.string();
  const Json tokenizer = read_json_file(file);
  // `truncation` and `padding` are not looked at, as in transformers: a text is never cut or filled up
  // silently.
  check_fields(tokenizer,
               {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                "post_processor", "decoder", "model"},
               where);
  part_type(tokenizer, "model", {"WordLevel"}, where);
  return make_word_level(tokenizer, where);
}

}  // namespace headsweep
