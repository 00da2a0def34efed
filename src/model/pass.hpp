// model, private: the layers as forward and backward go through them. X is the number of lanes that states
// differ for: 1 up to the first edited layer, where the lanes part, K from there on. Q: the tokens whose
// states a layer must give.
#pragma once

#include <headsweep/model.hpp>

#include "model/adapters.hpp"
#include "model/attention.hpp"
#include "model/ops.hpp"

namespace headsweep::llama {

/// The residual stream: x, and what the latest product adds to it, which the next norm takes in.
struct Stream {
  at::Tensor x;      ///< [X, Q, E] float32
  at::Tensor added;  ///< low [X, Q, E] or undefined
};

/// The layer where the lanes part: r = residual + gate * write. All lanes share the residual, so that what
/// the MLP's first product needs of a lane is one row.
struct Parting {
  at::Tensor residual;     ///< [Q, E]
  at::Tensor write;        ///< [K, E], 0 for lanes that are not edited here
  at::Tensor shared, own;  ///< low: W residual [Q, 2F], W write [K, 2F]
  at::Tensor along;        ///< <write, residual> [K, Q]
  at::Tensor square;       ///< |write|^2 [K, 1]
  at::Tensor scale;        ///< 1 / rms(r) [K, Q]
};

/// What a layer leaves for its backward.
struct LayerTape {
  ops::Normed before_heads, before_mlp;
  ops::Normed queries,
      keys;  ///< [X * Q * H, D], [X * T * KV, D]: normed, without gain; where heads have norms
  Heads heads;
  at::Tensor attention;  ///< what Attention has saved
  at::Tensor outputs;    ///< o [K, Q, C], [1, Q, C] where the lanes part
  at::Tensor gate;       ///< [K, Q]; undefined where nothing is edited
  at::Tensor gate_up;    ///< [K, Q, 2F]
  Parting parting;       ///< where the lanes part; heads and norms are undefined there
  Gates gates;           ///< of adapters
};
/// One layer, the adapters there, and where its backward finds what it needs (null: nowhere).
struct LayerRun {
  const Weights& weights;
  int layer = 0;
  LayerAdapters adapters = {};
  LayerTape* tape = nullptr;
  [[nodiscard]] Gates* gates() const { return tape == nullptr ? nullptr : &tape->gates; }
};

/// Angles of tokens' positions: [T, D] each.
struct Rotation {
  at::Tensor cos, sin;
};
Rotation rotation_at(const Weights& weights, const at::Tensor& positions);

/// Buffers of heads as the products fill them: all in `rest`, or the queries of some rows apart.
struct JoinedHeads {
  at::Tensor queries;  ///< [X, Q, H*D], or undefined
  at::Tensor rest;     ///< [X, T, (H + 2 KV) * D] or [X, T, 2 KV * D]
  [[nodiscard]] Heads split(const ModelConfig& config) const;
};
/// Unfilled, for X lanes and T tokens; `asking` as in `project`.
JoinedHeads join_heads(const Weights& weights, at::IntArrayRef rows, const at::Tensor& asking);
/// Norms each head of queries and keys, in place, where the model does; leaves what the backward needs.
void norm_heads(const LayerRun& run, const Heads& heads);
/// Turns the gradients of normed queries and keys into those of what the products gave.
void norm_heads_backward(const Weights& weights, int layer, const LayerTape& tape, const Heads& gradients);
/// Turns queries and keys by their positions; sign -1: back.
void rotate_heads(const Weights& weights, const Rotation& rotation, const at::Tensor& asking, float sign,
                  JoinedHeads& joined);

const LayerWeights& layer_of(const Weights& weights, int layer);

/// One layer's products, on any rows: those of packed texts and those of the decoder.
ops::Normed settle(const Weights& weights, Stream& stream);
/// Heads of normed rows [X, T, E]; `asking` (int64, or undefined for all): the rows whose queries are wanted.
Heads project(const LayerRun& run, const at::Tensor& normed, const Rotation& rotation,
              const at::Tensor& asking);
/// Times the final norm's gain, which no matrix has taken in: states from normed rows, and their gradients
/// back.
at::Tensor with_final_gain(const Weights& weights, const at::Tensor& rows);
/// W_o o with what an adapter adds.
at::Tensor project_outputs(const LayerRun& run, const at::Tensor& outputs);
/// Puts the MLP's output on the stream.
void add_mlp(const LayerRun& run, Stream& stream);
/// The edit of a layer on rows of K lanes: the gate [rows].
struct EditRows {
  const std::int32_t* lane_of_row = nullptr;  ///< null: lane by lane
  at::Tensor active;                          ///< [Q]; undefined: 1
};
at::Tensor add_edit(const LaneEdits& edits, const LayerEdit& edit, const at::Tensor& outputs,
                    const EditRows& rows, at::Tensor& x);
/// int32 [K]: the row of the edit that a lane has, -1 without.
at::Tensor edit_of_lane(const LaneEdits& edits, const LayerEdit& edit);

/// Goes up through the layers over packed texts. `watch`, if given, is called with each layer's head outputs
/// [X, Q, C] and heads.
class Pass {
 public:
  using Watch = std::function<void(int layer, const Heads& heads, const at::Tensor& outputs)>;
  Pass(const Weights& weights, const TokenBatch& batch, const LaneEdits& edits);

