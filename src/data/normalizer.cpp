// data: normalizers of tokenizer.json.
#include "data/normalizer.hpp"

#include "data/checks.hpp"
#include "data/nfc.hpp"
#include "data/token_fields.hpp"

namespace headsweep {

std::string normalize(const Normalizer& steps, std::string text) {
  for (const auto& step : steps) text = step(text);
  return text;
}

std::string replace_text(std::string_view text, std::string_view what, std::string_view with) {
  std::string result;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what)) {
    result.append(text.substr(0, at)).append(with);
    text.remove_prefix(at + what.size());
  }
  return result.append(text);
}

std::pair<std::string, std::string> read_replacement(const Json& part, const std::string& where) {
  check_fields(part, {"type", "pattern", "content"}, where);
  const bool is_text = part.contains("pattern") && part["pattern"].is_object() &&
                       part["pattern"].size() == 1 && part["pattern"].contains("String");
  require(is_text, where, ": a pattern of the kind String is due, no other is supported");
  const std::string what = json_text(part["pattern"], "String", where);
  require(!what.empty(), where, ": the pattern is empty");
  return {what, json_text(part, "content", where)};
}

Normalizer read_normalizer(const Json& tokenizer, const std::string& where) {
  Normalizer steps;
  for (const Json& part : sequence_of(tokenizer, "normalizer", "normalizers", where)) {
    const std::string type = part_type({{"normalizer", part}}, "normalizer",
                                       {"null", "NFC", "Prepend", "Replace", "Sequence"}, where);
    const std::string place = cat(where, ": normalizer ", type);
    require(type != "Sequence", place, ": no Sequence inside a Sequence is supported");
    if (type == "NFC") {
      check_fields(part, {"type"}, place);
      steps.emplace_back(compose_nfc);
    } else if (type == "Prepend") {
      check_fields(part, {"type", "prepend"}, place);
      steps.emplace_back([before = json_text(part, "prepend", place)](std::string_view text) {
        return text.empty() ? std::string() : cat(before, text);
      });
    } else if (type == "Replace") {
      steps.emplace_back([rule = read_replacement(part, place)](std::string_view text) {
        return replace_text(text, rule.first, rule.second);
      });
    }
  }
  return steps;
}

}  // namespace headsweep
