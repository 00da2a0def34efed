// data, private: the WordLevel tokenizer: one token a word.
#pragma once

#include <headsweep/data.hpp>
#include <headsweep/json.hpp>
#include <memory>
#include <string>

namespace headsweep {

/// From a tokenizer.json whose model is WordLevel; `where` names the file.
std::unique_ptr<Tokenizer> make_word_level(const Json& tokenizer, const std::string& where);

}  // namespace headsweep
