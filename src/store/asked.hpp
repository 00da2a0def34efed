// store, private: answers as judges from outside know them.
#pragma once

#include <cmath>
#include <headsweep/record.hpp>
#include <string>

namespace headsweep {

std::string answer_id(const std::string& question, const std::string& answer);

/// Whether the question was answered at all, be it by an empty text.
inline bool was_asked(const Item& item) { return !std::isnan(item.repetition); }

}  // namespace headsweep
