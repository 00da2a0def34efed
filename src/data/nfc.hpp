// data, private: the canonical composition of Unicode, NFC.
#pragma once

#include <string>
#include <string_view>

namespace headsweep {

/// A valid UTF-8 text in the normal form NFC, in n log n time.
std::string compose_nfc(std::string_view text);

/// Tables, hexadecimal: `composite=first+second`, `composite=first`, `!` where nothing is composed to it.
extern const std::string_view nfc_decompositions;
/// `first-last:class` of the combining characters.
extern const std::string_view nfc_classes;

}  // namespace headsweep
