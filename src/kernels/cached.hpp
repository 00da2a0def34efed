// kernels: attention of one new token a row. Keys and values are read in the order in which they lie, all
// heads of a few keys at a time.
#pragma once

#include "kernels/rows.hpp"
#include "kernels/vector.hpp"

namespace headsweep::kernels {

using Eight = Vector<8>;

/// What a row needs beside its operands.
struct CachedScratch {
  float *query, *sum;      ///< [H, D]
  float *totals, *scores;  ///< [H], [H, step]
  std::int64_t step;       ///< a multiple of 16, and room for 7 more scores than keys
};
HEADSWEEP_BOTH CachedScratch lay_out(const CachedAttention& op, std::int64_t keys, float* memory) {
  const std::int64_t numbers = round_up(op.heads * op.width, 16), heads = round_up(op.heads, 16);
  return {memory, memory + numbers, memory + 2 * numbers, memory + 2 * numbers + heads,
          round_up(keys + 7, 16)};
}

/// [a0 + a1, a2 + a3, b0 + b1, b2 + b3] of both halves.
HEADSWEEP_BOTH Eight add_pairs(Eight a, Eight b) {
  return shuffle<0, 2, 8, 10, 4, 6, 12, 14>(a, b) + shuffle<1, 3, 9, 11, 5, 7, 13, 15>(a, b);
}
/// The sum of each of eight vectors.
HEADSWEEP_BOTH Eight sum_each(const Eight* rows) {
  const Eight low = add_pairs(add_pairs(rows[0], rows[1]), add_pairs(rows[2], rows[3]));
  const Eight high = add_pairs(add_pairs(rows[4], rows[5]), add_pairs(rows[6], rows[7]));
  return shuffle<0, 1, 2, 3, 8, 9, 10, 11>(low, high) + shuffle<4, 5, 6, 7, 12, 13, 14, 15>(low, high);
}

/// The products of a query with eight keys.
template <class T>
HEADSWEEP_BOTH Eight multiply_keys(const float* query, const T* const* keys, std::int64_t offset,
                                   std::int64_t width) {
  Eight sums[8] = {};
  std::int64_t j = 0;
  for (; j + 8 <= width; j += 8) {
    const Eight numbers = load<8>(query + j);
    for (int n = 0; n < 8; ++n) sums[n] += numbers * load<8>(keys[n] + offset + j);
  }
  for (; j < width; ++j)
    for (int n = 0; n < 8; ++n) sums[n][0] += query[j] * get(keys[n] + offset + j);
  return sum_each(sums);
}

/// Scores of all heads from number `first` on; past the last key, up to seven numbers without meaning.
template <class T>
HEADSWEEP_BOTH void score_keys(const CachedAttention& op, Strand<T> strand, std::int64_t first,
                               const CachedScratch& scratch) {
  const std::int64_t group = op.heads / op.kv_heads;
  for (std::int64_t i = 0; i < strand.count; i += 8) {
    const T* keys[8];
    for (int n = 0; n < 8; ++n)
      keys[n] = strand.base + (i + n < strand.count ? i + n : strand.count - 1) * strand.stride;
    for (std::int64_t kv = 0; kv < op.kv_heads; ++kv)
      for (std::int64_t head = kv * group; head < (kv + 1) * group; ++head)
        store<8>(scratch.scores + head * scratch.step + first + i,
                 multiply_keys(scratch.query + head * op.width, keys, kv * op.width, op.width));
  }
}

/// Turns the scores of a head into exp(score - most); their sum.
HEADSWEEP_BOTH float weigh_head(float* scores, std::int64_t keys, std::int64_t step) {
  float most = lowest, total = 0;
  for (std::int64_t i = keys; i < step; ++i) scores[i] = -infinite;
  HEADSWEEP_PRAGMA(omp simd reduction(max : most))
  for (std::int64_t i = 0; i < step / 16 * 16; ++i) most = scores[i] > most ? scores[i] : most;
  HEADSWEEP_PRAGMA(omp simd reduction(+ : total))
  for (std::int64_t i = 0; i < step / 16 * 16; ++i) {
    scores[i] = exponential(scores[i] - most);
    total += scores[i];
  }
  return total;
}

/// sum += weights * values for N keys at once.
template <int N, class T>
HEADSWEEP_BOTH void add_values(const CachedAttention& op, const T* values, std::int64_t stride,
                               std::int64_t first, const CachedScratch& scratch) {
  const std::int64_t group = op.heads / op.kv_heads;
  for (std::int64_t kv = 0; kv < op.kv_heads; ++kv)
    for (std::int64_t head = kv * group; head < (kv + 1) * group; ++head) {
      const float* weights = scratch.scores + head * scratch.step + first;
      float* sum = scratch.sum + head * op.width;
      const T* value = values + kv * op.width;
      std::int64_t j = 0;
      for (; j + 8 <= op.width; j += 8) {
        Eight sums = load<8>(sum + j);
        for (int n = 0; n < N; ++n) sums += weights[n] * load<8>(value + n * stride + j);
        store<8>(sum + j, sums);
      }
      for (; j < op.width; ++j)
        for (int n = 0; n < N; ++n) sum[j] += weights[n] * get(value + n * stride + j);
    }
}
template <class T>
HEADSWEEP_BOTH void mix_values(const CachedAttention& op, Strand<T> strand, std::int64_t first,
                               const CachedScratch& scratch) {
  std::int64_t i = 0;
  for (; i + 4 <= strand.count; i += 4)
    add_values<4>(op, strand.base + i * strand.stride, strand.stride, first + i, scratch);
  for (; i < strand.count; ++i)
    add_values<1>(op, strand.base + i * strand.stride, strand.stride, first + i, scratch);
}

/// The keys or the values of a row: those that its prompt shares, those of its own, those generated since.
template <class T>
struct CachedStrands {
  Strand<T> parts[3];
  HEADSWEEP_BOTH CachedStrands(const CachedAttention& op, const void* of_prompts, const void* generated,
                               std::int64_t row)
      : parts{{at<T>(of_prompts, op.start[row] * op.prompt_stride), op.prompt_stride, op.shared},
              {at<T>(of_prompts, op.first[row] * op.prompt_stride), op.prompt_stride, op.length[row]},
              {at<T>(generated, op.slot[row] * op.room * op.kv_heads * op.width), op.kv_heads * op.width,
               op.generated}} {}
};

template <int W, class T>
HEADSWEEP_BOTH void attend(const CachedAttention& op, std::int64_t row, float* memory) {
  const std::int64_t keys = op.shared + op.length[row] + op.generated;
  const CachedScratch scratch = lay_out(op, keys, memory);
  const float factor = 1.0F / __builtin_sqrtf(static_cast<float>(op.width));
  const std::int64_t numbers = op.heads * op.width;
  copy_row<W>(at<T>(op.queries, row * op.query_stride), numbers, factor, scratch.query);
  for (std::int64_t j = 0; j < numbers; ++j) scratch.sum[j] = 0;
  std::int64_t first = 0;
  for (const Strand<T>& part : CachedStrands<T>(op, op.prompt_keys, op.keys, row).parts) {
    score_keys(op, part, first, scratch);
    first += part.count;
  }
  for (std::int64_t head = 0; head < op.heads; ++head)
    scratch.totals[head] = weigh_head(scratch.scores + head * scratch.step, keys, scratch.step);
  first = 0;
  for (const Strand<T>& part : CachedStrands<T>(op, op.prompt_values, op.values, row).parts) {
    mix_values(op, part, first, scratch);
    first += part.count;
  }
  T* outputs = at<T>(op.outputs, row * numbers);
  for (std::int64_t head = 0; head < op.heads; ++head)
    copy_row<W>(scratch.sum + head * op.width, op.width, 1.0F / scratch.totals[head],
                outputs + head * op.width);
}

}  // namespace headsweep::kernels
