// kernels: attention over packed texts, one (lane, tree, key-value head) at a time, 16 queries a block: their
// scores, weights and gradients stand key by key in scratch that fits the first cache, a vector across the
// queries. A block multiplies only keys that its queries may see: those of the prompt and those of their own
// answers.
#pragma once

#include "kernels/product.hpp"
#include "kernels/tree.hpp"

namespace headsweep::kernels {

/// What one item needs beside its operands; every part starts at a multiple of a vector.
struct Scratch {
  Rows keys, values, dkeys, dvalues;         ///< [S, D]
  Rows queries, outputs, doutputs;           ///< [16, D] of one block
  Rows queries_by_width, doutputs_by_width;  ///< [D, 16]
  Rows weights, dweights;                    ///< [S, 16]
};
constexpr std::int64_t widest_vector = 16;
template <int W>
HEADSWEEP_BOTH Scratch lay_out(float* memory, std::int64_t longest, std::int64_t width) {
  const std::int64_t tokens = round_up(longest, widest_vector), wide = round_up(width, W);
  const auto take = [&](std::int64_t rows, std::int64_t step) __attribute__((always_inline)) {
    const Rows taken{memory, step};
    memory += rows * step;
    return taken;
  };
  Scratch scratch{};
  scratch.keys = take(tokens, wide);
  scratch.values = take(tokens, wide);
  scratch.dkeys = take(tokens, wide);
  scratch.dvalues = take(tokens, wide);
  scratch.queries = take(block_queries, wide);
  scratch.outputs = take(block_queries, wide);
  scratch.doutputs = take(block_queries, wide);
  scratch.queries_by_width = take(wide, block_queries);
  scratch.doutputs_by_width = take(wide, block_queries);
  scratch.weights = take(tokens, block_queries);
  scratch.dweights = take(tokens, block_queries);
  return scratch;
}

/// Asks for the next head's numbers of a row, which lie behind these: heads are far apart in time, and rows
/// in memory.
template <class T>
HEADSWEEP_BOTH void prefetch_next(const T* row, std::int64_t width) {
  for (std::int64_t j = 0; j < width; j += 64 / static_cast<std::int64_t>(sizeof(T)))
    __builtin_prefetch(row + width + j);
}

/// Copies rows of D numbers times `factor`; rows up to `padded`, and columns, are filled up by zeros.
template <int W, class T>
HEADSWEEP_BOTH void load_rows(Strand<T> from, std::int64_t width, float factor, Rows to,
                              std::int64_t padded) {
  for (std::int64_t i = 0; i < from.count; ++i) {
    const T* row = from.base + i * from.stride;
    prefetch_next(row, width);
    copy_row<W>(row, width, factor, to.at(i));
    for (std::int64_t j = width; j < to.step; ++j) to.at(i)[j] = 0;
  }
  for (std::int64_t i = from.count; i < padded; ++i)
    for (std::int64_t j = 0; j < to.step; ++j) to.at(i)[j] = 0;
}

/// c [S, 16] = keys * block over the keys in sight.
template <int W>
HEADSWEEP_BOTH void meet(Rows keys, Rows block, std::int64_t width, const Sight& sight, Rows c) {
  for (const Stretch& seen : sight.stretches)
    multiply<W>({keys.at(seen.begin), keys.step, 1}, block, {c.at(seen.begin), c.step},
                {seen.end - seen.begin, width, block_queries}, false);
}
/// c [16, D] = weights^T * keys over the keys in sight.
template <int W>
HEADSWEEP_BOTH void mix(Rows weights, Rows keys, const Sight& sight, Rows c) {
  for (int part = 0; part < 3; ++part) {
    const Stretch& seen = sight.stretches[part];
    if (part == 0 || seen.begin < seen.end)
      multiply<W>({weights.at(seen.begin), 1, weights.step}, {keys.at(seen.begin), keys.step}, c,
                  {block_queries, seen.end - seen.begin, keys.step}, part != 0);
  }
}
/// c [S, D] += weights * block [16, D] over the keys in sight.
template <int W>
HEADSWEEP_BOTH void spread(Rows weights, Rows block, const Sight& sight, Rows c) {
  for (const Stretch& seen : sight.stretches)
    multiply<W>({weights.at(seen.begin), weights.step, 1}, block, {c.at(seen.begin), c.step},
                {seen.end - seen.begin, block_queries, block.step}, true);
}

HEADSWEEP_BOTH float factor_of(const AttentionForward& op) {
  return 1.0F / __builtin_sqrtf(static_cast<float>(op.width));
}

template <int W, class T>
HEADSWEEP_BOTH void load_keys(const AttentionForward& op, const AttentionItem& item, const Scratch& scratch) {
  const std::int64_t from = (item.lane * op.layout.tokens + item.first) * op.stride + item.kv_head * op.width;
  const std::int64_t padded = round_up(item.length, tile_keys);
  load_rows<W>(Strand<T>{at<T>(op.keys, from), op.stride, item.length}, op.width, 1.0F, scratch.keys, padded);
  load_rows<W>(Strand<T>{at<T>(op.values, from), op.stride, item.length}, op.width, 1.0F, scratch.values,
               padded);
}
/// Scores of a block.
template <int W, class T>
HEADSWEEP_BOTH void score(const QueryBlock& block, const Sight& sight, std::int64_t head,
                          const Scratch& scratch) {
  const AttentionForward& op = block.op;
  const T* queries = at<T>(op.queries, block.row(0) * op.query_stride + head * op.width);
  load_rows<W>(Strand<T>{queries, op.query_stride, block.count}, op.width, factor_of(op), scratch.queries,
               block_queries);
  transpose(scratch.queries, scratch.queries.step, scratch.queries_by_width);
  meet<W>(scratch.keys, scratch.queries_by_width, op.width, sight, scratch.weights);
}

/// Turns scores into exp(score - most), with the sum and the most of each query.
HEADSWEEP_BOTH void weigh(const Sight& sight, Rows weights, float* most, float* totals) {
  for (int i = 0; i < block_queries; ++i) {
    most[i] = lowest;
    totals[i] = 0;
  }
  for (const Stretch& seen : sight.stretches)
    for (std::int64_t key = seen.begin; key < seen.end; ++key) {
      float* row = weights.at(key);
      mask_key(sight, key, row);
      HEADSWEEP_PRAGMA(omp simd)
      for (int i = 0; i < block_queries; ++i) most[i] = row[i] > most[i] ? row[i] : most[i];
    }
  for (const Stretch& seen : sight.stretches)
    for (std::int64_t key = seen.begin; key < seen.end; ++key) {
      float* row = weights.at(key);
      HEADSWEEP_PRAGMA(omp simd)
      for (int i = 0; i < block_queries; ++i) {
        row[i] = exponential(row[i] - most[i]);
        totals[i] += row[i];
      }
    }
}

template <int W, class T>
HEADSWEEP_BOTH void attend_block(const QueryBlock& block, std::int64_t head, const Scratch& scratch) {
  const AttentionForward& op = block.op;
  const Sight sight = block.sight();
  score<W, T>(block, sight, head, scratch);
  float most[block_queries], totals[block_queries];
  weigh(sight, scratch.weights, most, totals);
  mix<W>(scratch.weights, scratch.values, sight, scratch.outputs);
  for (std::int64_t i = 0; i < block.count; ++i) {
    copy_row<W>(scratch.outputs.at(i), op.width, 1.0F / totals[i],
                at<T>(op.outputs, (block.row(i) * op.heads + head) * op.width));
    if (op.lse != nullptr) op.lse[block.row(i) * op.heads + head] = most[i] + HEADSWEEP_LOG(totals[i]);
  }
}

/// Weights from scores again, and the scores' gradients from the weights'.
HEADSWEEP_BOTH void differentiate(const Sight& sight, const float* lse, const float* products, Rows weights,
                                  Rows dweights) {
  for (const Stretch& seen : sight.stretches)
    for (std::int64_t key = seen.begin; key < seen.end; ++key) {
      float *row = weights.at(key), *drow = dweights.at(key);
      mask_key(sight, key, row);
      HEADSWEEP_PRAGMA(omp simd)
      for (int i = 0; i < block_queries; ++i) {
        row[i] = exponential(row[i] - lse[i]);
        drow[i] = row[i] * (drow[i] - products[i]);
      }
    }
}

template <int W, class T>
HEADSWEEP_BOTH void differentiate_block(const AttentionBackward& back, const QueryBlock& block,
                                        std::int64_t head, const Scratch& scratch) {
  const AttentionForward& op = back.forward;
  const Sight sight = block.sight();
  const std::int64_t from = (block.row(0) * op.heads + head) * op.width, stride = op.heads * op.width;
  score<W, T>(block, sight, head, scratch);
  const auto load_block = [&](const void* outputs, Rows to) __attribute__((always_inline)) {
    load_rows<W>(Strand<T>{at<T>(outputs, from), stride, block.count}, op.width, 1.0F, to, block_queries);
  };
  load_block(op.outputs, scratch.outputs);
  load_block(back.doutputs, scratch.doutputs);
  transpose(scratch.doutputs, scratch.doutputs.step, scratch.doutputs_by_width);
  meet<W>(scratch.values, scratch.doutputs_by_width, op.width, sight, scratch.dweights);
  float lse[block_queries] = {}, products[block_queries] = {};
  for (std::int64_t i = 0; i < block.count; ++i) {
    lse[i] = op.lse[block.row(i) * op.heads + head];
    const float *output = scratch.outputs.at(i), *doutput = scratch.doutputs.at(i);
    float product = 0;
    HEADSWEEP_SUM(j, scratch.outputs.step, product) { product += doutput[j] * output[j]; }
    products[i] = product;
  }
  differentiate(sight, lse, products, scratch.weights, scratch.dweights);
  spread<W>(scratch.weights, scratch.doutputs, sight, scratch.dvalues);
  spread<W>(scratch.dweights, scratch.queries, sight, scratch.dkeys);
  mix<W>(scratch.dweights, scratch.keys, sight, scratch.outputs);
  for (std::int64_t i = 0; i < block.count; ++i)
    copy_row<W>(scratch.outputs.at(i), op.width, factor_of(op),
                at<T>(back.dqueries, block.row(i) * back.dquery_stride + head * op.width));
}

/// Calls `each(block, head)` for the blocks of queries of every head that reads this item's keys.
template <class Each>
HEADSWEEP_BOTH void for_blocks(const AttentionForward& op, const AttentionItem& item, const Each& each) {
  const std::int64_t group = op.heads / op.kv_heads;
  for (std::int64_t g = 0; g < group; ++g)
    for (std::int64_t begin = 0; begin < item.queries; begin += block_queries) {
      const std::int64_t left = item.queries - begin;
      each(QueryBlock{op, item, begin, left < block_queries ? left : block_queries},
           item.kv_head * group + g);
    }
}

template <int W, class T>
HEADSWEEP_BOTH void attend(const AttentionForward& op, std::int64_t row, float* memory) {
  const AttentionItem item = item_at(op, row);
  const Scratch scratch = lay_out<W>(memory, op.layout.longest, op.width);
  load_keys<W, T>(op, item, scratch);
  for_blocks(
      op, item, [&](const QueryBlock& block, std::int64_t head) __attribute__((always_inline)) {
        attend_block<W, T>(block, head, scratch);
      });
}

template <int W, class T>
HEADSWEEP_BOTH void attend(const AttentionBackward& back, std::int64_t row, float* memory) {
  const AttentionForward& op = back.forward;
  const AttentionItem item = item_at(op, row);
  const Scratch scratch = lay_out<W>(memory, op.layout.longest, op.width);
  load_keys<W, T>(op, item, scratch);
  for (std::int64_t i = 0; i < round_up(item.length, tile_keys); ++i)
    for (std::int64_t j = 0; j < scratch.dkeys.step; ++j)
      scratch.dkeys.at(i)[j] = scratch.dvalues.at(i)[j] = 0;
  for_blocks(
      op, item, [&](const QueryBlock& block, std::int64_t head) __attribute__((always_inline)) {
        differentiate_block<W, T>(back, block, head, scratch);
      });
  const std::int64_t to =
      (item.lane * op.layout.tokens + item.first) * back.dstride + item.kv_head * op.width;
  for (std::int64_t i = 0; i < item.length; ++i) {
    copy_row<W>(scratch.dkeys.at(i), op.width, 1.0F, at<T>(back.dkeys, to + i * back.dstride));
    copy_row<W>(scratch.dvalues.at(i), op.width, 1.0F, at<T>(back.dvalues, to + i * back.dstride));
  }
}

}  // namespace headsweep::kernels
