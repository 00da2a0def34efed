// model, private: the parts of a LLaMA layer that the forward over packed texts and the decoder share. X is
// the number of lanes that states differ for: 1 below the first edit, K from there on.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <headsweep/model.hpp>

namespace headsweep::llama {

/// Angles of tokens' positions: [T, 1, D] each.
struct Rotation {
  at::Tensor cos, sin;
};
Rotation rotation_at(const Weights& weights, const at::Tensor& positions /* [T] */);

/// Queries [X, T, H, D] and keys [X, T, KV, D] turned by their positions, values [X, T, KV, D].
struct Projections {
  at::Tensor queries, keys, values;
};
Projections project(const Weights& weights, int layer, const Rotation& rotation,
                    const at::Tensor& states /* [X, T, E] */);

/// The tokens for which a layer's output is wanted.
struct Rows {
  at::Tensor tokens;  ///< int64 [R]; undefined: all T, in order
  at::Tensor slots;   ///< int64 [R]: where attention leaves them in the padded layout
  at::Tensor active;  ///< float [R]
};
Rows all_rows(const TokenBatch& batch);
Rows kept_rows(const TokenBatch& batch);
/// The last layer's output is wanted at the kept tokens only.
Rows rows_of(const TokenBatch& batch, bool last_layer);
/// Rows [X, R, ..] of [X, T, ..].
at::Tensor take(const at::Tensor& states, const Rows& rows);

/// [X, T, ..] -> [X, trees, S, ..].
at::Tensor unpack(const TokenBatch& batch, const at::Tensor& tokens);
/// Attention inside each tree; head outputs [X, R, C].
class Attention {
 public:
  explicit Attention(const TokenBatch& batch) : batch_(batch), mask_(batch.mask) {}
  at::Tensor operator()(const Projections& projections, const Rows& rows);

 private:
  const TokenBatch& batch_;
  at::Tensor mask_;  ///< [X * trees, 1, S, S] for the X of the latest call
};

at::Tensor norm(const Weights& weights, const at::Tensor& states, const at::Tensor& gain);
/// r + active * gate * write at the edited lanes: [K, R, E] from r [X, R, E], outputs [X, R, C], active [R];
/// r itself where the layer is not edited.
at::Tensor add_edit(const LaneEdits& edits, int layer, const at::Tensor& residual, const at::Tensor& outputs,
                    const at::Tensor& active);
/// r + MLP(r): the states above the layer.
at::Tensor add_mlp(const Weights& weights, int layer, const at::Tensor& residual);
/// x + W_o o.
at::Tensor add_outputs(const Weights& weights, int layer, const at::Tensor& states,
                       const at::Tensor& outputs);

}  // namespace headsweep::llama
