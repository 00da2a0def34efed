// kernels: who sees whom in packed texts, for a block of 16 queries of one (lane, tree, head).
#pragma once

#include <headsweep/kernels.hpp>

#include "kernels/rows.hpp"

namespace headsweep::kernels {

constexpr int block_queries = 16;
/// Keys come in stretches of whole tiles.
constexpr std::int64_t tile_keys = 8;

/// One row of an attention operation and the tree it reads.
struct AttentionItem {
  std::int64_t lane, tree, kv_head, first, length, first_query, queries;
};
HEADSWEEP_BOTH AttentionItem item_at(const AttentionForward& op, std::int64_t row) {
  AttentionItem item{};
  item.kv_head = row % op.kv_heads;
  item.tree = row / op.kv_heads % op.layout.trees;
  item.lane = row / op.kv_heads / op.layout.trees;
  item.first = op.layout.tree_begin[item.tree];
  item.length = op.layout.tree_begin[item.tree + 1] - item.first;
  const std::int32_t* begin = op.layout.query_begin != nullptr ? op.layout.query_begin : op.layout.tree_begin;
  item.first_query = begin[item.tree];
  item.queries = begin[item.tree + 1] - item.first_query;
  return item;
}

/// Keys [begin, end) of a tree.
struct Stretch {
  std::int64_t begin, end;
};

/// What each query of a block sees: keys [0, early), [middle, middle + between) and [own, own + late).
struct Sight {
  std::int32_t early[block_queries], middle[block_queries], between[block_queries], own[block_queries],
      late[block_queries];
  Stretch stretches[3];  ///< all keys that any of them sees, ascending and apart; the last ones may be empty
};

/// The smallest stretch that holds what it was given.
struct Hull {
  std::int64_t begin = 0, end = 0;
  HEADSWEEP_BOTH void add(std::int64_t from, std::int64_t to) {
    if (from >= to) return;
    begin = begin < end && begin < from ? begin : from;
    end = end > to ? end : to;
  }
  /// In whole tiles.
  [[nodiscard]] HEADSWEEP_BOTH Stretch tiled() const {
    return {begin / tile_keys * tile_keys, round_up(end, tile_keys)};
  }
};

/// Joins stretches that overlap or touch; `first` begins at 0, and neither of the others before it.
HEADSWEEP_BOTH void set_apart(Stretch first, Stretch second, Stretch third, Stretch* stretches) {
  if (second.begin == second.end || third.begin < second.begin) {
    const Stretch moved = second;
    second = third;
    third = moved;
  }
  const auto join = [](Stretch & into, Stretch & from) __attribute__((always_inline)) {
    if (from.begin < from.end && from.begin <= into.end) {
      into.end = from.end > into.end ? from.end : into.end;
      from = {0, 0};
    }
  };
  join(second, third);
  join(first, second);
  join(first, third);
  stretches[0] = first;
  stretches[1] = second;
  stretches[2] = third;
}

/// Queries [begin, begin + count) of an item.
struct QueryBlock {
  const AttentionForward& op;
  const AttentionItem& item;
  std::int64_t begin, count;
  [[nodiscard]] HEADSWEEP_BOTH std::int64_t token(std::int64_t i) const {
    const std::int64_t query = item.first_query + begin + i;
    return op.layout.query != nullptr ? op.layout.query[query] : query;
  }
  /// Row of query i in buffers of queries.
  [[nodiscard]] HEADSWEEP_BOTH std::int64_t row(std::int64_t i) const {
    return item.lane * op.layout.queries + item.first_query + begin + i;
  }
  [[nodiscard]] HEADSWEEP_BOTH Sight sight() const {
    Sight sight{};
    Hull early, middle, own;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t place = token(i);
      const auto last = static_cast<std::int32_t>(place - item.first + 1);
      const std::int32_t start = op.layout.start[place], first = op.layout.own[place];
      sight.early[i] = start < last ? start : last;
      sight.middle[i] = op.layout.middle[place];
      sight.between[i] = op.layout.middle_end[place] - op.layout.middle[place];
      sight.own[i] = first;
      sight.late[i] = last > first ? last - first : 0;
      early.add(0, sight.early[i]);
      middle.add(op.layout.middle[place], op.layout.middle_end[place]);
      own.add(first, last);
    }
    set_apart(early.tiled(), middle.tiled(), own.tiled(), sight.stretches);
    return sight;
  }
};

/// Takes the scores of one key that a query does not see out of the softmax.
HEADSWEEP_BOTH void mask_key(const Sight& sight, std::int64_t key, float* scores) {
  const auto place = static_cast<std::int32_t>(key);
  HEADSWEEP_PRAGMA(omp simd)
  for (int i = 0; i < block_queries; ++i) {
    const auto between = static_cast<std::uint32_t>(place - sight.middle[i]);
    const auto late = static_cast<std::uint32_t>(place - sight.own[i]);
    const bool seen = (place < sight.early[i]) | (between < static_cast<std::uint32_t>(sight.between[i])) |
                      (late < static_cast<std::uint32_t>(sight.late[i]));
    scores[i] = seen ? scores[i] : -infinite;
  }
}

}  // namespace headsweep::kernels
