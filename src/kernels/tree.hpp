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

/// What each query of a block sees: keys [0, early) and [own, own + late).
struct Sight {
  std::int32_t early[block_queries], own[block_queries], late[block_queries];
  Stretch stretches[2];  ///< all keys that any of them sees: of the prompt, and of the answers (may be empty)
};

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
    std::int32_t early = 0, own = static_cast<std::int32_t>(item.length), end = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t place = token(i);
      const auto last = static_cast<std::int32_t>(place - item.first + 1);
      const std::int32_t prompt = op.layout.prompt[place], first = op.layout.own[place];
      sight.early[i] = prompt < last ? prompt : last;
      sight.own[i] = first;
      sight.late[i] = last > first ? last - first : 0;
      early = sight.early[i] > early ? sight.early[i] : early;
      own = first < own ? first : own;
      end = last > end ? last : end;
    }
    const std::int64_t first_end = round_up(early, tile_keys), begin_own = own / tile_keys * tile_keys;
    const std::int64_t last_end = round_up(end, tile_keys);
    const bool apart = first_end < begin_own;
    sight.stretches[0] = {0, apart ? first_end : last_end};
    sight.stretches[1] = {begin_own, apart ? last_end : begin_own};
    return sight;
  }
};

/// Takes the scores of one key that a query does not see out of the softmax.
HEADSWEEP_BOTH void mask_key(const Sight& sight, std::int64_t key, float* scores) {
  const auto place = static_cast<std::int32_t>(key);
  HEADSWEEP_PRAGMA(omp simd)
  for (int i = 0; i < block_queries; ++i) {
    const auto late = static_cast<std::uint32_t>(place - sight.own[i]);
    const bool seen = (place < sight.early[i]) | (late < static_cast<std::uint32_t>(sight.late[i]));
    scores[i] = seen ? scores[i] : -infinite;
  }
}

}  // namespace headsweep::kernels
