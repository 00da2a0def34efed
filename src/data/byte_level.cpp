// data: the byte-level alphabet.
#include "data/byte_level.hpp"

#include <array>
#include <headsweep/base.hpp>
#include <unordered_map>

#include "data/checks.hpp"
#include "data/utf8.hpp"

namespace headsweep {
namespace {

struct Alphabet {
  std::array<std::string, 256> character_of;
  std::unordered_map<char32_t, char> byte_of;

  /// Visible characters of Latin-1 stand for themselves, the others for U+0100 and up, in their order.
  Alphabet() {
    char32_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const bool visible =
          (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
      const char32_t character = visible ? byte : next++;
      append_code_point(character_of[byte], character);
      byte_of.emplace(character, static_cast<char>(byte));
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

std::string to_byte_level(std::string_view bytes) {
  std::string word;
  for (const char byte : bytes) word += alphabet().character_of[static_cast<unsigned char>(byte)];
  return word;
}

std::string from_byte_level(const std::string& word) {
  std::string bytes;
  for (std::size_t at = 0; at < word.size();) {
    const auto found = alphabet().byte_of.find(read_code_point(word, at));
    if (found == alphabet().byte_of.end()) return word;
    bytes += found->second;
  }
  return bytes;
}

void check_byte_alphabet(const Vocabulary& words, const std::string& where) {
  for (std::size_t byte = 0; byte < 256; ++byte)
    require(words.id_of(alphabet().character_of[byte]) >= 0, where, ": vocab: byte ", byte, ", written ",
            quote(alphabet().character_of[byte]), ", is missing; a byte-level model needs all 256");
}

}  // namespace headsweep
