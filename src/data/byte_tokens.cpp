// data: byte tokens.
#include "data/byte_tokens.hpp"

#include <headsweep/base.hpp>

namespace headsweep {
namespace {

int digit_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

void append_bytes(const std::string& bytes, std::vector<std::string>& texts) {
  if (find_invalid_utf8(bytes) == std::string::npos)
    texts.push_back(bytes);
  else
    texts.insert(texts.end(), bytes.size(), "\uFFFD");
}

}  // namespace

std::vector<int> read_byte_tokens(const Vocabulary& words, const std::string& where) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::vector<int> ids;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const std::string token = cat("<0x", digits[byte / 16], digits[byte % 16], ">");
    ids.push_back(words.id_of(token));
    require(ids.back() >= 0, where, ": vocab: ", token, " is missing; byte fallback needs <0x00> to <0xFF>");
  }
  return ids;
}

int byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const int high = digit_value(token[3]), low = digit_value(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

std::vector<std::string> join_byte_tokens(const std::vector<std::string>& tokens) {
  std::vector<std::string> texts;
  std::string bytes;
  for (const std::string& token : tokens) {
    const int byte = byte_of_token(token);
    if (byte >= 0) {
      bytes += static_cast<char>(byte);
      continue;
    }
    if (!bytes.empty()) append_bytes(bytes, texts);
    bytes.clear();
    texts.push_back(token);
  }
  if (!bytes.empty()) append_bytes(bytes, texts);
  return texts;
}

}  // namespace headsweep
