// data, private: how a tokenizer joins its tokens to a text.
#pragma once

#include <functional>
#include <headsweep/json.hpp>
#include <string>
#include <vector>

namespace headsweep {

using Tokens = std::vector<std::string>;
/// Steps that rewrite the tokens one after the other; what they leave is joined.
using Decoder = std::vector<std::function<Tokens(const Tokens&)>>;
std::string decode(const Decoder& steps, Tokens tokens);

/// The `decoder` of a tokenizer.json: ByteLevel, Metaspace, Replace, ByteFallback, Fuse, Strip, Sequence of
/// these; without one, words are joined by spaces.
Decoder read_decoder(const Json& tokenizer, const std::string& where);
/// Of a metaspace tokenizer with byte fallback; `strips`: less the blank that was put before the text.
Decoder metaspace_decoder(const std::string& sign, bool strips);

}  // namespace headsweep
