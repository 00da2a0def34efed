// data, private: how a tokenizer cuts a text into the words that its model sees.
#pragma once

#include <functional>
#include <headsweep/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace headsweep {

/// Where a metaspace tokenizer puts its sign for a blank before a text that does not begin with one.
enum class Prefix { first, always, never };

/// Steps that cut a piece of text further.
class PreTokenizer {
 public:
  /// A piece, and whether it begins where the whole text begins.
  using Step = std::function<std::vector<std::string>(std::string_view piece, bool first)>;
  PreTokenizer() = default;
  explicit PreTokenizer(std::vector<Step> steps) : steps_(std::move(steps)) {}
  [[nodiscard]] std::vector<std::string> cut(std::string text, bool first) const;

 private:
  std::vector<Step> steps_;
};

struct ReadPreTokenizer {
  PreTokenizer cutter;
  bool byte_level = false;  ///< words are written in the byte-level alphabet
};
/// The `pre_tokenizer` of a tokenizer.json: Whitespace, WhitespaceSplit, Digits, Split by a known pattern,
/// ByteLevel, Metaspace, Sequence of these.
ReadPreTokenizer read_pre_tokenizer(const Json& tokenizer, const std::string& where);

/// The step of Metaspace: blanks become `sign`; with `split`, a piece begins at each sign.
PreTokenizer::Step metaspace_step(const std::string& sign, Prefix prefix, bool split);

}  // namespace headsweep
