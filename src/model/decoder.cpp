// model: token by token generation. A row is a lane and a prompt. Keys and values of the prompts stay where
// the pass over the prompts has left them, once for all lanes up to the first edited layer; those of the
// generated tokens stand apart, one slot a row of the start, so that nothing is copied as texts grow or rows
// end.
#include "model/cached.hpp"
#include "model/pass.hpp"

namespace headsweep {

using namespace llama;

struct Decoder::State {
  const Weights& weights;
  const TokenBatch& prompts;
  LaneEdits edits;
  int room = 0, generated = 0;
  std::vector<LayerCache> layers;
  DecoderRows rows;
  at::Tensor states;  ///< final normed states of the newest tokens [n, E]

  void run_prompts();
  void fill_rows(const std::vector<std::int64_t>& kept);
  /// Head outputs [n, C] of the newest tokens, whose keys and values stand in the cache.
  [[nodiscard]] at::Tensor attend(const LayerCache& cache, const at::Tensor& queries) const;
};

void Decoder::State::run_prompts() {
  const std::int64_t slots = std::int64_t{edits.lanes} * prompts.trees;
  const auto watch = [&](int, const Heads& heads, const at::Tensor&) {
    const at::Tensor keys = at::empty({slots, room, heads.keys.size(2)}, heads.keys.options());
    layers.push_back({heads.keys, heads.values, keys, at::empty_like(keys)});
  };
  const ops::Normed final = Pass(weights, prompts, edits).run({}, nullptr, watch);
  const at::Tensor normed = with_final_gain(weights, final.values);
  states = normed.expand({edits.lanes, -1, -1}).reshape({slots, -1});
}

/// `kept`: indices into the present rows.
void Decoder::State::fill_rows(const std::vector<std::int64_t>& kept) {
  DecoderRows next;
  std::vector<std::int64_t> slots, positions;
  for (const std::int64_t row : kept) {
    const auto at = static_cast<std::size_t>(row);
    for (auto part : {&DecoderRows::lane, &DecoderRows::slot, &DecoderRows::first, &DecoderRows::length})
      (next.*part).push_back((rows.*part).at(at));
    slots.push_back(next.slot.back());
    positions.push_back(next.length.back() + generated);
  }
  next.lanes = at::tensor(next.lane).to(weights.device());
  next.slots = at::tensor(slots, at::kLong).to(weights.device());
  next.positions = at::tensor(positions, at::kLong).to(weights.device());
  rows = std::move(next);
}

at::Tensor Decoder::State::attend(const LayerCache& cache, const at::Tensor& queries) const {
  const CachedTexts texts{weights.config, prompts, rows, generated + 1};
  return weights.device().is_cpu() ? attend_fused(texts, cache, queries)
                                   : attend_gathered(texts, cache, queries);
}

Decoder::Decoder(const Weights& weights, const TokenBatch& prompts, const LaneEdits& edits, int room)
    : state_(new State{weights, prompts, edits, room, 0, {}, {}, {}}) {
  expect(prompts.kept.size(0) == prompts.trees && prompts.answers == 0, "prompts packed with Keep::last");
  expect(prompts.longest + room <= weights.config.max_tokens, "prompts that leave room below max_tokens");
  State& state = *state_;
  state.run_prompts();
  std::vector<std::int64_t> all;
  for (std::int32_t lane = 0; lane < edits.lanes; ++lane)
    for (std::int32_t tree = 0; tree < prompts.trees; ++tree) {
      const auto at = static_cast<std::size_t>(tree);
      const std::int32_t begin = prompts.tree_begin[at];
      all.push_back(static_cast<std::int64_t>(all.size()));
      state.rows.lane.push_back(lane);
      state.rows.slot.push_back(lane * prompts.trees + tree);
      state.rows.first.push_back(begin);
      state.rows.length.push_back(prompts.tree_begin[at + 1] - begin);
    }
  state.fill_rows(all);
}

Decoder::~Decoder() = default;

at::Tensor Decoder::logits() const { return logits_of(state_->weights, state_->states); }

void Decoder::keep(const std::vector<std::int64_t>& rows) {
  State& state = *state_;
  state.states = state.states.index_select(0, at::tensor(rows, at::kLong).to(state.weights.device()));
  state.fill_rows(rows);
}

void Decoder::step(const at::Tensor& ids) {
  State& state = *state_;
  expect(state.generated < state.room, "room for one more token");
  const Weights& weights = state.weights;
  const Rotation rotation = rotation_at(weights, state.rows.positions);
  Stream stream{.x = weights.embedding.index_select(0, ids).to(at::kFloat).unsqueeze(0), .added = {}};
  for (int layer = 0; layer < weights.config.layers; ++layer) {
    const LayerCache& cache = state.layers[static_cast<std::size_t>(layer)];
    const Heads heads = project(weights, layer, settle(weights, stream).values, rotation, {});
    cache.keys.select(1, state.generated).index_copy_(0, state.rows.slots, heads.keys[0]);
    cache.values.select(1, state.generated).index_copy_(0, state.rows.slots, heads.values[0]);
    const at::Tensor outputs = state.attend(cache, heads.queries[0]);
    stream.added = ops::product(outputs, layer_of(weights, layer).o).unsqueeze(0);
    const auto edit = state.edits.layers.find(layer);
    if (edit != state.edits.layers.end())
      add_edit(state.edits, edit->second, outputs,
               {.lane_of_row = ops::data<std::int32_t>(state.rows.lanes), .active = {}}, stream.x);
    add_mlp(weights, layer, stream, nullptr);
  }
  state.states = with_final_gain(weights, settle(weights, stream).values[0]);
  ++state.generated;
  state.rows.positions = state.rows.positions + 1;
}

}  // namespace headsweep