  /// Final normed states without gain, from the embedding or a prefix.
  ops::Normed run(const Prefix& prefix, std::vector<LayerTape>* tape, const Watch& watch = {});
  /// The states where `layer`'s o_proj begins, without edits.
  Prefix run_to(int layer);
  LaneEdits backward(std::vector<LayerTape>& tape, const ops::Normed& final, const at::Tensor& gradient);

 private:
  [[nodiscard]] bool is_last(int layer) const { return layer == weights_.config.layers - 1; }
  [[nodiscard]] at::Tensor kept_of(const at::Tensor& rows) const { return rows.index_select(1, batch_.kept); }
  [[nodiscard]] at::Tensor active_at(int layer) const;
  [[nodiscard]] AdaptedRows adapted_rows(int layer) const { return {batch_.active, active_at(layer)}; }
  [[nodiscard]] LayerRun run_of(int layer, LayerTape* tape) const {
    return {weights_, layer, LayerAdapters(edits_, layer, adapted_rows(layer)), tape};
  }
  /// Attention of a layer: head outputs; W_o o goes on the stream. `trim`: at the kept tokens only.
  at::Tensor attend(const LayerRun& run, bool trim, Stream& stream, const Watch& watch);
  /// The lanes part (parting.cpp): the stream of one lane, settled, becomes that of K, with the MLP's output
  /// on it. Returns the gate [K, Q].
  at::Tensor part(int layer, const at::Tensor& outputs, Stream& stream, LayerTape* tape) const;
  /// The gradients of read and write at the layer where the lanes part, from those of the MLP's inner state
  /// and of the stream.
  [[nodiscard]] LayerEdit part_backward(int layer, const LayerTape& tape, const at::Tensor& inner_gradient,
                                        const at::Tensor& dx) const;
  /// The gradients of read and write above that; the outputs' gradient takes its share.
  LayerEdit edit_backward(int layer, const LayerTape& tape, const at::Tensor& dx,
                          at::Tensor& outputs_gradient) const;
  void finish_layer(const LayerRun& run, const at::Tensor& outputs, Stream& stream);
  /// The gradient of a layer's stream: dx in float32, `low` its copy as operand of the next product.
  struct StreamGradient {
    at::Tensor dx, low;
  };
  /// That below a layer's MLP, in place of that above it; `inner`: that of what down_proj reads.
  void mlp_backward(int layer, LayerTape& tape, const at::Tensor& inner, AdapterGradients& adapters,
                    StreamGradient& stream) const;
  /// That below a layer's attention, in place of that above it.
  void attend_backward(int layer, const LayerTape& tape, const at::Tensor& outputs_gradient,
                       AdapterGradients& adapters, StreamGradient& stream) const;
  /// The lowest layer whose backward is wanted.
  [[nodiscard]] int lowest_edited() const {
    return edits_.adapters.empty() ? edits_.first_layer(weights_.config.layers)
                                   : edits_.adapters.begin()->first;
  }
  /// The embedding, of as many lanes as differ from there on.
  [[nodiscard]] Stream embed() const;

  const Weights& weights_;
  const TokenBatch& batch_;
  const LaneEdits& edits_;
  Rotation rotation_;
  Attention attention_;
};

}  // namespace headsweep::llama
