// model: the LLaMA forward of K lanes over packed texts. Products with the weights run over the flat tokens,
// without padding; attention alone unpacks them to [trees, S]. Differentiable in the edits.
#include "model/llama.hpp"

#include <algorithm>

namespace headsweep {
namespace llama {
namespace {

constexpr std::int64_t most_logits = std::int64_t{1} << 26;  // of the lanes done at once: 256 MiB

/// x turned by its position: the two halves of each head are the two coordinates of its pairs. [X, T, H, D]
at::Tensor rotate(const at::Tensor& x, const Rotation& rotation) {
  const auto halves = x.chunk(2, -1);
  return x * rotation.cos + at::cat({-halves[1], halves[0]}, -1) * rotation.sin;
}

const LayerWeights& layer_of(const Weights& weights, int layer) {
  return weights.layers.at(static_cast<std::size_t>(layer));
}

/// [X, trees, S, KV, D] -> [X * trees, H, S, D]: each key-value head serves H / KV heads in a row.
at::Tensor heads_first(const at::Tensor& x, std::int64_t heads) {
  const std::int64_t stored = x.size(3), group = heads / stored;
  at::Tensor flat = x.flatten(0, 1).transpose(1, 2);
  if (group == 1) return flat;
  return flat.unsqueeze(2)
      .expand({-1, -1, group, -1, -1})
      .reshape({flat.size(0), heads, flat.size(2), flat.size(3)});
}

/// <read, o> of the edited lanes: [K', R].
at::Tensor read_outputs(const LayerEdit& edit, const at::Tensor& outputs) {
  if (outputs.size(0) == 1) return at::matmul(edit.read, outputs[0].t());  // all lanes have the same o
  const at::Tensor own = edit.lanes.defined() ? outputs.index_select(0, edit.lanes) : outputs;
  return at::bmm(own, edit.read.unsqueeze(2)).squeeze(2);
}

}  // namespace

Rotation rotation_at(const Weights& weights, const at::Tensor& positions) {
  return {weights.rope_cos.index_select(0, positions).unsqueeze(1),
          weights.rope_sin.index_select(0, positions).unsqueeze(1)};
}

at::Tensor norm(const Weights& weights, const at::Tensor& states, const at::Tensor& gain) {
  return at::rms_norm(states, {states.size(-1)}, gain, weights.config.norm_eps);
}

Projections project(const Weights& weights, int layer, const Rotation& rotation, const at::Tensor& states) {
  const LayerWeights& matrices = layer_of(weights, layer);
  const at::Tensor normed = norm(weights, states, matrices.norm_attention);
  const auto heads = [&](const at::Tensor& matrix) {
    return at::linear(normed, matrix).view({states.size(0), states.size(1), -1, weights.config.head_dim});
  };
  return {rotate(heads(matrices.q), rotation), rotate(heads(matrices.k), rotation), heads(matrices.v)};
}

Rows all_rows(const TokenBatch& batch) { return {{}, batch.slot, batch.active}; }

Rows kept_rows(const TokenBatch& batch) {
  return {batch.kept, batch.slot.index_select(0, batch.kept), batch.active.index_select(0, batch.kept)};
}

Rows rows_of(const TokenBatch& batch, bool last_layer) {
  return last_layer ? kept_rows(batch) : all_rows(batch);
}

at::Tensor take(const at::Tensor& states, const Rows& rows) {
  return rows.tokens.defined() ? states.index_select(1, rows.tokens) : states;
}

at::Tensor unpack(const TokenBatch& batch, const at::Tensor& tokens) {
  const bool padded = batch.tokens != batch.trees * batch.longest;
  const at::Tensor slots = padded ? tokens.index_select(1, batch.token_at) : tokens;
  return slots.unflatten(1, {batch.trees, batch.longest});
}

at::Tensor Attention::operator()(const Projections& projections, const Rows& rows) {
  const std::int64_t lanes = projections.queries.size(0), heads = projections.queries.size(2);
  if (mask_.size(0) != lanes * batch_.trees) mask_ = batch_.mask.repeat({lanes, 1, 1, 1});
  const auto prepare = [&](const at::Tensor& x) { return heads_first(unpack(batch_, x), heads); };
  const at::Tensor mixed = at::scaled_dot_product_attention(
      prepare(projections.queries), prepare(projections.keys), prepare(projections.values), mask_);
  const at::Tensor outputs =
      mixed.transpose(1, 2).reshape({lanes, std::int64_t{batch_.trees} * batch_.longest, -1});
  return outputs.index_select(1, rows.slots);
}

at::Tensor add_outputs(const Weights& weights, int layer, const at::Tensor& states,
                       const at::Tensor& outputs) {
  return states + at::linear(outputs, layer_of(weights, layer).o);
}

at::Tensor add_edit(const LaneEdits& edits, int layer, const at::Tensor& residual, const at::Tensor& outputs,
                    const at::Tensor& active) {
  const auto found = edits.layers.find(layer);
  if (found == edits.layers.end()) return residual;
  const LayerEdit& edit = found->second;
  const bool all = !edit.lanes.defined();
  const std::int64_t edited = edit.write.size(0);
  expect(edited == (all ? edits.lanes : edit.lanes.size(0)), "one row of an edit per edited lane");
  const at::Tensor gate =
      edit.read.defined() ? read_outputs(edit, outputs) * active : active.expand({edited, -1});  // [K', R]
  const at::Tensor lanes = residual.expand({edits.lanes, -1, -1});
  if (all) return at::baddbmm(lanes, gate.unsqueeze(2), edit.write.unsqueeze(1));
  return lanes.index_add(0, edit.lanes, gate.unsqueeze(2) * edit.write.unsqueeze(1));
}

at::Tensor add_mlp(const Weights& weights, int layer, const at::Tensor& residual) {
  const LayerWeights& matrices = layer_of(weights, layer);
  const at::Tensor normed = norm(weights, residual, matrices.norm_mlp);
  const at::Tensor inner = at::silu(at::linear(normed, matrices.gate)) * at::linear(normed, matrices.up);
  return residual + at::linear(inner, matrices.down);
}

}  // namespace llama

using namespace llama;

Prefix run_prefix(const Weights& weights, const TokenBatch& batch, int layer) {
  expect(0 <= layer && layer <= weights.config.layers,
         "a prefix that ends at a layer of the model, or at its end");
  const at::NoGradGuard no_grad;
  const Rotation rotation = rotation_at(weights, batch.positions);
  const Rows rows = all_rows(batch);
  Attention attention(batch);
  at::Tensor states = weights.embedding.index_select(0, batch.ids).unsqueeze(0);
  for (int below = 0;; ++below) {
    if (below == weights.config.layers) return {below, {}, states[0]};
    const at::Tensor outputs = attention(project(weights, below, rotation, states), rows);
    const at::Tensor residual = add_outputs(weights, below, states, outputs);
    if (below == layer) return {layer, outputs[0], residual[0]};
    states = add_mlp(weights, below, residual);
  }
}

at::Tensor run_lanes(const Weights& weights, const TokenBatch& batch, const Prefix& prefix,
                     const LaneEdits& edits) {
  const int layers = weights.config.layers;
  expect(prefix.layer <= edits.first_layer(layers), "a prefix that ends at or below the first edited layer");
  at::Tensor states = prefix.residual.unsqueeze(0);
  if (prefix.layer == layers) states = take(states, kept_rows(batch));
  const Rotation rotation = rotation_at(weights, batch.positions);
  Attention attention(batch);
  for (int layer = prefix.layer; layer < layers; ++layer) {
    const Rows rows = rows_of(batch, layer == layers - 1);
    at::Tensor outputs, residual;
    if (layer == prefix.layer) {
      outputs = take(prefix.outputs.unsqueeze(0), rows);
      residual = take(states, rows);
    } else {
      outputs = attention(project(weights, layer, rotation, states), rows);
      residual = add_outputs(weights, layer, take(states, rows), outputs);
    }
    states = add_mlp(weights, layer, add_edit(edits, layer, residual, outputs, rows.active));
  }
  return norm(weights, states, weights.norm_final).expand({edits.lanes, -1, -1});
}

at::Tensor logits_of(const Weights& weights, const at::Tensor& states) {
  return at::linear(states, weights.output);
}

at::Tensor entry_log_probs(const Weights& weights, const TokenBatch& batch, const at::Tensor& states) {
  const std::int64_t words = weights.config.vocab;
  const at::Tensor cell = batch.entry_row * words + batch.entry_id;
  const std::int64_t lanes_at_once =
      std::max<std::int64_t>(1, most_logits / std::max<std::int64_t>(1, states.size(1) * words));
  std::vector<at::Tensor> parts;  // [lanes_at_once, N] each
  for (const at::Tensor& lanes : states.split(lanes_at_once))
    parts.push_back(at::log_softmax(logits_of(weights, lanes), -1).flatten(1).index_select(1, cell));
  return at::cat(parts);
}

at::Tensor answer_log_probs(const Weights& weights, const TokenBatch& batch, const at::Tensor& states) {
  const at::Tensor entries = entry_log_probs(weights, batch, states);
  return at::zeros({states.size(0), batch.answers}, entries.options())
      .index_add(1, batch.entry_answer, entries);
}

at::Tensor head_outputs(const Weights& weights, const TokenBatch& batch) {
  const at::NoGradGuard no_grad;
  const Rotation rotation = rotation_at(weights, batch.positions);
  const Rows rows = all_rows(batch), kept = kept_rows(batch);
  Attention attention(batch);
  std::vector<at::Tensor> seen;  // [R, C] each
  at::Tensor states = weights.embedding.index_select(0, batch.ids).unsqueeze(0);
  for (int layer = 0;; ++layer) {
    const bool last = layer == weights.config.layers - 1;
    const at::Tensor outputs = attention(project(weights, layer, rotation, states), last ? kept : rows);
    seen.push_back((last ? outputs : take(outputs, kept))[0]);
    if (last) return at::stack(seen, 1);
    states = add_mlp(weights, layer, add_outputs(weights, layer, states, outputs));
  }
}

}  // namespace headsweep
