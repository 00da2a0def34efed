// The LLaMA forward in its plainest form: float64, one text and one lane at a time, a causal mask. No
// packing, no cache, no shared prefix. Differentiable by autograd in the edits.
#pragma once

#include <cmath>
#include <headsweep/model.hpp>
#include <limits>

namespace headsweep::plain {

inline at::Tensor in_double(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.to(at::kDouble) : tensor;
}
inline LaneEdits in_double(LaneEdits edits) {
  for (auto& [layer, edit] : edits.layers) {
    edit.read = in_double(edit.read);
    edit.write = in_double(edit.write);
  }
  for (auto& [layer, adapters] : edits.adapters)
    for (auto& [target, adapter] : adapters) adapter = {in_double(adapter.a), in_double(adapter.b)};
  return edits;
}

/// One lane's edit of one layer: read [C] or undefined, write [E]; undefined where the lane is not edited.
struct Row {
  at::Tensor read, write;
};
inline Row row_of(const LaneEdits& edits, int layer, std::int64_t lane) {
  const auto found = edits.layers.find(layer);
  if (found == edits.layers.end()) return {};
  const LayerEdit& edit = found->second;
  std::int64_t row = lane;
  if (edit.lanes.defined()) {
    const at::Tensor rows = edit.lanes.eq(lane).nonzero().flatten();
    if (rows.numel() == 0) return {};
    row = rows[0].item<std::int64_t>();
  }
  return {edit.read.defined() ? edit.read[row] : at::Tensor(), edit.write[row]};
}

/// What one lane's adapter of a linear layer adds for inputs x [T, inputs]: [T, outputs], or 0.
struct Adapted {
  const LaneEdits& edits;
  int layer;
  std::int64_t lane;
  at::Tensor active;  ///< [T]
  [[nodiscard]] at::Tensor operator()(EditTarget target, const at::Tensor& x) const {
    const auto here = edits.adapters.find(layer);
    if (here == edits.adapters.end() || !here->second.contains(target)) return at::zeros({1}, x.options());
    const Adapter& adapter = here->second.at(target);
    return active.unsqueeze(1) * at::matmul(at::matmul(x, adapter.a[lane].t()), adapter.b[lane]);
  }
};

/// Tokens; edits act from `edit_start` on.
struct Text {
  std::vector<int> ids;
  int edit_start = 0;
};
inline Text text_of(const TokenTree& tree, const std::vector<int>& answer) {
  Text text{tree.prompt, tree.edit_start};
  text.ids.insert(text.ids.end(), answer.begin(), answer.end());
  return text;
}

class Forward {
 public:
  /// Copies the weights to float64 as they are: a bfloat16 model's rounded matrices stay the rounded ones.
  explicit Forward(const Weights& weights) : weights_(weights) {
    for (LayerWeights& layer : weights_.layers)
      for (at::Tensor* tensor :
           {&layer.qkv, &layer.o, &layer.gate_up, &layer.down, &layer.query_gain, &layer.key_gain})
        *tensor = in_double(*tensor);
    for (at::Tensor* tensor : {&weights_.embedding, &weights_.output, &weights_.norm_final,
                               &weights_.rope_cos, &weights_.rope_sin})
      *tensor = in_double(*tensor);
  }

