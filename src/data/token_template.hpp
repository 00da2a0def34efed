// data, private: the ids that stand around every text.
#pragma once

#include <headsweep/json.hpp>
#include <string>
#include <vector>

namespace headsweep {

struct TokenTemplate {
  std::vector<int> before, after;
};
/// The `post_processor` of a tokenizer.json: TemplateProcessing, ByteLevel (changes no id), Sequence of
/// these.
TokenTemplate read_template(const Json& tokenizer, const std::string& where);

}  // namespace headsweep
