// kernels: fused loops over rows of numbers, on CPU (vectorised, chosen for the CPU at run time) and CUDA.
// Level 0. Knows no tensors: pointers and sizes. Letters: K lanes, T tokens, H heads, D head width, E hidden,
// F inner, V words.
//
// Each operation is a struct of its operands; its work falls into `rows()` independent rows. Operands of
// matrix products are of the type `Number` (void*), all else is float32.
#pragma once

#include <cstdint>
#include <string>

namespace headsweep::kernels {

enum class Number { f32, bf16 };
enum class Isa { base, v3, v4 };  ///< x86-64 (or another CPU), x86-64-v3 (AVX2, FMA), x86-64-v4 (AVX-512)
/// The best of them that this CPU has; the environment's HEADSWEEP_ISA=base|v3|v4 asks for less.
Isa best_isa();
std::string to_text(Isa isa);
/// Whether this CPU multiplies bfloat16 in hardware (AVX512-BF16 or AMX).
bool has_bf16_products();
/// What bits may hang on: maker and instruction set, `AMD cpu v4 with bf16`.
std::string cpu_kind();
/// Whether this build holds the CUDA kernels.
bool has_cuda();

/// x += y; scale = 1 / sqrt(mean(x^2) + eps); h = x * scale. Root mean square norm without its gain.
struct NormForward {
  float* x;       ///< [n, E], changed where y is given
  const void* y;  ///< [n, E] or null
  void* h;        ///< [n, E]
  float* scale;   ///< [n]
  std::int64_t n, width;
  float eps;
  [[nodiscard]] std::int64_t rows() const { return n; }
};
/// dx += scale * (dh - h * mean(dh * h)); `low`, if given, is a copy of dx for the next product.
struct NormBackward {
  const void *dh, *h;
  const float* scale;
  float* dx;
  void* low;
  std::int64_t n, width;
  [[nodiscard]] std::int64_t rows() const { return n; }
};
/// Turns the first `heads` heads of each row by the row's position, or back (sign -1).
struct Rotate {
  void* x;                 ///< [n, stride], heads of D numbers first
  const float *cos, *sin;  ///< [T, D]; row i of x stands at token i % T
  std::int64_t n, tokens, heads, width, stride;
  float sign;
  [[nodiscard]] std::int64_t rows() const { return n; }
};
/// out = silu(gate) * up.
struct SwigluForward {
  const void* gate_up;  ///< [n, 2F]
  void* out;            ///< [n, F]
  std::int64_t n, width;
  [[nodiscard]] std::int64_t rows() const { return n; }
};
/// The gradient of gate_up, in its place.
struct SwigluBackward {
  void* gate_up;     ///< [n, 2F]
  const void* dout;  ///< [n, F]
  std::int64_t n, width;
  [[nodiscard]] std::int64_t rows() const { return n; }
};
/// out = log(sum(exp(x))) of each row.
struct LogSumExp {
  const void* x;  ///< [n, width]
  float* out;     ///< [n]
  std::int64_t n, width;
  [[nodiscard]] std::int64_t rows() const { return n; }
};
/// x = factor * softmax(x), in place; lse from LogSumExp.
struct ScaledSoftmax {
  void* x;  ///< [n, width]
  const float *lse, *factor;
  std::int64_t n, width;
  [[nodiscard]] std::int64_t rows() const { return n; }
};
/// kl = KL(softmax(before) || softmax(after)); `before` is shared by the lanes.
struct RowDivergence {
  const void *before, *after;  ///< [rows_before, width], [n, width]; row i is compared with i % rows_before
  const float *lse_before, *lse_after;
  float* kl;  ///< [n] nats
  std::int64_t n, rows_before, width;
  [[nodiscard]] std::int64_t rows() const { return n; }
};

/// gate = active * <read, o> (or active, without read); x += gate * write, in the rows of edited lanes; gate
/// 0 elsewhere.
struct EditForward {
  float* x;                               ///< [n, E]
  const void* outputs;                    ///< o [n, C]
  const float *read, *write;              ///< [K', C] or null, [K', E]
  const std::int32_t* edit_of_lane;       ///< [K] row of read and write; -1: the lane is not edited here
  const std::int32_t* lane_of_row;        ///< [n]; null: row / tokens
  const float* active;                    ///< [tokens] for row % tokens; null: 1
  float* gate;                            ///< [n]
  std::int64_t n, tokens, width, hidden;  ///< width: C
  [[nodiscard]] std::int64_t rows() const { return n; }
};
/// dgate = active * <dx, write>; do += dgate * read, in the rows of edited lanes; dgate 0 elsewhere.
struct EditBackward {
  const float* dx;            ///< [n, E]
  void* doutputs;             ///< [n, C]; null where the outputs' gradient is not needed
  const float *read, *write;  ///< read may be null: the gate is constant
  const std::int32_t* edit_of_lane;
  const float* active;
  float* dgate;
  std::int64_t n, tokens, width, hidden;
  [[nodiscard]] std::int64_t rows() const { return n; }
};
/// out[k] = sum_t factor[lane, t] * values[lane, t] of the lanes k that are named.
struct WeightedSum {
  const float* factor;        ///< [K, T]
  const void* values;         ///< [K, T, width] of the run's Number
  const std::int64_t* lanes;  ///< [n]; null: all in order
  float* out;                 ///< [n, width]
  std::int64_t n, tokens, width;
  [[nodiscard]] std::int64_t rows() const { return n; }
};

/// The MLP of the first edited layer, where all lanes share r0: with r = r0 + gate * write, the inner states
/// before the non-linearity are scale * (shared + gate * own), so that no lane needs a product of its own.
struct CollapsedForward {
  const void *shared, *own;   ///< W r0 [T, 2F], W write [K, 2F]
  const float *gate, *scale;  ///< [K, T]
  void* out;                  ///< [K, T, F] silu(gate part) * up part
  std::int64_t lanes, tokens, width;
  [[nodiscard]] std::int64_t rows() const { return lanes * tokens; }
};
/// dgate, dscale and the gradient of `own`, from the gradient of `out`; one row a lane.
struct CollapsedBackward {
  const void *shared, *own, *dout;
  const float *gate, *scale;
  float *dgate, *dscale;  ///< [K, T]
  float* down;            ///< [K, 2F]
  std::int64_t lanes, tokens, width;
  [[nodiscard]] std::int64_t rows() const { return lanes; }
};

/// x = softmax(x * factor + mask) over each row, in place; masked cells become 0.
struct MaskedSoftmax {
  void* x;            ///< [n, width]
  const float* mask;  ///< [trees, cells, width] of 0 or -inf; x is [.., trees, repeat, cells, width]
  std::int64_t n, width, trees, repeat, cells;
  float factor;
  [[nodiscard]] std::int64_t rows() const { return n; }
};
/// dp = factor * p * (dp - <p, dp>), in place.
struct SoftmaxBackward {
  const void* p;
  void* dp;
  std::int64_t n, width;
  float factor;
  [[nodiscard]] std::int64_t rows() const { return n; }
};

/// Heads of packed rows, each as a matrix of its own a tree: what products of whole batches take. A slot
/// without a token gets the numbers of another.
struct SpreadHeads {
  const void* packed;         ///< [K, T, stride], H / group heads of D numbers first
  void* squares;              ///< [K, trees, H, S, D]
  const std::int32_t* token;  ///< [trees * S] the token of each slot
  std::int64_t lanes, tokens, trees, slots, heads, group, width, stride;  ///< slots: S
  [[nodiscard]] std::int64_t rows() const { return lanes * trees * slots; }
};
/// The inverse, one head to one head.
struct GatherHeads {
  const void* squares;       ///< [K, trees, H, S, D]
  void* packed;              ///< [K, T, stride]
  const std::int32_t* slot;  ///< [T] of each token in [trees * S]
  std::int64_t lanes, tokens, trees, slots, heads, width, stride;
  [[nodiscard]] std::int64_t rows() const { return lanes * tokens; }
};

/// Who sees whom in packed texts: token i of a tree (its index in the tree) sees the tree's first start[i]
/// tokens, those from middle[i] to middle_end[i] (not included) and those from own[i] on, up to itself.
struct TreeLayout {
  const std::int32_t* tree_begin;                         ///< [trees + 1] first token of each tree
  const std::int32_t *start, *middle, *middle_end, *own;  ///< [T]
  const std::int32_t* query;                              ///< [Q] tokens that ask, ascending; null: all T
  const std::int32_t* query_begin;                        ///< [trees + 1] first query of each tree
  std::int64_t trees, tokens, queries, longest;
};
/// Fused attention over packed texts, one row per (lane, tree, head): no padding, no score matrix in memory.
/// CPU only.
struct AttentionForward {
  TreeLayout layout;
  const void *queries, *keys,
      *values;    ///< rotated; rows of `query_stride` [K, Q, ..] and `stride` [K, T, ..] numbers
  void* outputs;  ///< [K, Q, H*D]
  float* lse;     ///< [K, Q, H]; null where no gradient is wanted
  std::int64_t lanes, heads, kv_heads, width, query_stride, stride;
  [[nodiscard]] std::int64_t rows() const { return lanes * layout.trees * kv_heads; }
};
/// The gradients of queries, keys and values, laid out as those are (other strides allowed).
struct AttentionBackward {
  AttentionForward forward;
  const void* doutputs;  ///< [K, Q, H*D]
  void *dqueries, *dkeys, *dvalues;
  std::int64_t dquery_stride, dstride;
  [[nodiscard]] std::int64_t rows() const { return forward.rows(); }
};
/// One new token a row against the keys of its prompt (packed, the same for all lanes or the lane's own) and
/// those generated since. A prompt may begin with tokens that others share: they lie apart from its own.
struct CachedAttention {
  const void* queries;                      ///< [n, H*D], rotated
  const void *prompt_keys, *prompt_values;  ///< [1 or K, T, ..] with `prompt_stride`
  const void *keys, *values;                ///< [slots, room, KV*D]
  void* outputs;                            ///< [n, H*D]
  /// [n] where the prompt begins, and where its own tokens do (lane included); the number of the latter.
  const std::int32_t *start, *first, *length;
  const std::int32_t* slot;                  ///< [n] row of `keys`
  std::int64_t shared;                       ///< tokens at `start`; 0: all of a prompt is its own
  std::int64_t n, longest, generated, room;  ///< longest: at least every `length` + shared
  std::int64_t heads, kv_heads, width, query_stride, prompt_stride;
  [[nodiscard]] std::int64_t rows() const { return n; }
};

/// Does rows [begin, end) of one of the operations above on the CPU. Rows are independent: how they are cut
/// among threads changes no bit. `isa` must be one that this CPU has.
template <class Operation>
void run(const Operation& operation, Number number, std::int64_t begin, std::int64_t end,
         Isa isa = best_isa());

/// Does all rows on the current CUDA device, in `stream` (a cudaStream_t); every operation but the attention
/// over packed texts. Throws BadInput where this build has no CUDA kernels, Error where the launch fails.
template <class Operation>
void launch(const Operation& operation, Number number, void* stream);

}  // namespace headsweep::kernels
