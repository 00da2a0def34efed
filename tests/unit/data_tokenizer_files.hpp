// Tokenizer files of a few tokens for tests: a byte-level and a metaspace tokenizer.json, a tokenizer.model.
#pragma once

#include <cstring>
#include <headsweep/json.hpp>
#include <memory>
#include <string>

#include "data/byte_level.hpp"
#include "unit/data_support.hpp"

namespace headsweep {

inline Json added_token(const std::string& content, int id, bool special) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", special}};
}

/// As LLaMA 3: the 256 bytes, "th", "the", " the" and an unmerged " cat"; <b> before each text, <x> visible.
inline Json byte_level_json() {
  Json json = parse_json(R"json({"normalizer": null, "decoder": {"type": "ByteLevel"},
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
      {"type": "Split", "pattern": {"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
       "behavior": "Isolated", "invert": false},
      {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<b>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
      "special_tokens": {"<b>": {"id": "<b>", "ids": [300], "tokens": ["<b>"]}}},
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "ignore_merges": true,
      "merges": ["t h", ["th", "e"], "Ġ the"]}})json",
                         "byte level");
  for (int byte = 0; byte < 256; ++byte)
    json["model"]["vocab"][to_byte_level(std::string(1, static_cast<char>(byte)))] = byte;
  json["model"]["vocab"].update({{"th", 256}, {"the", 257}, {"Ġthe", 258}, {"Ġcat", 259}});
  json["added_tokens"] = {added_token("<b>", 300, true), added_token("<x>", 301, false)};
  return json;
}

/// As LLaMA 2: <unk>, <s>, </s>, 256 byte tokens, then a few pieces.
inline Json metaspace_json() {
  Json json = parse_json(R"json({"pre_tokenizer": null, "post_processor": null,
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
      {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
    "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
      {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
      "vocab": {"<unk>": 0, "<s>": 1, "</s>": 2, "▁": 259, "a": 260, "b": 261, "ab": 262, "▁ab": 263, "▁a": 264, "▁▁": 265},
      "merges": ["a b", "▁ ab", "▁ a", "▁ ▁"]}})json",
                         "metaspace");
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (std::size_t byte = 0; byte < 256; ++byte)
    json["model"]["vocab"][cat("<0x", digits[byte / 16], digits[byte % 16], ">")] = 3 + byte;
  json["added_tokens"] = {added_token("<unk>", 0, true), added_token("<s>", 1, true),
                          added_token("</s>", 2, true)};
  return json;
}

inline std::unique_ptr<Tokenizer> load_json(const Json& tokenizer, const std::string& config = "{}") {
  const TemporaryFolder folder;
  folder.put("tokenizer.json", tokenizer.dump());
  folder.put("tokenizer_config.json", config);
  return load_tokenizer(folder.path());
}

/// One field of a protobuf message: a number, or bytes.
inline std::string wire_number(std::uint64_t number) {
  std::string bytes;
  for (; number >= 128; number /= 128) bytes += static_cast<char>(number % 128 + 128);
  return bytes + static_cast<char>(number);
}
inline std::string wire_field(int field, std::uint64_t number) {
  return wire_number(static_cast<std::uint64_t>(field) * 8) + wire_number(number);
}
inline std::string wire_field(int field, const std::string& bytes) {
  return wire_number(static_cast<std::uint64_t>(field) * 8 + 2) + wire_number(bytes.size()) + bytes;
}
/// A piece of a sentencepiece model: its kind (1 normal, 2 unknown, 3 control, 6 byte) and rank.
inline std::string wire_piece(const std::string& text, std::uint64_t kind, float rank = 0) {
  std::string score(sizeof rank, '\0');
  std::memcpy(score.data(), &rank, sizeof rank);
  return wire_field(1, wire_field(1, text) + wire_number(2 * 8 + 5) + score + wire_field(3, kind));
}
inline std::string wire_trainer(std::uint64_t model_type = 2) {
  return wire_field(2, wire_field(3, model_type) + wire_field(35, std::uint64_t{1}));
}
inline std::string wire_normalizer(const std::string& rules = "", std::uint64_t removes_blanks = 0) {
  return wire_field(
      3, wire_field(1, std::string("identity")) + wire_field(2, rules) + wire_field(4, removes_blanks));
}
/// The tokens of `metaspace_json` in a sentencepiece model.
inline std::string sentencepiece_pieces() {
  std::string model = wire_piece("<unk>", 2) + wire_piece("<s>", 3) + wire_piece("</s>", 3);
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (std::size_t byte = 0; byte < 256; ++byte)
    model += wire_piece(cat("<0x", digits[byte / 16], digits[byte % 16], ">"), 6);
  model += wire_piece("▁", 1, -10) + wire_piece("a", 1, -11) + wire_piece("b", 1, -12);
  return model + wire_piece("ab", 1, -1) + wire_piece("▁ab", 1, -2) + wire_piece("▁a", 1, -3) +
         wire_piece("▁▁", 1, -4);
}

}  // namespace headsweep
