// data: words and ids.
#include "data/vocabulary.hpp"

#include <algorithm>

#include "data/checks.hpp"
#include "data/token_fields.hpp"

namespace headsweep {

// A hundred thousand words: messages are made only where one is thrown.

Vocabulary::Vocabulary(const Json& model, const std::string& where) {
  require(model.contains("vocab") && model["vocab"].is_object(), where, ": an object 'vocab' is due");
  for (const auto& [word, id] : model["vocab"].items())
    add(word, is_token_id(id) ? id.get<int>() : read_token_id(id, cat(where, ": vocab: ", quote(word))),
        where);
  require(!id_of_.empty(), where, ": 'vocab' is empty");
}

void Vocabulary::add(const std::string& word, int id, const std::string& where) {
  const int known_id = id_of_.emplace(word, id).first->second;
  if (known_id != id)
    throw BadInput(cat(where, ": ", quote(word), " has id ", id, ", but ", known_id, " in the vocabulary"));
  const std::string& known_word = word_of_.emplace(id, word).first->second;
  if (known_word != word)
    throw BadInput(cat(where, ": id ", id, " is that of ", quote(known_word), " and of ", quote(word)));
  largest_id_ = std::max(largest_id_, id);
}

int Vocabulary::id_of(std::string_view word) const {
  const auto found = id_of_.find(word);
  return found == id_of_.end() ? -1 : found->second;
}

const std::string* Vocabulary::word_of(int id) const {
  const auto found = word_of_.find(id);
  return found == word_of_.end() ? nullptr : &found->second;
}

}  // namespace headsweep
