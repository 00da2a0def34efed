// data, private: what headsweep reads of a sentencepiece model by itself, before the library sees it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace headsweep {

/// A piece's kind, by the numbers of sentencepiece_model.proto.
enum class PieceKind { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
struct Piece {
  std::string text;
  PieceKind kind = PieceKind::normal;
};
struct SentencepieceFile {
  std::vector<Piece> pieces;
  bool adds_prefix = true;  ///< a blank before each text
  /// The model without what is not needed (self tests, the rules of decoding) and without the prefix: that is
  /// put before a text, not before what follows a special token in it.
  std::string for_library;
};
/// BadInput: no such protobuf, or a kind of model or a normalization that is not supported.
SentencepieceFile read_sentencepiece_file(std::string_view bytes, const std::string& where);

}  // namespace headsweep
