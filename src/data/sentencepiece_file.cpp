// data: the wire format of protobuf, as far as sentencepiece_model.proto needs it.
#include "data/sentencepiece_file.hpp"

#include <headsweep/base.hpp>
#include <set>

#include "data/checks.hpp"

namespace headsweep {
namespace {

/// Goes through the fields of one message.
class Message {
 public:
  Message(std::string_view message, std::string where) : rest_(message), where_(std::move(where)) {}

  /// The next field; false at the end.
  bool next() {
    if (rest_.empty()) return false;
    const std::string_view from_here = rest_;
    const std::uint64_t tag = read_number();
    constexpr std::uint64_t largest = (std::uint64_t{1} << 32U) - 1;
    check(tag >= 8 && tag <= largest);
    field = static_cast<int>(tag >> 3U);
    constexpr unsigned varint = 0, fixed64 = 1, sized = 2, fixed32 = 5;
    const auto kind = static_cast<unsigned>(tag & 7U);
    check(kind == varint || kind == fixed64 || kind == sized || kind == fixed32);
    number = kind == varint ? read_number() : 0;
    bytes = kind == varint ? std::string_view()
                           : take(kind == sized     ? read_number()
                                  : kind == fixed64 ? 8
                                                    : 4);
    whole = from_here.substr(0, from_here.size() - rest_.size());
    return true;
  }

  int field = 0;
  std::uint64_t number = 0;  ///< of a varint
  std::string_view bytes;    ///< of all others
  std::string_view whole;    ///< the field with its tag

 private:
  void check(bool ok) const { require(ok, where_, ": no sentencepiece model, or one that is cut off"); }
  std::uint64_t read_number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      check(!rest_.empty());
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) return value;
    }
    check(false);
    return 0;
  }
  std::string_view take(std::uint64_t length) {
    check(length <= rest_.size());
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }

  std::string_view rest_;
  std::string where_;
};

Piece read_piece(std::string_view bytes, const std::string& where) {
  Piece piece;
  Message message(bytes, where);
  while (message.next()) {
    if (message.field == 1) piece.text = message.bytes;
    if (message.field != 3) continue;
    require(message.number >= 1 && message.number <= 6, where, ": kind ", message.number,
            ", 1 to 6 are known");
    piece.kind = static_cast<PieceKind>(message.number);
  }
  constexpr std::size_t longest = 10'000;
  const bool readable =
      find_invalid_utf8(piece.text) == std::string::npos && piece.text.find('\0') == std::string::npos;
  require(!piece.text.empty() && piece.text.size() <= longest && readable, where, ": ", piece.text.size(),
          " bytes, 1 to ", longest, " of UTF-8 without NUL are due");
  return piece;
}

/// What trainer_spec and normalizer_spec say; a later occurrence of a field wins.
struct Settings {
  std::uint64_t model_type = 1;
  bool blanks_end_words = false;
  std::string normalization;
  bool has_rules = false, adds_prefix = true, removes_blanks = true, escapes_blanks = true;
};

void read_trainer(Message message, Settings& settings) {
  while (message.next()) {
    if (message.field == 3) settings.model_type = message.number;
    if (message.field == 24) settings.blanks_end_words = message.number != 0;
  }
}

void read_normalizer(Message message, Settings& settings) {
  while (message.next()) {
    if (message.field == 1) settings.normalization = message.bytes;
    if (message.field == 2) settings.has_rules = !message.bytes.empty();
    if (message.field == 3) settings.adds_prefix = message.number != 0;
    if (message.field == 4) settings.removes_blanks = message.number != 0;
    if (message.field == 5) settings.escapes_blanks = message.number != 0;
  }
}

void check_settings(const Settings& settings, const std::string& where) {
  const std::vector<std::string> names = {"unknown", "unigram", "BPE", "word", "char"};
  require(settings.model_type == 2, where, ": model_type ",
          settings.model_type < names.size() ? names[settings.model_type] : cat(settings.model_type),
          " is not supported (supported: BPE)");
  require(!settings.has_rules, where, ": normalization ", quote(settings.normalization),
          " is not supported (supported: identity)");
  require(!settings.removes_blanks, where, ": remove_extra_whitespaces is not supported");
  require(settings.escapes_blanks, where, ": text without escape_whitespaces is not supported");
  require(!settings.blanks_end_words, where, ": treat_whitespace_as_suffix is not supported");
}

void check_pieces(const std::vector<Piece>& pieces, const std::string& where) {
  std::set<std::string_view> texts;
  int unknown = 0;
  for (const Piece& piece : pieces) {
    require(texts.insert(piece.text).second, where, ": piece ", quote(piece.text), " stands twice");
    unknown += piece.kind == PieceKind::unknown ? 1 : 0;
  }
  require(unknown == 1, where, ": ", unknown, " unknown pieces, one is due");
}

}  // namespace

SentencepieceFile read_sentencepiece_file(std::string_view bytes, const std::string& where) {
  SentencepieceFile file;
  Settings settings;
  Message message(bytes, where);
  while (message.next()) {
    if (message.field == 1)
      file.pieces.push_back(read_piece(message.bytes, cat(where, ": piece ", file.pieces.size())));
    if (message.field == 2) read_trainer({message.bytes, where}, settings);
    if (message.field == 3) read_normalizer({message.bytes, where}, settings);
    if (message.field >= 1 && message.field <= 3) file.for_library += message.whole;
  }
  require(!file.pieces.empty(), where, ": no sentencepiece model, or one that is cut off");
  check_settings(settings, where);
  check_pieces(file.pieces, where);
  file.adds_prefix = settings.adds_prefix;
  // Protobuf joins later occurrences to the first: normalizer_spec once more, with add_dummy_prefix false.
  file.for_library += std::string_view("\x1A\x02\x18\x00", 4);
  return file;
}

}  // namespace headsweep
