// edit: what is packed once for all blocks of a (seed, fold): batches in the order of training, and every
// distinct text once, for pi0 and for the states below the first edited layer.
#include <algorithm>
#include <numeric>

#include "edit/texts.hpp"

namespace headsweep {
namespace {

using Texts = std::vector<std::vector<Pair>>;

/// A text a pair, or a text a question with all its pairs.
Texts texts_of(const std::vector<Pair>& pairs, BatchKind kind) {
  Texts texts;
  for (const Pair& pair : pairs) {
    const bool joins =
        kind == BatchKind::questions && !texts.empty() && texts.back().front().question == pair.question;
    if (joins)
      texts.back().push_back(pair);
    else
      texts.push_back({pair});
  }
  return texts;
}

/// Where a text stands among all.
struct Place {
  std::int64_t token = 0, tokens = 0, pair = 0, pairs = 0;
};

/// Numbers [begin, begin + count) after those already there.
void append_range(std::vector<std::int64_t>& numbers, std::int64_t begin, std::int64_t count) {
  const std::size_t size = numbers.size();
  numbers.resize(size + static_cast<std::size_t>(count));
  std::iota(numbers.begin() + static_cast<std::ptrdiff_t>(size), numbers.end(), begin);
}

/// Packs each text once, `batch` texts a call; says where each stands.
std::vector<PairBatch> pack_once(const Weights& weights, const Texts& texts, const TrainingSpec& spec,
                                 std::vector<Place>& places) {
  std::vector<PairBatch> packed;
  std::int64_t token = 0, pair = 0;
  const auto batch = static_cast<std::size_t>(spec.batch);
  for (std::size_t begin = 0; begin < texts.size(); begin += batch) {
    const std::size_t end = std::min(texts.size(), begin + batch);
    const auto at = [&](std::size_t i) { return texts.begin() + static_cast<std::ptrdiff_t>(i); };
    packed.push_back(pack_texts({at(begin), at(end)}, spec, weights.device()));
    add_reference(weights, spec.log_prob, packed.back());
    const std::vector<std::int32_t>& first = packed.back().tokens.clump_begin;
    for (std::size_t i = begin; i < end; ++i) {
      const std::int64_t tokens = first[i - begin + 1] - first[i - begin];
      const auto pairs = static_cast<std::int64_t>(texts[i].size());
      places.push_back({token, tokens, pair, pairs});
      token += tokens;
      pair += pairs;
    }
  }
  return packed;
}

at::Tensor all_references(const std::vector<PairBatch>& packed) {
  std::vector<at::Tensor> parts;
  for (const PairBatch& batch : packed) parts.push_back(batch.reference);
  return at::cat(parts);
}

}  // namespace

TrainingData pack_training(const Weights& weights, const std::vector<Pair>& train, const TrainingSpec& spec,
                           std::uint64_t seed, int fold) {
  const Texts texts = texts_of(train, spec.batches);
  const auto count = static_cast<int>(texts.size());
  if (count == 0) return {};
  std::vector<Place> places;
  TrainingData data{.batches = {}, .texts = pack_once(weights, texts, spec, places)};
  const at::Tensor references = all_references(data.texts);
  const int steps = (count + spec.batch - 1) / spec.batch;
  for (int epoch = 0; epoch < spec.epochs; ++epoch) {
    const std::vector<int> order = pair_order(count, seed, fold, epoch);
    for (int step = 0; step < steps; ++step) {
      Texts chosen;
      std::vector<std::int64_t> rows, pairs;
      for (int i = step * spec.batch; i < std::min(count, (step + 1) * spec.batch); ++i) {
        const auto text = static_cast<std::size_t>(order[static_cast<std::size_t>(i)]);
        chosen.push_back(texts[text]);
        append_range(rows, places[text].token, places[text].tokens);
        append_range(pairs, places[text].pair, places[text].pairs);
      }
      PairBatch batch = pack_texts(chosen, spec, weights.device());
      batch.rows = at::tensor(rows, at::kLong).to(weights.device());
      batch.reference = references.index_select(0, at::tensor(pairs, at::kLong).to(weights.device()));
      if (spec.batches == BatchKind::questions)
        batch.weight = static_cast<double>(pairs.size()) * steps / static_cast<double>(train.size());
      data.batches.push_back(std::move(batch));
    }
  }
  return data;
}

std::vector<PairBatch> pack_evaluation(const Weights& weights, const std::vector<Pair>& pairs,
                                       const TrainingSpec& spec) {
  std::vector<Place> places;
  return pack_once(weights, texts_of(pairs, spec.batches), spec, places);
}

void TrainingPrefixes::fill(int layer) {
  expect(layer < weights_.config.layers, "prefixes of lanes that are edited");
  outputs_ = residual_ = at::Tensor();  // the old table goes before the new one comes
  std::int64_t rows = 0, row = 0;
  for (const PairBatch& text : data_.texts) rows += text.tokens.tokens;
  for (const PairBatch& text : data_.texts) {
    const Prefix prefix = run_prefix(weights_, text.tokens, layer);
    if (row == 0) {
      outputs_ = at::empty({rows, prefix.outputs.size(1)}, prefix.outputs.options());
      residual_ = at::empty({rows, prefix.residual.size(1)}, prefix.residual.options());
    }
    outputs_.narrow(0, row, text.tokens.tokens).copy_(prefix.outputs);
    residual_.narrow(0, row, text.tokens.tokens).copy_(prefix.residual);
    row += text.tokens.tokens;
  }
  layer_ = layer;
}

Prefix TrainingPrefixes::at(const PairBatch& batch, int layer) {
  if (!data_.keeps_prefixes || layer < 0) return run_prefix(weights_, batch.tokens, layer);
  if (layer != layer_) fill(layer);
  return {layer, outputs_.index_select(0, batch.rows), residual_.index_select(0, batch.rows)};
}

}  // namespace headsweep
