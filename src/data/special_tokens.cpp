// data: special tokens and templates of tokenizer.json, read strictly.
#include "data/special_tokens.hpp"

#include <algorithm>
#include <limits>

#include "data/checks.hpp"

namespace headsweep {
namespace {

/// The ids that a special token of the template stands for.
std::vector<int> template_ids(const Json& processor, const std::string& name, const std::string& where) {
  const bool known = processor.contains("special_tokens") && processor["special_tokens"].is_object() &&
                     processor["special_tokens"].contains(name);
  require(known, where, ": post_processor names ", quote(name), ", which is not among its special_tokens");
  const std::string place = cat(where, ": post_processor: ", quote(name));
  const Json& token = processor["special_tokens"][name];
  require(token.is_object() && token.contains("ids") && token["ids"].is_array(), place,
          ": a list of ids is due");
  std::vector<int> ids;
  for (const Json& id : token["ids"]) ids.push_back(read_token_id(id, place));
  return ids;
}

}  // namespace

int read_token_id(const Json& value, const std::string& where) {
  constexpr std::uint64_t largest = std::numeric_limits<int>::max() - 1;
  require(value.is_number_unsigned() && value.get<std::uint64_t>() <= largest, where, ": id ",
          json_kind(value), ", a whole number from 0 to ", largest, " is due");
  return value.get<int>();
}

std::string part_type(const Json& tokenizer, const std::string& part,
                      const std::vector<std::string>& supported, const std::string& where) {
  const auto found = tokenizer.find(part);
  const bool absent = found == tokenizer.end() || found->is_null();
  require(absent || found->is_object(), where, ": ", part, " is ", absent ? "" : json_kind(*found),
          ", an object is due");
  std::string type = absent ? "null" : json_text(*found, "type", cat(where, ": ", part));
  require(std::find(supported.begin(), supported.end(), type) != supported.end(), where, ": ", part, " ",
          quote(type), " is not supported (supported: ", join(supported, ", "), ")");
  return type;
}

SpecialTokens::SpecialTokens(const Json& tokenizer, const std::string& where) {
  if (!tokenizer.contains("added_tokens")) return;
  const std::string place = cat(where, ": added_tokens");
  require(tokenizer["added_tokens"].is_array(), place, ": ", json_kind(tokenizer["added_tokens"]),
          " found, a list is due");
  for (const Json& token : tokenizer["added_tokens"]) {
    require(token.is_object(), place, ": ", json_kind(token), " found, an object is due");
    check_fields(token, {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"}, place);
    const std::string content = json_text(token, "content", place);
    require(!content.empty(), place, ": a token is empty");
    require(json_flag(token, "special", place), place, ": ", quote(content),
            " is not special, only special ones are supported");
    for (const char* flag : {"single_word", "lstrip", "rstrip", "normalized"})
      require(!json_flag(token, flag, place), place, ": ", quote(content), " has ", flag,
              ", which is not supported");
    const int id =
        read_token_id(token.contains("id") ? token["id"] : Json(), cat(place, ": ", quote(content)));
    require(is_special_.insert(id).second, place, ": id ", id, " stands twice");
    require(ids_.emplace(content, id).second, place, ": ", quote(content), " stands twice");
    if (first_bytes_.find(content[0]) == std::string::npos) first_bytes_ += content[0];
  }
}

SpecialTokens::Piece SpecialTokens::longest_at_start(std::string_view text) const {
  Piece longest;
  for (const auto& [content, id] : ids_)
    if (content.size() > longest.text.size() && text.starts_with(content))
      longest = {text.substr(0, content.size()), id};
  return longest;
}

std::vector<SpecialTokens::Piece> SpecialTokens::cut(std::string_view text) const {
  std::vector<Piece> pieces;
  std::size_t plain = 0;  // begin of the text since the last special token
  const auto add_plain = [&](std::size_t end) {
    if (end > plain) pieces.push_back({text.substr(plain, end - plain)});
  };
  for (std::size_t at = text.find_first_of(first_bytes_); at < text.size();
       at = text.find_first_of(first_bytes_, at)) {
    const Piece special = longest_at_start(text.substr(at));
    if (special.id < 0) {
      ++at;
      continue;
    }
    add_plain(at);
    pieces.push_back(special);
    at += special.text.size();
    plain = at;
  }
  add_plain(text.size());
  return pieces;
}

TokenTemplate read_template(const Json& tokenizer, const std::string& where) {
  TokenTemplate result;
  if (part_type(tokenizer, "post_processor", {"null", "TemplateProcessing"}, where) == "null") return result;
  const Json& processor = tokenizer["post_processor"];
  const std::string place = cat(where, ": post_processor");
  require(processor.contains("single") && processor["single"].is_array(), place, ": a list 'single' is due");
  bool text_seen = false;
  for (const Json& piece : processor["single"]) {
    const bool is_special =
        piece.is_object() && piece.contains("SpecialToken") && piece["SpecialToken"].is_object();
    const bool is_text = piece.is_object() && piece.contains("Sequence") && piece["Sequence"].is_object();
    require(is_special != is_text, place, ": 'single' holds SpecialToken and Sequence objects only");
    const std::string id = json_text(is_text ? piece["Sequence"] : piece["SpecialToken"], "id", place);
    require(!is_text || (id == "A" && !text_seen), place, ": 'single' has Sequence A once and no other");
    text_seen = text_seen || is_text;
    if (is_text) continue;
    const std::vector<int> ids = template_ids(processor, id, where);
    auto& side = text_seen ? result.after : result.before;
    side.insert(side.end(), ids.begin(), ids.end());
  }
  require(text_seen, place, ": 'single' has no Sequence A");
  return result;
}

}  // namespace headsweep