  /// Final normed states [T, E]; `outputs`, if given, gets each layer's head outputs [T, C].
  [[nodiscard]] at::Tensor states(const Text& text, const LaneEdits& edits = {}, std::int64_t lane = 0,
                                  std::vector<at::Tensor>* outputs = nullptr) const {
    const auto tokens = static_cast<std::int64_t>(text.ids.size());
    const at::Tensor active = at::arange(tokens).ge(text.edit_start).to(at::kDouble);
    at::Tensor x = weights_.embedding.index_select(0, at::tensor(text.ids, at::kLong));
    for (int index = 0; index < weights_.config.layers; ++index) {
      const LayerWeights& layer = weights_.layers[static_cast<std::size_t>(index)];
      const Adapted adapted{edits, index, lane, active};
      const at::Tensor before_heads = norm(x);
      std::vector<at::Tensor> joined = split_heads(at::matmul(before_heads, layer.qkv.t()));
      for (const EditTarget target : {EditTarget::q, EditTarget::k, EditTarget::v}) {
        at::Tensor& part = joined[static_cast<std::size_t>(target)];
        part = part + adapted(target, before_heads);
      }
      const at::Tensor o = attend(layer, joined);
      if (outputs != nullptr) outputs->push_back(o);
      x = x + at::matmul(o, layer.o.t()) + adapted(EditTarget::o, o);
      const Row edit = row_of(edits, index, lane);
      if (edit.write.defined()) {
        const at::Tensor gate = edit.read.defined() ? active * at::matmul(o, edit.read) : active;
        x = x + at::outer(gate, edit.write);
      }
      const at::Tensor before_mlp = norm(x);
      const auto inner = at::matmul(before_mlp, layer.gate_up.t()).chunk(2, 1);
      const at::Tensor act = at::silu(inner[0] + adapted(EditTarget::gate, before_mlp)) *
                             (inner[1] + adapted(EditTarget::up, before_mlp));
      x = x + at::matmul(act, layer.down.t()) + adapted(EditTarget::down, act);
    }
    return norm(x) * weights_.norm_final;
  }
  /// log p of every token after each token of a text: [T, V].
  [[nodiscard]] at::Tensor log_probs(const Text& text, const LaneEdits& edits = {},
                                     std::int64_t lane = 0) const {
    return at::log_softmax(at::matmul(states(text, edits, lane), weights_.output.t()), 1);
  }
  /// log p of each answer's tokens, tree by tree and answer by answer: [K, N].
  [[nodiscard]] at::Tensor entries(const std::vector<TokenTree>& trees, const LaneEdits& edits = {}) const {
    std::vector<at::Tensor> lanes;
    for (int lane = 0; lane < edits.lanes; ++lane) {
      std::vector<at::Tensor> parts;
      for (const TokenTree& tree : trees)
        for (const auto& answer : tree.answers)
          if (!answer.empty()) parts.push_back(of_answer(tree, answer, edits, lane));
      lanes.push_back(at::cat(parts));
    }
    return at::stack(lanes);
  }
  /// log p of each answer: [K, A].
  [[nodiscard]] at::Tensor answers(const std::vector<TokenTree>& trees, const LaneEdits& edits = {}) const {
    std::vector<at::Tensor> sums;
    for (int lane = 0; lane < edits.lanes; ++lane)
      for (const TokenTree& tree : trees)
        for (const auto& answer : tree.answers) sums.push_back(of_answer(tree, answer, edits, lane).sum());
    return at::stack(sums).view({edits.lanes, -1});
  }

 private:
  [[nodiscard]] at::Tensor of_answer(const TokenTree& tree, const std::vector<int>& answer,
                                     const LaneEdits& edits, std::int64_t lane) const {
    const auto prompt = static_cast<std::int64_t>(tree.prompt.size()),
               count = static_cast<std::int64_t>(answer.size());
    return log_probs(text_of(tree, answer), edits, lane)
        .narrow(0, prompt - 1, count)
        .gather(1, at::tensor(answer, at::kLong).unsqueeze(1))
        .squeeze(1);
  }
  [[nodiscard]] at::Tensor norm(const at::Tensor& x) const {
    return x * at::rsqrt(x.square().mean(-1, true) + weights_.config.norm_eps);
  }
  /// Rows [T, n * D] by heads [n, T, D], turned by their positions: each head's halves are the two
  /// coordinates of its pairs.
  [[nodiscard]] at::Tensor by_heads(const at::Tensor& rows) const {
    return rows.unflatten(1, {-1, weights_.config.head_dim}).transpose(0, 1);
  }
  [[nodiscard]] at::Tensor turn(const at::Tensor& x) const {
    const auto halves = x.chunk(2, 2);
    const std::int64_t tokens = x.size(1);
    return x * weights_.rope_cos.narrow(0, 0, tokens) +
           at::cat({-halves[1], halves[0]}, 2) * weights_.rope_sin.narrow(0, 0, tokens);
  }
  /// Queries, keys and values of rows [T, (H + 2 KV) * D].
  [[nodiscard]] std::vector<at::Tensor> split_heads(const at::Tensor& joined) const {
    const std::int64_t width = weights_.config.width(), kv_width = weights_.config.kv_width();
    return joined.split_with_sizes({width, kv_width, kv_width}, 1);
  }
  /// Heads normed with a gain, where the model does.
  [[nodiscard]] at::Tensor norm_heads(const at::Tensor& x, const at::Tensor& gain) const {
    return gain.defined() ? norm(x) * gain : x;
  }
  /// Head outputs [T, C] from queries, keys and values.
  [[nodiscard]] at::Tensor attend(const LayerWeights& layer, const std::vector<at::Tensor>& parts) const {
    const ModelConfig& config = weights_.config;
    const std::int64_t tokens = parts[0].size(0), group = config.heads / config.kv_heads;
    const at::Tensor queries = turn(norm_heads(by_heads(parts[0]), layer.query_gain));
    const at::Tensor keys = turn(norm_heads(by_heads(parts[1]), layer.key_gain)).repeat_interleave(group, 0);
    const at::Tensor values = by_heads(parts[2]).repeat_interleave(group, 0);
    const at::Tensor later = at::ones({tokens, tokens}, at::kBool).triu(1);
    const at::Tensor scores = at::matmul(queries, keys.transpose(1, 2)) / std::sqrt(config.head_dim);
    const at::Tensor shares =
        at::softmax(scores.masked_fill(later, -std::numeric_limits<double>::infinity()), 2);
    return at::matmul(shares, values).transpose(0, 1).flatten(1);
  }

  Weights weights_;
};

}  // namespace headsweep::plain
