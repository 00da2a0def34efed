// data: decoders of tokenizer.json.
#include "data/decoder.hpp"

#include "data/byte_level.hpp"
#include "data/byte_tokens.hpp"
#include "data/checks.hpp"
#include "data/normalizer.hpp"
#include "data/token_fields.hpp"
#include "data/utf8.hpp"

namespace headsweep {
namespace {

using Step = Decoder::value_type;

Tokens fuse(const Tokens& tokens) { return {join(tokens, "")}; }

Tokens join_byte_level(const Tokens& tokens) {
  std::string bytes;
  for (const std::string& token : tokens) bytes += from_byte_level(token);
  return {repair_utf8(bytes)};
}

Step replace_step(const std::string& what, const std::string& with) {
  return [=](const Tokens& tokens) {
    Tokens replaced;
    for (const std::string& token : tokens) replaced.push_back(replace_text(token, what, with));
    return replaced;
  };
}

/// Takes up to `most` of `what` off the begin of each token.
Step strip_step(const std::string& what, std::size_t most) {
  return [=](const Tokens& tokens) {
    Tokens stripped;
    for (std::string token : tokens) {
      std::size_t cut = 0;
      for (std::size_t i = 0; i < most && token.compare(cut, what.size(), what) == 0; ++i) cut += what.size();
      stripped.push_back(token.substr(cut));
    }
    return stripped;
  };
}

Step read_strip(const Json& part, const std::string& where) {
  check_fields(part, {"type", "content", "start", "stop"}, where);
  const std::string content = json_text(part, "content", where);
  require(!content.empty(), where, ": the content is empty");
  require_value(part, "stop", {0}, where);
  constexpr std::int64_t most = 1'000'000;
  return strip_step(content, static_cast<std::size_t>(json_integer(part, "start", where, 0, most)));
}

/// The signs of the first token were put before the text.
Step read_metaspace(const Json& part, const std::string& where) {
  check_fields(part, {"type", "replacement", "str_rep", "prepend_scheme", "add_prefix_space", "split"},
               where);
  const std::string sign = json_text(part, "replacement", where);
  require(!sign.empty(), where, ": the replacement is empty");
  const bool strips =
      flag_or(part, "add_prefix_space", true, where) &&
      (!part.contains("prepend_scheme") || json_text(part, "prepend_scheme", where) != "never");
  return [=](const Tokens& tokens) {
    Tokens read;
    for (const std::string& token : tokens)
      read.push_back(replace_text(token, sign, read.empty() && strips ? "" : " "));
    return read;
  };
}

Step read_step(const Json& part, const std::string& type, const std::string& where) {
  if (type == "Replace") {
    const auto [what, with] = read_replacement(part, where);
    return replace_step(what, with);
  }
  if (type == "Strip") return read_strip(part, where);
  if (type == "Metaspace") return read_metaspace(part, where);
  if (type == "ByteLevel") return join_byte_level;
  check_fields(part, {"type"}, where);
  return type == "Fuse" ? Step(fuse) : Step(join_byte_tokens);
}

Tokens join_words(const Tokens& tokens) { return {join(tokens, " ")}; }

}  // namespace

std::string decode(const Decoder& steps, Tokens tokens) {
  for (const Step& step : steps) tokens = step(tokens);
  return join(tokens, "");
}

Decoder read_decoder(const Json& tokenizer, const std::string& where) {
  const std::vector<Json> parts = sequence_of(tokenizer, "decoder", "decoders", where);
  if (!tokenizer.contains("decoder") || tokenizer["decoder"].is_null()) return {join_words};
  Decoder steps;
  for (const Json& part : parts) {
    const std::string type = part_type(
        {{"decoder", part}}, "decoder",
        {"null", "ByteLevel", "Metaspace", "Replace", "ByteFallback", "Fuse", "Strip", "Sequence"}, where);
    const std::string place = cat(where, ": decoder ", type);
    require(type != "Sequence", place, ": no Sequence inside a Sequence is supported");
    steps.push_back(read_step(part, type, place));
  }
  return steps;
}

Decoder metaspace_decoder(const std::string& sign, bool strips) {
  Decoder steps = {replace_step(sign, " "), join_byte_tokens, fuse};
  if (strips) steps.push_back(strip_step(" ", 1));
  return steps;
}

}  // namespace headsweep
