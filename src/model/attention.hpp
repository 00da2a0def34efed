// model, private: attention inside token trees, forward and backward. On the CPU fused over packed tokens
// (module kernels); elsewhere by products of padded matrices, which is also the plain twin. X lanes (1 or K),
// Q tokens that ask.
#pragma once

#include <ATen/ATen.h>

#include <headsweep/model.hpp>

namespace headsweep::llama {

/// Rotated queries and keys, and values; views of wider buffers are fine as long as the last axis is dense.
struct Heads {
  at::Tensor queries;       ///< [X, Q, H*D]
  at::Tensor keys, values;  ///< [X, T, KV*D]
};

/// The tokens of a batch that ask: all, or the kept ones.
enum class Asking { all, kept };

/// How the tokens that ask, or all, lie in rectangles of S slots a clump; S is a multiple of 8, which
/// products of bfloat16 want. All int32.
struct Padded {
  at::Tensor token;  ///< [clumps * S] whose numbers a slot gets; one of its clump's own where it is empty
  at::Tensor slot;   ///< [n] of each token in [clumps * S]
  /// [clumps, S, 1] the slots that a slot's token sees: those below `early`, from `middle` to `middle_end`
  /// (not included), and from `own` to `last`. An empty slot sees nothing and is seen by none.
  at::Tensor early, middle, middle_end, own, last;
};
std::int64_t slots_of(const TokenBatch& batch);
Padded pad(const TokenBatch& batch, Asking asking);
/// float [clumps, S, S]: 0 where a token sees another, else -inf.
at::Tensor mask_of(const Padded& padded);

class Attention {
 public:
  enum class Way { fused, padded };
  Attention(const Weights& weights, const TokenBatch& batch);
  Attention(const Weights& weights, const TokenBatch& batch, Way way);

  /// Head outputs [X, Q, C]; `saved`, if given, gets what the backward needs.
  at::Tensor forward(const Heads& heads, Asking asking, at::Tensor* saved) const;
  /// Fills `gradients` (placed by the caller, shaped as heads) from that of the outputs.
  void backward(const Heads& heads, Asking asking, const at::Tensor& outputs, const at::Tensor& saved,
                const at::Tensor& outputs_gradient, const Heads& gradients) const;

 private:
  at::Tensor forward_fused(const Heads& heads, Asking asking, at::Tensor* saved) const;
  at::Tensor forward_padded(const Heads& heads, Asking asking, at::Tensor* saved) const;
  void backward_padded(const Heads& heads, Asking asking, const at::Tensor& weights,
                       const at::Tensor& outputs_gradient, const Heads& gradients) const;
  [[nodiscard]] at::Tensor spread(const at::Tensor& packed, const Padded& padded) const;
  void gather(const at::Tensor& squares, const Padded& padded, const at::Tensor& packed) const;
  /// What the products of matrices take.
  struct Squares {
    at::Tensor queries, keys, values;  ///< [X * clumps * H, S, D]
  };
  [[nodiscard]] Squares spread_all(const Heads& heads, Asking asking) const;
  [[nodiscard]] const Padded& padded(Asking asking) const { return asking == Asking::all ? all_ : kept_; }
  [[nodiscard]] const at::Tensor& mask(Asking asking) const;

  const ModelConfig& config_;
  const TokenBatch& batch_;
  Way way_;
  Padded all_, kept_;
  mutable at::Tensor mask_, kept_mask_;  ///< made when first asked for
};

}  // namespace headsweep::llama
