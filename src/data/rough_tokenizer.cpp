// data: the stand-in for a tokenizer that is not there: four bytes a token.
#include <algorithm>
#include <limits>

#include "data/checks.hpp"

namespace headsweep {
namespace {

class RoughTokenizer : public Tokenizer {
 public:
  /// Other texts have other ids: no two characters of UTF-8 differ in the highest bit of one byte alone.
  [[nodiscard]] std::vector<int> encode(const std::string& text, const std::string&) const override {
    std::vector<int> ids;
    for (std::size_t at = 0; at < text.size(); at += 4) {
      std::uint32_t id = 0;
      for (std::size_t i = at; i < std::min(at + 4, text.size()); ++i)
        id |= std::uint32_t{static_cast<unsigned char>(text[i])} << (8 * (i - at));
      ids.push_back(static_cast<int>(id & 0x7FFFFFFFU));
    }
    return ids;
  }
  [[nodiscard]] std::string decode(const std::vector<int>&) const override { return ""; }
  [[nodiscard]] int vocab_size() const override { return std::numeric_limits<int>::max(); }
};

}  // namespace

std::unique_ptr<Tokenizer> rough_tokenizer() { return std::make_unique<RoughTokenizer>(); }

}  // namespace headsweep
