// model: up through the layers over packed texts.
#include "model/pass.hpp"

#include <algorithm>

namespace headsweep::llama {

Pass::Pass(const Weights& weights, const TokenBatch& batch, const LaneEdits& edits)
    : weights_(weights),
      batch_(batch),
      edits_(edits),
      rotation_(rotation_at(weights, batch.positions)),
      attention_(weights, batch) {}

at::Tensor Pass::active_at(int layer) const {
  return is_last(layer) ? batch_.active.index_select(0, batch_.kept) : batch_.active;
}

Stream Pass::embed() const {
  const at::Tensor x = weights_.embedding.index_select(0, batch_.ids).to(at::kFloat).unsqueeze(0);
  const std::int64_t lanes = edits_.adapters.empty() ? 1 : edits_.lanes;
  return {.x = x.expand({lanes, -1, -1}).contiguous(), .added = {}};
}

at::Tensor Pass::attend(const LayerRun& run, bool trim, Stream& stream, const Watch& watch) {
  const Asking asking = trim ? Asking::kept : Asking::all;
  ops::Normed normed = settle(weights_, stream);
  const Heads heads = project(run, normed.values, rotation_, trim ? batch_.kept : at::Tensor());
  at::Tensor saved;
  const at::Tensor outputs = attention_.forward(heads, asking, run.tape == nullptr ? nullptr : &saved);
  if (watch) watch(run.layer, heads, outputs);
  if (trim) stream.x = kept_of(stream.x);
  stream.added = project_outputs(run, outputs);
  if (run.tape != nullptr) {
    run.tape->before_heads = std::move(normed);
    run.tape->heads = heads;
    run.tape->attention = std::move(saved);
  }
  return outputs;
}

void Pass::finish_layer(const LayerRun& run, const at::Tensor& outputs, Stream& stream) {
  const auto edit = edits_.layers.find(run.layer);
  const bool edited = edit != edits_.layers.end(), parts = edited && edit == edits_.layers.begin();
  if (run.tape != nullptr) run.tape->outputs = outputs;
  at::Tensor gate;
  if (parts) {
    if (stream.added.defined()) stream.x = stream.x + stream.added;
    gate = part(run.layer, outputs, stream, run.tape);
  } else {
    if (edited)
      gate = add_edit(edits_, edit->second, outputs, {.lane_of_row = nullptr, .active = active_at(run.layer)},
                      stream.x);
    add_mlp(run, stream);
  }
  if (run.tape != nullptr) run.tape->gate = std::move(gate);
}

ops::Normed Pass::run(const Prefix& prefix, std::vector<LayerTape>* tape, const Watch& watch) {
  const int layers = weights_.config.layers;
  if (tape != nullptr) tape->resize(static_cast<std::size_t>(layers));
  Stream stream;
  if (prefix.residual.defined()) {
    stream.x = prefix.residual.unsqueeze(0);
    const bool trim = prefix.layer >= layers - 1;
    stream.x = trim ? kept_of(stream.x) : stream.x.clone();
  } else {
    stream = embed();
  }
  for (int layer = std::max(0, prefix.layer); layer < layers; ++layer) {
    const LayerRun run = run_of(layer, tape == nullptr ? nullptr : &(*tape)[static_cast<std::size_t>(layer)]);
    at::Tensor outputs;
    if (layer == prefix.layer && prefix.outputs.defined()) {
      outputs = prefix.outputs.unsqueeze(0);
      if (is_last(layer)) outputs = kept_of(outputs);
    } else {
      outputs = attend(run, is_last(layer), stream, watch);
    }
    finish_layer(run, outputs, stream);
  }
  return settle(weights_, stream);
}

Prefix Pass::run_to(int layer) {
  Stream stream = embed();
  for (int below = 0; below < layer; ++below) {
    attend(run_of(below, nullptr), false, stream, {});
    add_mlp(run_of(below, nullptr), stream);
  }
  if (layer == weights_.config.layers) return {layer, {}, (stream.x + stream.added)[0]};
  const at::Tensor outputs = attend(run_of(layer, nullptr), false, stream, {});
  return {layer, outputs[0], (stream.x + stream.added)[0]};
}

}  // namespace headsweep::llama

namespace headsweep {

using namespace llama;

struct Tape::State {
  std::vector<LayerTape> layers;
  ops::Normed final;
};
Tape::Tape() : state_(std::make_unique<State>()) {}
Tape::~Tape() = default;

Prefix run_prefix(const Weights& weights, const TokenBatch& batch, int layer) {
  if (layer < 0) return {.layer = -1, .outputs = {}, .residual = {}};
  expect(layer <= weights.config.layers, "a prefix that ends at a layer of the model, or at its end");
  return Pass(weights, batch, LaneEdits{}).run_to(layer);
}

Prefix PrefixMemo::at(const TokenBatch& batch, int layer) {
  if (!remembers_) return run_prefix(weights_, batch, layer);
  if (layer != layer_) known_.clear();
  layer_ = layer;
  const auto known = known_.find(&batch);
  if (known != known_.end()) return known->second;
  return known_.emplace(&batch, run_prefix(weights_, batch, layer)).first->second;
}

at::Tensor run_lanes(const Weights& weights, const TokenBatch& batch, const Prefix& prefix,
                     const LaneEdits& edits, Tape* tape) {
  const int first = edits.first_layer(weights.config.layers);
  expect(!prefix.residual.defined() || prefix.layer <= first, "a prefix that ends at or below the first edited layer");
  expect(tape == nullptr || prefix.layer == first, "a tape that begins at the first edited layer");
  expect(edits.layers.empty() || edits.adapters.empty(), "edits of layers, or adapters");
  ops::Normed final =
      Pass(weights, batch, edits).run(prefix, tape == nullptr ? nullptr : &tape->state().layers);
  const at::Tensor states = with_final_gain(weights, final.values);
  if (tape != nullptr) tape->state().final = std::move(final);
  return states.expand({edits.lanes, -1, -1});
}

at::Tensor unedited_states(const Weights& weights, const TokenBatch& batch) {
  return run_lanes(weights, batch, run_prefix(weights, batch, weights.config.layers), LaneEdits{});
}

LaneEdits run_backward(const Weights& weights, const TokenBatch& batch, const LaneEdits& edits, Tape& tape,
                       const at::Tensor& states_gradient) {
  return Pass(weights, batch, edits)
      .backward(tape.state().layers, tape.state().final, with_final_gain(weights, states_gradient));
}

at::Tensor head_outputs(const Weights& weights, const TokenBatch& batch) {
  std::vector<at::Tensor> seen;  // [R, C] each
  const LaneEdits none;
  Pass(weights, batch, none).run({}, nullptr, [&](int layer, const Heads&, const at::Tensor& outputs) {
    const bool last = layer == weights.config.layers - 1;
    seen.push_back((last ? outputs[0] : outputs[0].index_select(0, batch.kept)).to(at::kFloat));
  });
  return at::stack(seen, 1);
}

}  // namespace headsweep
