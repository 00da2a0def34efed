// model: the products of one layer, on rows of packed texts or of the decoder.
#include <headsweep/model.hpp>

#include "model/pass.hpp"

namespace headsweep::llama {
namespace {

void rotate(const Weights& weights, const Rotation& rotation, std::int64_t heads, float sign,
            at::Tensor& rows) {
  ops::run(kernels::Rotate{.x = ops::data(rows),
                           .cos = ops::data<float>(rotation.cos),
                           .sin = ops::data<float>(rotation.sin),
                           .n = rows.numel() / rows.size(-1),
                           .tokens = rotation.cos.size(0),
                           .heads = heads,
                           .width = weights.config.head_dim,
                           .stride = rows.size(-1),
                           .sign = sign},
           rows.scalar_type(), rows.device());
}

}  // namespace

const LayerWeights& layer_of(const Weights& weights, int layer) {
  return weights.layers.at(static_cast<std::size_t>(layer));
}

Rotation rotation_at(const Weights& weights, const at::Tensor& positions) {
  return {weights.rope_cos.index_select(0, positions), weights.rope_sin.index_select(0, positions)};
}

ops::Normed settle(const Weights& weights, Stream& stream) {
  ops::Normed normed = ops::norm(stream.x, stream.added, weights.number, weights.config.norm_eps);
  stream.added = at::Tensor();
  return normed;
}

JoinedHeads join_heads(const Weights& weights, at::IntArrayRef rows, const at::Tensor& asking) {
  const ModelConfig& config = weights.config;
  const std::int64_t width = config.width(), kv_width = std::int64_t{config.kv_heads} * config.head_dim;
  const auto options = weights.embedding.options();
  JoinedHeads joined;
  if (asking.defined()) {
    joined.queries = ops::empty_rows({rows[0], asking.size(0), width}, options);
    joined.rest = ops::empty_rows({rows[0], rows[1], 2 * kv_width}, options);
  } else {
    joined.rest = ops::empty_rows({rows[0], rows[1], width + 2 * kv_width}, options);
  }
  return joined;
}

Heads JoinedHeads::split(const ModelConfig& config) const {
  const std::int64_t kv_width = std::int64_t{config.kv_heads} * config.head_dim;
  const std::int64_t first = rest.size(2) - 2 * kv_width;
  return {queries.defined() ? queries : rest.narrow(2, 0, first), rest.narrow(2, first, kv_width),
          rest.narrow(2, first + kv_width, kv_width)};
}

void rotate_heads(const Weights& weights, const Rotation& rotation, const at::Tensor& asking, float sign,
                  JoinedHeads& joined) {
  const ModelConfig& config = weights.config;
  if (!asking.defined()) return rotate(weights, rotation, config.heads + config.kv_heads, sign, joined.rest);
  const Rotation asked{rotation.cos.index_select(0, asking), rotation.sin.index_select(0, asking)};
  rotate(weights, asked, config.heads, sign, joined.queries);
  rotate(weights, rotation, config.kv_heads, sign, joined.rest);
}

void norm_heads(const LayerRun& run, const Heads& heads) {
  const LayerWeights& layer = layer_of(run.weights, run.layer);
  if (!layer.query_gain.defined()) return;
  const auto norm_each = [&](const at::Tensor& rows, const at::Tensor& gain) {
    const at::Tensor by_head = rows.unflatten(2, {-1, run.weights.config.head_dim});
    at::Tensor x = by_head.to(at::kFloat).contiguous();
    ops::Normed normed = ops::norm(x, {}, run.weights.number, run.weights.config.norm_eps);
    by_head.copy_(normed.values * gain);
    return normed;
  };
  ops::Normed queries = norm_each(heads.queries, layer.query_gain),
              keys = norm_each(heads.keys, layer.key_gain);
  if (run.tape == nullptr) return;
  run.tape->queries = std::move(queries);
  run.tape->keys = std::move(keys);
}

void norm_heads_backward(const Weights& weights, int layer, const LayerTape& tape, const Heads& gradients) {
  const LayerWeights& matrices = layer_of(weights, layer);
  if (!matrices.query_gain.defined()) return;
  const auto back = [&](const at::Tensor& rows, const at::Tensor& gain, const ops::Normed& normed) {
    const at::Tensor by_head = rows.unflatten(2, {-1, weights.config.head_dim});
    const at::Tensor normed_gradient = (by_head * gain).to(weights.number).contiguous();
    at::Tensor gradient = at::zeros(normed_gradient.sizes(), gain.options());
    by_head.copy_(ops::norm_backward(normed_gradient, normed, gradient));
  };
  back(gradients.queries, matrices.query_gain, tape.queries);
  back(gradients.keys, matrices.key_gain, tape.keys);
}

Heads project(const LayerRun& run, const at::Tensor& normed, const Rotation& rotation,
              const at::Tensor& asking) {
  const LayerWeights& layer = layer_of(run.weights, run.layer);
  const at::Tensor &matrix = layer.qkv, &bias = layer.qkv_bias;
  const std::int64_t width = run.weights.config.width();
  JoinedHeads joined;
  at::Tensor asking_rows = normed;
  if (asking.defined()) {
    asking_rows = normed.index_select(1, asking);
    joined.queries = ops::product(asking_rows, matrix.narrow(0, 0, width));
    joined.rest = ops::product(normed, matrix.narrow(0, width, matrix.size(0) - width));
  } else {
    joined.rest = ops::product(normed, matrix);
  }
  if (bias.defined()) {
    if (asking.defined()) joined.queries.add_(bias.narrow(0, 0, width));
    joined.rest.add_(bias.slice(0, asking.defined() ? width : 0));
  }
  const Heads heads = joined.split(run.weights.config);
  run.adapters.add(EditTarget::q, asking_rows, heads.queries, run.gates());
  run.adapters.add(EditTarget::k, normed, heads.keys, run.gates());
  run.adapters.add(EditTarget::v, normed, heads.values, run.gates());
  norm_heads(run, heads);
  rotate_heads(run.weights, rotation, asking, 1, joined);
  return heads;
}

at::Tensor project_outputs(const LayerRun& run, const at::Tensor& outputs) {
  at::Tensor added = ops::product(outputs, layer_of(run.weights, run.layer).o);
  run.adapters.add(EditTarget::o, outputs, added, run.gates());
  return added;
}

at::Tensor with_final_gain(const Weights& weights, const at::Tensor& rows) {
  return rows * weights.norm_final.to(weights.number);
}

void add_mlp(const LayerRun& run, Stream& stream) {
  const LayerWeights& matrices = layer_of(run.weights, run.layer);
  const std::int64_t inner = run.weights.config.intermediate;
  ops::Normed normed = settle(run.weights, stream);
  at::Tensor gate_up = ops::product(normed.values, matrices.gate_up);
  run.adapters.add(EditTarget::gate, normed.values, gate_up.narrow(-1, 0, inner), run.gates());
  run.adapters.add(EditTarget::up, normed.values, gate_up.narrow(-1, inner, inner), run.gates());
  const at::Tensor act = ops::swiglu(gate_up);
  stream.added = ops::product(act, matrices.down);
  run.adapters.add(EditTarget::down, act, stream.added, run.gates());
  if (run.tape == nullptr) return;
  run.tape->before_mlp = std::move(normed);
  run.tape->gate_up = std::move(gate_up);
}

at::Tensor edit_of_lane(const LaneEdits& edits, const LayerEdit& edit) {
  const auto options = edit.write.options().dtype(at::kInt);
  if (!edit.lanes.defined()) return at::arange(edits.lanes, options);
  return at::full({edits.lanes}, -1, options)
      .index_copy_(0, edit.lanes, at::arange(edit.lanes.size(0), options));
}

at::Tensor add_edit(const LaneEdits& edits, const LayerEdit& edit, const at::Tensor& outputs,
                    const EditRows& rows, at::Tensor& x) {
  const at::Tensor lanes = edit_of_lane(edits, edit);
  const auto shape = x.sizes().slice(0, static_cast<std::size_t>(x.dim() - 1));
  at::Tensor gate = at::empty(shape, x.options());
  ops::run(kernels::EditForward{.x = ops::data<float>(x),
                                .outputs = ops::data(outputs),
                                .read = ops::data<float>(edit.read),
                                .write = ops::data<float>(edit.write),
                                .edit_of_lane = ops::data<std::int32_t>(lanes),
                                .lane_of_row = rows.lane_of_row,
                                .active = ops::data<float>(rows.active),
                                .gate = ops::data<float>(gate),
                                .n = gate.numel(),
                                .tokens = gate.size(-1),
                                .width = outputs.size(-1),
                                .hidden = x.size(-1)},
           outputs.scalar_type(), x.device());
  return gate;
}

}  // namespace headsweep::llama
