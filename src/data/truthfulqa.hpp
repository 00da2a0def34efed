// data, private: TruthfulQA's CSV file as questions.
#pragma once

#include <headsweep/data.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace headsweep {

/// Questions of TruthfulQA's CSV (arXiv 2109.07958), both of 2021 and of 2025: see read_behaviour.
std::vector<Question> read_truthfulqa(std::string_view bytes, const std::string& file, Groups groups);

}  // namespace headsweep
