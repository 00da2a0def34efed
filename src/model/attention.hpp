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

/// How trees lie in rectangles of `longest` tokens.
struct Padded {
  at::Tensor slot;       ///< int64 [T] of each token in [trees * S]
  at::Tensor kept_slot;  ///< int64 [R]
  at::Tensor
      mask;  ///< float [trees, S, S]: 0 where a token sees another, else -inf (a padding row sees itself)
};
Padded pad(const TokenBatch& batch);

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
  [[nodiscard]] at::Tensor unpack(const at::Tensor& rows, const at::Tensor& slots, std::int64_t heads) const;
  [[nodiscard]] at::Tensor pack_rows(const at::Tensor& padded, const at::Tensor& slots) const;
  [[nodiscard]] const at::Tensor& slots(Asking asking) const {
    return asking == Asking::all ? padded_.slot : padded_.kept_slot;
  }

  const ModelConfig& config_;
  const TokenBatch& batch_;
  Way way_;
  Padded padded_;
};

}  // namespace headsweep::llama
