// Shared by the tests of model: random weights in memory, random trees, sets of edits of many shapes.
#pragma once

#include <ATen/Parallel.h>

#include <headsweep/model.hpp>

#include "reference/plain_forward.hpp"

namespace headsweep::model_test {

inline at::Tensor draw(at::IntArrayRef shape, Random& random, double size = 1) {
  at::Tensor values = at::empty(shape, at::kFloat);
  for (std::int64_t i = 0; i < values.numel(); ++i)
    values.data_ptr<float>()[i] = static_cast<float>(size * (2 * random.uniform() - 1));
  return values;
}

inline const ModelConfig& small_config() {
  static const ModelConfig config{.layers = 4,
                                  .heads = 4,
                                  .kv_heads = 2,
                                  .head_dim = 6,
                                  .hidden = 20,
                                  .intermediate = 28,
                                  .vocab = 37,
                                  .max_tokens = 64};
  return config;
}

/// Matrices of unit gain: each row U(-1, 1) * sqrt(3 / inputs).
inline Weights random_weights(const ModelConfig& config = small_config(), std::uint64_t seed = 0) {
  Random random(seed, "weights");
  const auto matrix = [&](std::int64_t outputs, std::int64_t inputs, double gain) {
    return draw({outputs, inputs}, random, gain * std::sqrt(3.0 / static_cast<double>(inputs)));
  };
  Weights weights;
  weights.config = config;
  const std::int64_t joined = (config.heads + 2 * config.kv_heads) * config.head_dim;
  for (int layer = 0; layer < config.layers; ++layer)
    weights.layers.push_back({matrix(joined, config.hidden, 1.5), matrix(config.hidden, config.width(), 1),
                              matrix(2 * config.intermediate, config.hidden, 1),
                              matrix(config.hidden, config.intermediate, 1)});
  if (config.head_norms)
    for (LayerWeights& layer : weights.layers)
      for (at::Tensor* gain : {&layer.query_gain, &layer.key_gain})
        *gain = 1 + draw({config.head_dim}, random, 0.5);
  weights.embedding = draw({config.vocab, config.hidden}, random);
  weights.norm_final = 1 + draw({config.hidden}, random, 0.5);
  weights.output = config.tied ? weights.embedding : matrix(config.vocab, config.hidden, 1);
  const at::Tensor frequency =
      at::pow(config.rope_theta, at::arange(0, config.head_dim, 2, at::kDouble) / -config.head_dim);
  const at::Tensor angle = at::outer(at::arange(config.max_tokens, at::kDouble), frequency).repeat({1, 2});
  weights.rope_cos = angle.cos().to(at::kFloat);
  weights.rope_sin = angle.sin().to(at::kFloat);
  return weights;
}

/// The same with bfloat16 operands.
inline Weights in_bfloat16(Weights weights) {
  weights.number = at::kBFloat16;
  for (LayerWeights& layer : weights.layers)
    for (at::Tensor* tensor : {&layer.qkv, &layer.o, &layer.gate_up, &layer.down})
      *tensor = tensor->to(at::kBFloat16);
  weights.embedding = weights.embedding.to(at::kBFloat16);
  weights.output = weights.output.to(at::kBFloat16);
  return weights;
}

inline std::vector<int> random_ids(int count, Random& random, int vocab = 37) {
  std::vector<int> ids;
  for (int i = 0; i < count; ++i)
    ids.push_back(static_cast<int>(random.below(static_cast<std::uint64_t>(vocab))));
  return ids;
}

/// Prompts of 1 to 7 tokens (the third: 23, more than a block of the fused attention) with 1 to 3 answers of
/// 1 to 5 tokens, some of which begin alike; every second edit starts at the prompt's last token, one inside
/// the answers.
inline std::vector<TokenTree> random_trees(int count, std::uint64_t seed = 0) {
  Random random(seed, "trees");
  std::vector<TokenTree> trees;
  for (int i = 0; i < count; ++i) {
    const int prompt = i == 2 ? 23 : 1 + static_cast<int>(random.below(7));
    TokenTree tree{random_ids(prompt, random), {}, 0};
    for (int answers = 1 + static_cast<int>(random.below(3)); answers > 0; --answers)
      tree.answers.push_back(random_ids(1 + static_cast<int>(random.below(5)), random));
    if (tree.answers.size() > 1) tree.answers[1][0] = tree.answers[0][0];
    if (i % 2 == 1) tree.edit_start = prompt - 1;
    if (i == 4) tree.edit_start = prompt + 1;
    trees.push_back(tree);
  }
  return trees;
}

/// The same behind 17 common tokens, a prompt like another but for its last token; edits start everywhere, or
/// behind the common tokens.
inline std::vector<TokenTree> trees_with_common_start(int count, bool edited_start) {
  Random random(1, "common start");
  const std::vector<int> start = random_ids(17, random);
  std::vector<TokenTree> trees = random_trees(count);
  for (TokenTree& tree : trees) {
    tree.prompt.insert(tree.prompt.begin(), start.begin(), start.end());
    tree.edit_start = edited_start ? 0 : std::max(tree.edit_start, 1) + 17;
  }
  trees.back().prompt = trees.front().prompt;
  trees.back().prompt.back() ^= 1;
  return trees;
}

inline std::vector<TokenTree> without_answers(std::vector<TokenTree> trees) {
  for (TokenTree& tree : trees) tree.answers.clear();
  return trees;
}

/// One layer of a set of edits.
struct EditShape {
  int layer = 0;
  std::vector<std::int64_t> lanes = {};  ///< empty: all
  bool constant = false;                 ///< gate 1
};
/// Adapters of one layer.
struct AdapterShape {
  int layer = 0;
  std::vector<EditTarget> targets = {edit_targets.begin(), edit_targets.end()};
  int rank = 3;
};
/// A set of edits, by what is particular about it.
struct EditSet {
  const char* name;
  std::vector<EditShape> shapes;
  int lanes = 3;
  std::vector<AdapterShape> adapters = {};
};
inline const std::vector<EditSet>& edit_sets() {
  static const std::vector<EditSet> sets{
      {"Mixed", {{1}, {2, {0, 2}, true}, {3, {1}}}},
      {"FirstLayerOnly", {{0}}},
      {"LastLayerOnly", {{3}}},
      {"LastLayerSomeLanes", {{3, {0, 2}}}},
      {"AllLayers", {{0}, {1}, {2}, {3}}},
      {"LanesUneditedAtTheFirst", {{1, {1}}, {2, {0, 1}}, {3, {0}}}},
      {"ConstantEverywhere", {{0, {}, true}, {2, {}, true}, {3, {1, 2}, true}}},
      {"ConstantAtTheFirstSomeLanes", {{1, {0, 2}, true}, {3}}},
      {"OneLane", {{0}, {2}, {3, {}, true}}, 1},
      {"OneLaneConstantFirst", {{1, {}, true}, {2}}, 1},
      {"ManyLanes", {{1, {0, 3, 4, 7, 18}}, {2}, {3, {2, 18}, true}}, 19},
      {"Adapters", {}, 3, {{0}, {1}, {2}, {3}}},
      {"AdaptersAtSome", {}, 2, {{1, {EditTarget::q, EditTarget::down}, 2}, {3, {EditTarget::v}, 1}}},
      {"AdaptersOfOneLane", {}, 1, {{0, {EditTarget::o, EditTarget::up}}, {2, {EditTarget::gate}}}},
      {"AdaptersAtTheLastLayer", {}, 3, {{3}}}};
  return sets;
}
inline LaneEdits make_edits(const EditSet& set, const ModelConfig& config = small_config()) {
  Random random(0, "edits");
  LaneEdits edits{.lanes = set.lanes, .layers = {}};
  for (const EditShape& shape : set.shapes) {
    const bool all = shape.lanes.empty();
    const std::int64_t rows = all ? set.lanes : static_cast<std::int64_t>(shape.lanes.size());
    edits.layers[shape.layer] = {all ? at::Tensor() : at::tensor(shape.lanes),
                                 shape.constant ? at::Tensor() : draw({rows, config.width()}, random, 0.5),
                                 draw({rows, config.hidden}, random)};
  }
  for (const AdapterShape& shape : set.adapters)
    for (const EditTarget target : shape.targets)
      edits.adapters[shape.layer][target] = {
          draw({set.lanes, shape.rank, inputs_of(config, target)}, random, 0.3),
          draw({set.lanes, shape.rank, outputs_of(config, target)}, random, 0.3)};
  return edits;
}

/// Adapters as operands of products.
inline LaneEdits of_number(LaneEdits edits, at::ScalarType number) {
  for (auto& [layer, adapters] : edits.adapters)
    for (auto& [target, adapter] : adapters) adapter = {adapter.a.to(number), adapter.b.to(number)};
  return edits;
}

/// A model that is shaped otherwise than small_config, with edits.
struct OddShape {
  std::string name;
  Weights weights;
  LaneEdits edits;
};
/// Key-value heads as many as heads, and one; a tied output; a model of one layer; norms of heads.
inline std::vector<OddShape> odd_shapes() {
  std::vector<OddShape> shapes;
  for (const auto& [layers, kv_heads, tied] : {std::tuple{2, 4, true}, {3, 1, false}, {1, 2, false}}) {
    ModelConfig config = small_config();
    config.layers = layers;
    config.kv_heads = kv_heads;
    config.tied = tied;
    shapes.push_back({cat(layers, " layers, ", kv_heads, " key-value heads"), random_weights(config, 5),
                      make_edits({"", {{0, {1, 2}}, {layers - 1}}}, config)});
    config.head_norms = true;
    for (const bool adapted : {false, true})
      shapes.push_back(
          {cat(shapes.back().name, ", normed", adapted ? ", adapters" : ""), random_weights(config, 6),
           adapted ? make_edits({"", {}, 3, {{0}, {layers - 1}}}, config) : shapes.back().edits});
  }
  return shapes;
}

/// Three lanes: layer 1 edits all of them, layer 2 lanes 0 and 2 by a constant gate, layer 3 lane 1.
inline LaneEdits mixed_edits() { return make_edits(edit_sets().front()); }
inline std::string set_name(int index) { return edit_sets()[static_cast<std::size_t>(index)].name; }
inline LaneEdits edits_of_set(int index) { return make_edits(edit_sets()[static_cast<std::size_t>(index)]); }

/// The edits of one lane alone.
inline LaneEdits lane_of(const LaneEdits& edits, std::int64_t lane) {
  LaneEdits one;
  for (const auto& [layer, edit] : edits.layers) {
    const plain::Row row = plain::row_of(edits, layer, lane);
    if (!row.write.defined()) continue;
    one.layers[layer] = {{}, row.read.defined() ? row.read.unsqueeze(0) : row.read, row.write.unsqueeze(0)};
  }
  for (const auto& [layer, adapters] : edits.adapters)
    for (const auto& [target, adapter] : adapters)
      one.adapters[layer][target] = {adapter.a.narrow(0, lane, 1), adapter.b.narrow(0, lane, 1)};
  return one;
}

/// States from the prefix right below the first edit, or below `layer`.
inline at::Tensor states_of(const Weights& weights, const TokenBatch& batch, const LaneEdits& edits,
                            int layer = -1) {
  const int first = layer < 0 ? edits.first_layer(weights.config.layers) : layer;
  return run_lanes(weights, batch, run_prefix(weights, batch, first), edits);
}

/// A loss that is linear in the answers' log-probabilities: weights [K, A], each of its own size and sign.
inline at::Tensor loss_weights(std::int64_t lanes, std::int64_t answers) {
  return at::arange(1, lanes * answers + 1, at::kDouble).mul(1.7).sin().view({lanes, answers});
}
/// Gradients of that loss with respect to read and write.
inline LaneEdits gradients_of(const Weights& weights, const TokenBatch& batch, const LaneEdits& edits) {
  Tape tape;
  const Prefix prefix = run_prefix(weights, batch, edits.first_layer(weights.config.layers));
  const at::Tensor states = run_lanes(weights, batch, prefix, edits, &tape);
  const at::Tensor factors = loss_weights(edits.lanes, batch.answers).to(states.device(), at::kFloat);
  const at::Tensor gradient =
      answer_gradient(weights, batch, states, [&](const at::Tensor& log_probs, std::int64_t first) {
        return factors.narrow(0, first, log_probs.size(0));
      });
  return run_backward(weights, batch, edits, tape, gradient);
}

inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}
/// |a - b| / |b|, of whole tensors.
inline double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor expected = b.to(at::kDouble);
  return ((a.to(at::kDouble) - expected).norm() / expected.norm()).item<double>();
}

}  // namespace headsweep::model_test
