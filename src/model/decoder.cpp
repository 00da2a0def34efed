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
  void make_rows();
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

/// All rows of the start, lane by lane.
void Decoder::State::make_rows() {
  const auto trees = static_cast<std::size_t>(prompts.trees);
  std::vector<std::int32_t> lane, slot, length, first, first_of_lane, start_of_lane, position;
  for (std::int32_t k = 0; k < edits.lanes; ++k)
    for (std::size_t tree = 0; tree < trees; ++tree) {
      lane.push_back(k);
      slot.push_back(static_cast<std::int32_t>(slot.size()));
      first.push_back(prompts.prompt_begin[tree]);
      start_of_lane.push_back(k * prompts.tokens);
      first_of_lane.push_back(start_of_lane.back() + first.back());
      length.push_back(prompts.prompt_tokens[tree]);
      position.push_back(prompts.shared + length.back());
    }
  const auto placed = [&](const std::vector<std::int32_t>& values) {
    return at::tensor(values).to(weights.device());
  };
  rows = {.lane = placed(lane),
          .slot = placed(slot),
          .length = placed(length),
          .first = placed(first),
          .first_of_lane = placed(first_of_lane),
          .start = at::zeros({static_cast<std::int64_t>(lane.size())}, at::kInt).to(weights.device()),
          .start_of_lane = placed(start_of_lane),
          .position = placed(position)};
}

Decoder::Decoder(const Weights& weights, const TokenBatch& prompts, const LaneEdits& edits, int room)
    : state_(new State{weights, prompts, edits, room, 0, {}, {}, {}}) {
  expect(prompts.kept.size(0) == prompts.trees && prompts.answers == 0, "prompts packed with Keep::last");
  expect(longest_prompt(prompts) + room <= weights.config.max_tokens,
         "prompts that leave room below max_tokens");
  state_->run_prompts();
  state_->make_rows();
}

Decoder::~Decoder() = default;

at::Tensor Decoder::logits() const { return logits_of(state_->weights, state_->states); }

void Decoder::keep(const std::vector<std::int64_t>& rows) {
  State& state = *state_;
  const at::Tensor kept = at::tensor(rows, at::kLong).to(state.weights.device());
  state.states = state.states.index_select(0, kept);
  state.rows = state.rows.select(kept);
}

void Decoder::step(const at::Tensor& ids) {
  State& state = *state_;
  expect(state.generated < state.room, "room for one more token");
  const Weights& weights = state.weights;
  const DecoderRows& rows = state.rows;
  const Rotation rotation = rotation_at(weights, rows.position);
  const at::Tensor slot = rows.slot.to(at::kLong);
  const AdaptedRows adapted{.active = {},
                            .active_asking = {},
                            .slot = slot,
                            .slots = std::int64_t{state.edits.lanes} * state.prompts.trees};
  const CachedTexts texts{weights.config, state.prompts, rows, state.generated + 1};
  Stream stream{.x = weights.embedding.index_select(0, ids).to(at::kFloat).unsqueeze(0), .added = {}};
  for (int layer = 0; layer < weights.config.layers; ++layer) {
    const LayerCache& cache = state.layers[static_cast<std::size_t>(layer)];
    const LayerRun run{weights, layer, LayerAdapters(state.edits, layer, adapted), nullptr};
    const Heads heads = project(run, settle(weights, stream).values, rotation, {});
    ops::put_rows(cache.keys.select(1, state.generated), 0, slot, heads.keys[0]);
    ops::put_rows(cache.values.select(1, state.generated), 0, slot, heads.values[0]);
    const at::Tensor outputs = attend(texts, cache, heads.queries[0]);
    stream.added = project_outputs(run, outputs.unsqueeze(0));
    const auto edit = state.edits.layers.find(layer);
    if (edit != state.edits.layers.end())
      add_edit(state.edits, edit->second, outputs,
               {.lane_of_row = ops::data<std::int32_t>(rows.lane), .active = {}}, stream.x);
    add_mlp(run, stream);
  }
  state.states = with_final_gain(weights, settle(weights, stream).values[0]);
  ++state.generated;
  state.rows.position = rows.position + 1;
}

}  // namespace headsweep
