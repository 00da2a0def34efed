// data: post-processors of tokenizer.json.
#include "data/token_template.hpp"

#include "data/checks.hpp"
#include "data/token_fields.hpp"

namespace headsweep {
namespace {

/// The ids that a special token of the template stands for.
std::vector<int> template_ids(const Json& processor, const std::string& name, const std::string& where) {
  const bool known = processor.contains("special_tokens") && processor["special_tokens"].is_object() &&
                     processor["special_tokens"].contains(name);
  require(known, where, " names ", quote(name), ", which is not among its special_tokens");
  const std::string place = cat(where, ": ", quote(name));
  const Json& token = processor["special_tokens"][name];
  require(token.is_object() && token.contains("ids") && token["ids"].is_array(), place,
          ": a list of ids is due");
  std::vector<int> ids;
  for (const Json& id : token["ids"]) ids.push_back(read_token_id(id, place));
  return ids;
}

TokenTemplate read_single(const Json& processor, const std::string& where) {
  TokenTemplate result;
  require(processor.contains("single") && processor["single"].is_array(), where, ": a list 'single' is due");
  bool text_seen = false;
  for (const Json& piece : processor["single"]) {
    const bool is_special =
        piece.is_object() && piece.contains("SpecialToken") && piece["SpecialToken"].is_object();
    const bool is_text = piece.is_object() && piece.contains("Sequence") && piece["Sequence"].is_object();
    require(is_special != is_text, where, ": 'single' holds SpecialToken and Sequence objects only");
    const std::string id = json_text(is_text ? piece["Sequence"] : piece["SpecialToken"], "id", where);
    require(!is_text || (id == "A" && !text_seen), where, ": 'single' has Sequence A once and no other");
    text_seen = text_seen || is_text;
    if (is_text) continue;
    const std::vector<int> ids = template_ids(processor, id, where);
    auto& side = text_seen ? result.after : result.before;
    side.insert(side.end(), ids.begin(), ids.end());
  }
  require(text_seen, where, ": 'single' has no Sequence A");
  return result;
}

}  // namespace

TokenTemplate read_template(const Json& tokenizer, const std::string& where) {
  TokenTemplate result;
  for (const Json& part : sequence_of(tokenizer, "post_processor", "processors", where)) {
    const std::string type = part_type({{"post_processor", part}}, "post_processor",
                                       {"null", "TemplateProcessing", "ByteLevel", "Sequence"}, where);
    require(type != "Sequence", where, ": post_processor: no Sequence inside a Sequence is supported");
    if (type != "TemplateProcessing") continue;
    const TokenTemplate around = read_single(part, cat(where, ": post_processor"));
    result.before.insert(result.before.begin(), around.before.begin(), around.before.end());
    result.after.insert(result.after.end(), around.after.begin(), around.after.end());
  }
  return result;
}

}  // namespace headsweep
