"""Writes nfc_table.cpp: canonical decompositions and combining classes, as far as Hugging Face's tokenizers knows them
(it carries the tables of an older Unicode than today's). Run: make_nfc_table.py > nfc_table.cpp, with tokenizers and
unicodedata2 installed."""
import unicodedata2
from tokenizers.normalizers import NFC, NFD

HEAD = '''// data: the tables of the canonical composition NFC, as tokenizers has them; written by make_nfc_table.py.
#include "data/nfc.hpp"

namespace headsweep {

'''
CODE_POINTS = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
compose, decompose = NFC().normalize_str, NFD().normalize_str


def known_class(character: str) -> int:
    """The combining class, 0 if tokenizers does not put the character into its order."""
    own = unicodedata2.combining(character)
    before, after = ("\u0345", "\u0334")  # classes 240 and 1
    moves = decompose(before + character) == character + before or decompose(character + after) == after + character
    return own if moves else 0


def decompositions() -> list[str]:
    """`composite=first` or `composite=first+second`, `!` where nothing is composed to it; Hangul is computed."""
    entries = []
    for character in CODE_POINTS:
        parts = unicodedata2.decomposition(character)
        hangul = 0xAC00 <= ord(character) <= 0xD7A3
        if hangul or not parts or parts.startswith("<") or decompose(character) == character:
            continue
        excluded = "" if compose(character) == character else "!"
        entries.append(f"{ord(character):X}={'+'.join(part.lstrip('0') for part in parts.split())}{excluded}")
    return entries


def classes() -> list[str]:
    """`first-last:class`, ranges of code points."""
    ranges = []
    for character in CODE_POINTS:
        number, code = known_class(character), ord(character)
        if number and ranges and ranges[-1][1:] == [code - 1, number]:
            ranges[-1][1] = code
        elif number:
            ranges.append([code, code, number])
    return [f"{first:X}-{last:X}:{number}" for first, last, number in ranges]


def write(name: str, entries: list[str]) -> None:
    print(f'const std::string_view {name} =\n    R"(', end="")
    line = ""
    for entry in entries:
        if len(line) + len(entry) + 1 > 109:
            print(line.rstrip())
            line = ""
        line += entry + " "
    print(line.rstrip() + ')";\n')


if __name__ == "__main__":
    print(HEAD, end="")
    write("nfc_decompositions", decompositions())
    write("nfc_classes", classes())
    print("}  // namespace headsweep")
