// bench: sets of heads from a word, and the blocks of lanes that train them.
#pragma once

#include <algorithm>
#include <cstdio>
#include <headsweep/model.hpp>

namespace headsweep::bench {

struct Location {
  std::string name;  ///< `0:1,2:7`
  std::vector<Head> heads;
};

inline Location make_location(std::vector<Head> heads) {
  std::sort(heads.begin(), heads.end());
  std::vector<std::string> words;
  for (const Head& head : heads) words.push_back(cat(head.layer, ":", head.index));
  return {join(words, ","), std::move(heads)};
}

inline Location parse_location(const std::string& text, const ModelConfig& config) {
  std::vector<Head> heads;
  for (const std::string& word : split_text(text, ',')) {
    Head head;
    const bool read = std::sscanf(word.c_str(), "%d:%d", &head.layer, &head.index) == 2;
    const bool exists =
        head.layer >= 0 && head.layer < config.layers && head.index >= 0 && head.index < config.heads;
    require(read && exists, "--locations: '", word, "' is no head `layer:index` of the model");
    heads.push_back(head);
  }
  return make_location(std::move(heads));
}

/// `3:5;0:1,2:7`, all-single, or random16:COUNT:SEED.
inline std::vector<Location> make_locations(const std::string& text, const ModelConfig& config) {
  std::vector<Location> locations;
  const auto add = [&](const std::vector<int>& numbers) {
    std::vector<Head> heads;
    for (const int number : numbers) heads.push_back({number / config.heads, number % config.heads});
    locations.push_back(make_location(std::move(heads)));
  };
  const int all = config.layers * config.heads;
  int size = 0, draws = 0, seed = 0;
  if (text == "all-single") {
    for (int number = 0; number < all; ++number) add({number});
  } else if (std::sscanf(text.c_str(), "random%d:%d:%d", &size, &draws, &seed) == 3) {
    require(size > 0 && size <= all, "--locations: ", size, " heads of ", all);
    for (int draw = 0; draw < draws; ++draw)
      add(Random(static_cast<std::uint64_t>(seed), "bench", size, draw).choose(all, size));
  } else {
    for (const std::string& part : split_text(text, ';')) locations.push_back(parse_location(part, config));
  }
  return locations;
}

/// Blocks by first layer: as few as the lanes allow, their sizes as equal as can be, as a sweep cuts them.
using Blocks = std::vector<std::vector<Location>>;
inline std::map<int, Blocks> make_blocks(const std::vector<Location>& locations, int lanes) {
  std::map<int, std::vector<Location>> groups;
  for (const Location& location : locations) groups[location.heads.front().layer].push_back(location);
  std::map<int, Blocks> blocks;
  for (const auto& [layer, group] : groups) {
    const std::size_t most = static_cast<std::size_t>(lanes), count = (group.size() + most - 1) / most;
    blocks[layer].resize(count);
    for (std::size_t i = 0; i < group.size(); ++i)
      blocks[layer][i * count / group.size()].push_back(group[i]);
  }
  return blocks;
}

}  // namespace headsweep::bench
