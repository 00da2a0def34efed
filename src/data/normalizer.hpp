// data, private: what a tokenizer does to a text before it cuts it.
#pragma once

#include <functional>
#include <headsweep/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace headsweep {

/// Steps that a text goes through one after the other.
using Normalizer = std::vector<std::function<std::string(std::string_view)>>;
std::string normalize(const Normalizer& steps, std::string text);

/// The `normalizer` of a tokenizer.json: NFC, Prepend, Replace of a text, Sequence of these.
Normalizer read_normalizer(const Json& tokenizer, const std::string& where);

/// A text with each `what` replaced.
std::string replace_text(std::string_view text, std::string_view what, std::string_view with);
/// Reads `{"pattern": {"String": what}, "content": with}`.
std::pair<std::string, std::string> read_replacement(const Json& part, const std::string& where);

}  // namespace headsweep
