// data: pre-tokenizers of tokenizer.json. A pattern of a file must be one of the known ones.
#include "data/pre_tokenizer.hpp"

#include <algorithm>
#include <memory>

#include "data/byte_level.hpp"
#include "data/checks.hpp"
#include "data/normalizer.hpp"
#include "data/pattern.hpp"
#include "data/token_fields.hpp"
#include "data/words.hpp"

namespace headsweep {
namespace {

struct KnownPattern {
  const char *name, *pattern;
};
const KnownPattern gpt2 = {"GPT-2",
                           R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"};
const std::vector<KnownPattern> known_patterns = {
    gpt2,
    {"LLaMA 3",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {"Qwen2",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {"Mistral Nemo",
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
};

std::vector<std::string> copied(const std::vector<std::string_view>& views) {
  return {views.begin(), views.end()};
}

PreTokenizer::Step pattern_step(const std::string& pattern) {
  return [compiled = std::make_shared<Pattern>(pattern)](std::string_view piece, bool) {
    return copied(compiled->cut(piece));
  };
}

PreTokenizer::Step read_split(const Json& part, const std::string& where) {
  check_fields(part, {"type", "pattern", "behavior", "invert"}, where);
  require_value(part, "behavior", {"Isolated"}, where);
  require_value(part, "invert", {false}, where);
  const bool is_pattern = part.contains("pattern") && part["pattern"].is_object() &&
                          part["pattern"].size() == 1 && part["pattern"].contains("Regex");
  require(is_pattern, where, ": a pattern of the kind Regex is due, no other is supported");
  const std::string pattern = json_text(part["pattern"], "Regex", where);
  std::vector<std::string> names;
  for (const KnownPattern& known : known_patterns) {
    if (pattern == known.pattern) return pattern_step(pattern);
    names.emplace_back(known.name);
  }
  throw BadInput(cat(where, ": pattern ", quote(pattern), " is not supported (supported: those of ",
                     join(names, ", "), ")"));
}

std::vector<PreTokenizer::Step> read_byte_level(const Json& part, const std::string& where) {
  check_fields(part, {"type", "add_prefix_space", "trim_offsets", "use_regex"}, where);
  std::vector<PreTokenizer::Step> steps;
  if (flag_or(part, "add_prefix_space", true, where))
    steps.emplace_back([](std::string_view piece, bool) -> std::vector<std::string> {
      return {cat(piece.starts_with(' ') ? "" : " ", piece)};
    });
  if (flag_or(part, "use_regex", true, where)) steps.push_back(pattern_step(gpt2.pattern));
  steps.emplace_back(
      [](std::string_view piece, bool) -> std::vector<std::string> { return {to_byte_level(piece)}; });
  return steps;
}

PreTokenizer::Step read_metaspace(const Json& part, const std::string& where) {
  check_fields(part, {"type", "replacement", "str_rep", "prepend_scheme", "add_prefix_space", "split"},
               where);
  const std::string sign = json_text(part, "replacement", where);
  require(!sign.empty(), where, ": the replacement is empty");
  require_value(part, "prepend_scheme", {"first", "always", "never"}, where);
  const bool prepends = flag_or(part, "add_prefix_space", true, where);
  const std::string scheme = part.contains("prepend_scheme") ? json_text(part, "prepend_scheme", where)
                             : prepends                      ? "always"
                                                             : "never";
  require(prepends || scheme == "never", where, ": add_prefix_space is false, but prepend_scheme ",
          quote(scheme));
  const Prefix prefix = scheme == "first"    ? Prefix::first
                        : scheme == "always" ? Prefix::always
                                             : Prefix::never;
  return metaspace_step(sign, prefix, flag_or(part, "split", true, where));
}

PreTokenizer::Step words_step(WordCut how) {
  return [how](std::string_view piece, bool) { return copied(cut_words(piece, how)); };
}

std::vector<PreTokenizer::Step> read_step(const Json& part, const std::string& type,
                                          const std::string& where) {
  if (type == "ByteLevel") return read_byte_level(part, where);
  if (type == "Split") return {read_split(part, where)};
  if (type == "Metaspace") return {read_metaspace(part, where)};
  if (type == "Digits") {
    check_fields(part, {"type", "individual_digits"}, where);
    return {pattern_step(flag_or(part, "individual_digits", false, where) ? "\\p{N}" : "\\p{N}+")};
  }
  check_fields(part, {"type"}, where);
  return {words_step(type == "Whitespace" ? WordCut::whitespace : WordCut::whitespace_split)};
}

}  // namespace

std::vector<std::string> PreTokenizer::cut(std::string text, bool first) const {
  std::vector<std::string> pieces;
  pieces.push_back(std::move(text));
  for (const Step& step : steps_) {
    std::vector<std::string> cut_further;
    for (std::size_t i = 0; i < pieces.size(); ++i)
      if (!pieces[i].empty())
        for (std::string& piece : step(pieces[i], first && i == 0)) cut_further.push_back(std::move(piece));
    pieces = std::move(cut_further);
  }
  return pieces;
}

PreTokenizer::Step metaspace_step(const std::string& sign, Prefix prefix, bool split) {
  return [=](std::string_view piece, bool first) {
    std::string text = replace_text(piece, " ", sign);
    const bool prepends = prefix == Prefix::always || (prefix == Prefix::first && first);
    if (prepends && !text.starts_with(sign)) text.insert(0, sign);
    std::vector<std::string> pieces;
    std::size_t begin = 0;
    for (std::size_t at = text.find(sign, 1); split && at != std::string::npos;
         at = text.find(sign, at + sign.size())) {
      pieces.push_back(text.substr(begin, at - begin));
      begin = at;
    }
    pieces.push_back(text.substr(begin));
    return pieces;
  };
}

ReadPreTokenizer read_pre_tokenizer(const Json& tokenizer, const std::string& where) {
  std::vector<PreTokenizer::Step> steps;
  bool byte_level = false;
  for (const Json& part : sequence_of(tokenizer, "pre_tokenizer", "pretokenizers", where)) {
    const std::string type = part_type(
        {{"pre_tokenizer", part}}, "pre_tokenizer",
        {"null", "Whitespace", "WhitespaceSplit", "Digits", "Split", "ByteLevel", "Metaspace", "Sequence"},
        where);
    const std::string place = cat(where, ": pre_tokenizer ", type);
    require(type != "Sequence", place, ": no Sequence inside a Sequence is supported");
    require(!byte_level, place, ": stands after ByteLevel, which is supported as the last part only");
    byte_level = type == "ByteLevel";
    for (PreTokenizer::Step& step : read_step(part, type, place)) steps.push_back(std::move(step));
  }
  return {PreTokenizer(std::move(steps)), byte_level};
}

}  // namespace headsweep
