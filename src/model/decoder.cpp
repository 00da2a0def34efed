// model: token by token generation of K lanes x N prompts. Keys and values of the prompts are kept once for
// all lanes up to the first edited layer; those of the generated tokens stand apart, so nothing is copied as
// the texts grow.
#include <cmath>
#include <limits>

#include "model/llama.hpp"

namespace headsweep {
namespace {

using namespace llama;

/// One layer's keys and values, [lanes, N, KV, tokens, D]: of the prompts (lanes 1 or K), of the generated
/// tokens (K).
struct LayerCache {
  at::Tensor prompt_keys, prompt_values, keys, values;
};

/// [X, N, S, KV, D] -> [X, N, KV, S, D].
at::Tensor cache_layout(const TokenBatch& prompts, const at::Tensor& x) {
  return unpack(prompts, x).transpose(2, 3).contiguous();
}

/// rows [K, N, KV, G, ..] times cached [1 or K, N, KV, .., ..]: where the lanes share the cache, they become
/// rows of one product. -> [K, N, KV, G, ..]
at::Tensor times_cache(const at::Tensor& rows, const at::Tensor& cached) {
  if (cached.size(0) == rows.size(0)) return at::matmul(rows, cached);
  const std::int64_t lanes = rows.size(0), group = rows.size(3);
  const at::Tensor joined = rows.permute({1, 2, 0, 3, 4}).flatten(2, 3);  // [N, KV, K*G, ..]
  return at::matmul(joined, cached[0]).unflatten(2, {lanes, group}).permute({2, 0, 1, 3, 4});
}

}  // namespace

struct Decoder::State {
  const Weights& weights;
  LaneEdits edits;
  int room = 0, generated = 0;
  at::Tensor lengths;  ///< int64 [N]
  at::Tensor visible;  ///< float [1, N, 1, 1, S]: 0 at a prompt's tokens, -inf at its padding
  at::Tensor active;   ///< float [N], all 1: edits act on every generated token
  std::vector<LayerCache> layers;
  at::Tensor states;  ///< final normed states of the newest tokens [K, N, E]

  void run_prompts(const TokenBatch& prompts);
  /// Head outputs [K, N, C] of the newest tokens, whose keys and values have been put into the cache.
  at::Tensor attend(const LayerCache& cache, const at::Tensor& queries /* [K, N, H, D] */) const;
};

void Decoder::State::run_prompts(const TokenBatch& prompts) {
  const int last = weights.config.layers - 1;
  const Rotation rotation = rotation_at(weights, prompts.positions);
  Attention attention(prompts);
  at::Tensor x = weights.embedding.index_select(0, prompts.ids).unsqueeze(0);  // [1 or K, T, E]
  const std::int64_t heads = weights.config.kv_heads, width = weights.config.head_dim;
  for (int layer = 0; layer <= last; ++layer) {
    const Rows rows = rows_of(prompts, layer == last);
    const Projections parts = project(weights, layer, rotation, x);
    const at::Tensor room_keys = at::empty({edits.lanes, prompts.trees, heads, room, width}, x.options());
    layers.push_back({cache_layout(prompts, parts.keys), cache_layout(prompts, parts.values), room_keys,
                      at::empty_like(room_keys)});
    const at::Tensor outputs = attention(parts, rows);
    const at::Tensor residual = add_outputs(weights, layer, take(x, rows), outputs);
    x = add_mlp(weights, layer, add_edit(edits, layer, residual, outputs, rows.active));
  }
  states = norm(weights, x, weights.norm_final).expand({edits.lanes, -1, -1});
}

at::Tensor Decoder::State::attend(const LayerCache& cache, const at::Tensor& queries) const {
  const std::int64_t kv_heads = weights.config.kv_heads, tokens = generated + 1;
  const at::Tensor grouped =
      queries.unflatten(2, {kv_heads, weights.config.heads / kv_heads});  // [K, N, KV, G, D]
  const at::Tensor scaled = grouped / std::sqrt(static_cast<double>(weights.config.head_dim));
  const at::Tensor keys = cache.keys.narrow(3, 0, tokens), values = cache.values.narrow(3, 0, tokens);
  const at::Tensor on_prompt = times_cache(scaled, cache.prompt_keys.transpose(3, 4)) + visible;
  const at::Tensor scores = at::cat({on_prompt, times_cache(scaled, keys.transpose(3, 4))}, -1);
  const auto weight = at::softmax(scores, -1).split_with_sizes({on_prompt.size(-1), tokens}, -1);
  const at::Tensor mixed = times_cache(weight[0], cache.prompt_values) + times_cache(weight[1], values);
  return mixed.flatten(2);
}

Decoder::Decoder(const Weights& weights, const TokenBatch& prompts, const LaneEdits& edits, int room)
    : state_(new State{weights, edits, room, 0, {}, {}, {}, {}, {}}) {
  expect(prompts.kept.size(0) == prompts.trees && prompts.answers == 0, "prompts packed with Keep::last");
  expect(prompts.longest + room <= weights.config.max_tokens, "prompts that leave room below max_tokens");
  const at::NoGradGuard no_grad;
  state_->lengths = prompts.positions.index_select(0, prompts.kept) + 1;
  const at::Tensor column = at::arange(prompts.longest, state_->lengths.options());
  const at::Tensor padding = column >= state_->lengths.unsqueeze(1);  // [N, S]
  state_->visible = at::zeros(padding.sizes(), weights.embedding.options())
                        .masked_fill(padding, -std::numeric_limits<float>::infinity())
                        .view({1, prompts.trees, 1, 1, prompts.longest});
  state_->active = at::ones({prompts.trees}, weights.embedding.options());
  state_->run_prompts(prompts);
}

Decoder::~Decoder() = default;

at::Tensor Decoder::logits() const {
  const at::NoGradGuard no_grad;
  return logits_of(state_->weights, state_->states);
}

void Decoder::step(const at::Tensor& ids) {
  const at::NoGradGuard no_grad;
  State& state = *state_;
  expect(state.generated < state.room, "room for one more token");
  const Weights& weights = state.weights;
  const Rotation rotation = rotation_at(weights, state.lengths + std::int64_t{state.generated});
  at::Tensor x = weights.embedding.index_select(0, ids.flatten()).unflatten(0, ids.sizes());  // [K, N, E]
  for (int layer = 0; layer < weights.config.layers; ++layer) {
    LayerCache& cache = state.layers[static_cast<std::size_t>(layer)];
    const Projections parts = project(weights, layer, rotation, x);
    cache.keys.select(3, state.generated).copy_(parts.keys);
    cache.values.select(3, state.generated).copy_(parts.values);
    const at::Tensor outputs = state.attend(cache, parts.queries);
    const at::Tensor residual = add_outputs(weights, layer, x, outputs);
    x = add_mlp(weights, layer, add_edit(state.edits, layer, residual, outputs, state.active));
  }
  state.states = norm(weights, x, weights.norm_final);
  ++state.generated;
}

}  // namespace headsweep
