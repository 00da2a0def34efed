// Shared by the tests of model: random weights in memory, random trees, random edits. In float64, where two
// right ways to one number agree to 1e-11 and a wrong one does not hide behind rounding; `as` makes them
// float32.
#pragma once

#include <headsweep/model.hpp>

namespace headsweep::model_test {

inline at::Tensor draw(std::initializer_list<std::int64_t> shape, Random& random) {
  at::Tensor values = at::empty(shape, at::kDouble);
  for (std::int64_t i = 0; i < values.numel(); ++i) values.data_ptr<double>()[i] = 2 * random.uniform() - 1;
  return values;
}

/// L 4, H 4 (KV 2), D 6, E 20, F 28, V 37.
inline Weights random_weights(std::uint64_t seed = 0) {
  Random random(seed, "weights");
  Weights weights;
  weights.config = {.layers = 4,
                    .heads = 4,
                    .kv_heads = 2,
                    .head_dim = 6,
                    .hidden = 20,
                    .intermediate = 28,
                    .vocab = 37,
                    .max_tokens = 64};
  const auto [layers, heads, kv_heads, width, hidden, inner, vocab, positions, theta, eps, tied, bos, eos] =
      weights.config;
  for (int layer = 0; layer < layers; ++layer)
    weights.layers.push_back({1 + 0.5 * draw({hidden}, random), 1 + 0.5 * draw({hidden}, random),
                              draw({heads * width, hidden}, random), draw({kv_heads * width, hidden}, random),
                              0.5 * draw({kv_heads * width, hidden}, random),
                              0.3 * draw({hidden, heads * width}, random),
                              0.3 * draw({inner, hidden}, random), 0.3 * draw({inner, hidden}, random),
                              0.3 * draw({hidden, inner}, random)});
  weights.embedding = draw({vocab, hidden}, random);
  weights.norm_final = 1 + 0.5 * draw({hidden}, random);
  weights.output = draw({vocab, hidden}, random);
  const at::Tensor frequency = at::pow(theta, at::arange(0, width, 2, at::kDouble) / -width);
  const at::Tensor angle = at::outer(at::arange(positions, at::kDouble), frequency).repeat({1, 2});
  weights.rope_cos = angle.cos();
  weights.rope_sin = angle.sin();
  return weights;
}

inline std::vector<int> random_ids(int count, Random& random) {
  std::vector<int> ids;
  for (int i = 0; i < count; ++i) ids.push_back(static_cast<int>(random.below(37)));
  return ids;
}

/// Prompts of 1 to 7 tokens with 1 to 3 answers of 1 to 5; some edits start late.
inline std::vector<TokenTree> random_trees(int count, std::uint64_t seed = 0) {
  Random random(seed, "trees");
  std::vector<TokenTree> trees;
  for (int i = 0; i < count; ++i) {
    TokenTree tree{random_ids(1 + static_cast<int>(random.below(7)), random), {}, 0};
    for (int answers = 1 + static_cast<int>(random.below(3)); answers > 0; --answers)
      tree.answers.push_back(random_ids(1 + static_cast<int>(random.below(5)), random));
    if (i % 2 == 1) tree.edit_start = static_cast<int>(tree.prompt.size()) - 1;
    trees.push_back(tree);
  }
  return trees;
}

inline std::vector<TokenTree> without_answers(std::vector<TokenTree> trees) {
  for (TokenTree& tree : trees) tree.answers.clear();
  return trees;
}

/// Three lanes: layer 1 edits all of them, layer 2 lanes 0 and 2 by a constant gate, layer 3 lane 1.
inline LaneEdits random_edits(std::uint64_t seed = 0) {
  Random random(seed, "edits");
  LaneEdits edits;
  edits.lanes = 3;
  edits.layers[1] = {{}, draw({3, 24}, random), draw({3, 20}, random)};
  edits.layers[2] = {at::tensor(std::vector<std::int64_t>{0, 2}), {}, draw({2, 20}, random)};
  edits.layers[3] = {at::tensor(std::vector<std::int64_t>{1}), draw({1, 24}, random), draw({1, 20}, random)};
  return edits;
}

/// The edits of one lane alone.
inline LaneEdits lane_of(const LaneEdits& edits, std::int64_t lane) {
  LaneEdits one;
  for (const auto& [layer, edit] : edits.layers) {
    const at::Tensor lanes = edit.lanes.defined() ? edit.lanes : at::arange(edits.lanes, at::kLong);
    const at::Tensor row = lanes.eq(lane).nonzero().flatten();
    if (row.numel() == 0) continue;
    one.layers[layer] = {{},
                         edit.read.defined() ? edit.read.index_select(0, row) : edit.read,
                         edit.write.index_select(0, row)};
  }
  return one;
}

inline Weights as(at::ScalarType type, Weights weights) {
  for (LayerWeights& layer : weights.layers)
    for (at::Tensor* tensor : {&layer.norm_attention, &layer.norm_mlp, &layer.q, &layer.k, &layer.v, &layer.o,
                               &layer.gate, &layer.up, &layer.down})
      *tensor = tensor->to(type);
  for (at::Tensor* tensor :
       {&weights.embedding, &weights.norm_final, &weights.output, &weights.rope_cos, &weights.rope_sin})
    *tensor = tensor->to(type);
  return weights;
}
inline TokenBatch as(at::ScalarType type, TokenBatch batch) {
  batch.mask = batch.mask.to(type);
  batch.active = batch.active.to(type);
  return batch;
}
inline LaneEdits as(at::ScalarType type, LaneEdits edits) {
  for (auto& [layer, edit] : edits.layers) {
    if (edit.read.defined()) edit.read = edit.read.to(type);
    edit.write = edit.write.to(type);
  }
  return edits;
}
inline TokenBatch pack_double(const std::vector<TokenTree>& trees, Keep keep) {
  return as(at::kDouble, pack(trees, keep, at::kCPU));
}

/// States from the prefix right below the first edit, or below `layer`.
inline at::Tensor states_of(const Weights& weights, const TokenBatch& batch, const LaneEdits& edits,
                            int layer = -1) {
  const int first = layer < 0 ? edits.first_layer(weights.config.layers) : layer;
  return run_lanes(weights, batch, run_prefix(weights, batch, first), edits);
}

inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace headsweep::model_test
