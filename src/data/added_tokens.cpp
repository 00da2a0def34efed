// data: added tokens read, found and cut out, by the rules of Hugging Face's tokenizers.
#include "data/added_tokens.hpp"

#include <algorithm>

#include "data/checks.hpp"
#include "data/token_fields.hpp"
#include "data/words.hpp"

namespace headsweep {

AddedToken read_added_token(const Json& token, const std::string& where) {
  require(token.is_object(), where, ": ", json_kind(token), " found, an object is due");
  check_fields(token, {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special", "__type"},
               where);
  AddedToken read{.content = json_text(token, "content", where)};
  require(!read.content.empty(), where, ": a token is empty");
  read.single_word = flag_or(token, "single_word", false, where);
  read.lstrip = flag_or(token, "lstrip", false, where);
  read.rstrip = flag_or(token, "rstrip", false, where);
  read.special = flag_or(token, "special", false, where);
  read.normalized = flag_or(token, "normalized", !read.special, where);
  return read;
}

void TokenSearch::add(const std::string& content, int token) {
  std::size_t at = 0;
  for (const char byte : content) {
    const auto [next, is_new] = nodes_[at].next.emplace(byte, nodes_.size());
    at = next->second;
    if (is_new) nodes_.emplace_back();
  }
  nodes_[at].token = token;
}

TokenSearch::Match TokenSearch::longest_at(std::string_view text, std::size_t at) const {
  Match longest;
  std::size_t node = 0;
  for (std::size_t end = at; end < text.size(); ++end) {
    const auto next = nodes_[node].next.find(text[end]);
    if (next == nodes_[node].next.end()) break;
    node = next->second;
    if (nodes_[node].token >= 0) longest = {end + 1 - at, nodes_[node].token};
  }
  return longest;
}

void AddedTokens::add(const AddedToken& token, const std::string& where) {
  names_.add(token.content, token.id, where);
  const auto [index, is_new] = index_of_.emplace(token.id, tokens_.size());
  if (is_new)
    tokens_.push_back(token);
  else
    tokens_[index->second] = token;
}

const AddedToken* AddedTokens::find(int id) const {
  const auto found = index_of_.find(id);
  return found == index_of_.end() ? nullptr : &tokens_[found->second];
}

const AddedToken* AddedTokens::find(std::string_view content) const {
  const int id = names_.id_of(content);
  return id < 0 ? nullptr : find(id);
}

std::vector<AddedTokens::Piece> AddedTokens::cut(std::string_view text, const TokenSearch& search) const {
  std::vector<Piece> pieces;
  std::size_t end = 0;  // of what is cut so far
  for (std::size_t at = 0; at < text.size();) {
    const TokenSearch::Match match = search.longest_at(text, at);
    if (match.token < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<std::size_t>(match.token)];
    std::size_t begin = at, stop = at + match.length;
    at = stop;
    if (token.single_word && (ends_with_word(text.substr(0, begin)) || begins_with_word(text.substr(stop))))
      continue;
    if (token.lstrip) begin = std::max(end, begin - blanks_at_end(text.substr(0, begin)));
    if (token.rstrip) stop += blanks_at_begin(text.substr(stop));
    if (begin > end) pieces.push_back({text.substr(end, begin - end)});
    pieces.push_back({text.substr(begin, stop - begin), token.id});
    end = stop;
  }
  if (end < text.size()) pieces.push_back({text.substr(end)});
  return pieces;
}

}  // namespace headsweep
