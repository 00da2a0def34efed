// edit: the training loop of K lanes, and what is packed once for all blocks of a (seed, fold).
#include <algorithm>
#include <cmath>
#include <headsweep/edit.hpp>

namespace headsweep {
namespace {

std::vector<PairBatch> pack_in_order(const Weights& weights, const std::vector<Pair>& pairs,
                                     const std::vector<int>& order, const TrainingSpec& spec) {
  std::vector<PairBatch> batches;
  const auto batch = static_cast<std::size_t>(spec.batch);
  for (std::size_t begin = 0; begin < order.size(); begin += batch) {
    std::vector<Pair> chosen;
    for (std::size_t i = begin; i < std::min(order.size(), begin + batch); ++i)
      chosen.push_back(pairs[static_cast<std::size_t>(order[i])]);
    batches.push_back(pack_pairs(weights, chosen, spec));
  }
  return batches;
}

/// Mean and least-squares slope of the curve's last tenth.
struct Tail {
  double mean = 0, slope = 0;
  int steps = 0;
};
Tail tail_of(const std::vector<float>& curve) {
  const int steps = static_cast<int>(curve.size()), length = std::max(2, steps / 10),
            begin = std::max(0, steps - length);
  Tail tail{.steps = steps - begin};
  const double middle = 0.5 * (tail.steps - 1);
  double covariance = 0, variance = 0;
  for (int i = begin; i < steps; ++i)
    tail.mean += curve[static_cast<std::size_t>(i)] / static_cast<double>(tail.steps);
  for (int i = begin; i < steps; ++i) {
    const double offset = i - begin - middle;
    covariance += offset * (curve[static_cast<std::size_t>(i)] - tail.mean);
    variance += offset * offset;
  }
  tail.slope = variance > 0 ? covariance / variance : 0;
  return tail;
}

/// Losses of one step [K] on the CPU, remembered by lane.
void remember(const at::Tensor& losses, std::vector<Training>& training) {
  for (std::size_t k = 0; k < training.size(); ++k)
    training[k].curve.push_back(losses[static_cast<std::int64_t>(k)].item<float>());
}

void summarise(const std::vector<LaneSpec>& lanes, const TrainingSpec& spec,
               std::vector<Training>& training) {
  for (std::size_t k = 0; k < training.size(); ++k) {
    Training& one = training[k];
    const Tail tail = tail_of(one.curve);
    const double unedited = std::pow(0.5 / lanes[k].strength, 2);  // the loss of a zero edit
    one.train_loss = static_cast<float>(tail.mean);
    one.slope = static_cast<float>(tail.slope);
    one.steps = static_cast<int>(one.curve.size());
    one.learning_rate = static_cast<float>(lanes[k].learning_rate);
    one.converged = std::abs(tail.slope) * tail.steps <= spec.converged_slope * unedited;
  }
}

at::Tensor per_lane(const std::vector<LaneSpec>& lanes, double LaneSpec::*member, at::Device device) {
  std::vector<float> values;
  for (const LaneSpec& lane : lanes) values.push_back(static_cast<float>(lane.*member));
  return at::tensor(values).to(device);
}

}  // namespace

TrainingData pack_training(const Weights& weights, const std::vector<Pair>& train, const TrainingSpec& spec,
                           std::uint64_t seed, int fold) {
  TrainingData data;
  for (int epoch = 0; epoch < spec.epochs; ++epoch) {
    const std::vector<int> order = pair_order(static_cast<int>(train.size()), seed, fold, epoch);
    for (PairBatch& batch : pack_in_order(weights, train, order, spec))
      data.batches.push_back(std::move(batch));
  }
  return data;
}

std::vector<PairBatch> pack_evaluation(const Weights& weights, const std::vector<Pair>& pairs,
                                       const TrainingSpec& spec) {
  std::vector<int> order(pairs.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
  return pack_in_order(weights, pairs, order, spec);
}

at::Tensor tau_of(const std::vector<LaneSpec>& lanes, at::Device device) {
  return per_lane(lanes, &LaneSpec::strength, device);
}

TrainedLanes train_lanes(const Weights& weights, const TrainingData& data, const std::vector<LaneSpec>& lanes,
                         const TrainingSpec& spec, LaneParams& params, const std::function<void()>& tick) {
  const at::Device device = weights.device();
  const int steps = static_cast<int>(data.batches.size());
  const at::Tensor tau = tau_of(lanes, device), rates = per_lane(lanes, &LaneSpec::learning_rate, device);
  TrainedLanes result{.training = std::vector<Training>(lanes.size()),
                      .failed = std::vector<std::string>(lanes.size())};
  LaneOptimiser optimiser(params, rates, spec.clip);
  at::Tensor alive = at::ones({params.count()}, device), norms;
  for (int step = 0; step < steps; ++step) {
    const PairBatch& batch = data.batches[static_cast<std::size_t>(step)];
    const LaneEdits edits = params.edits(weights);
    const Prefix prefix = run_prefix(weights, batch.tokens, edits.first_layer(weights.config.layers));
    const at::Tensor losses = ipo_loss(pair_deltas(weights, batch, prefix, edits, spec.log_prob), tau);
    losses.sum().backward();
    norms = optimiser.step(cosine(step, steps), alive).to(at::kCPU);
    const at::Tensor seen = losses.detach().to(at::kCPU);
    remember(seen, result.training);
    for (std::size_t k = 0; k < lanes.size(); ++k) {
      const auto lane = static_cast<std::int64_t>(k);
      const float loss = seen[lane].item<float>(), norm = norms[lane].item<float>();
      if (!result.failed[k].empty() || (std::isfinite(loss) && std::isfinite(norm))) continue;
      result.failed[k] = cat("step ", step, " of ", steps, ": loss ", loss, ", gradient norm ", norm);
      alive[lane] = 0;
    }
    tick();
  }
  summarise(lanes, spec, result.training);
  for (std::size_t k = 0; k < lanes.size() && norms.defined(); ++k)
    result.training[k].gradient_norm = norms[static_cast<std::int64_t>(k)].item<float>();
  for (auto& layer : params.layers()) {
    layer.b = layer.b.detach();
    if (layer.a.defined()) layer.a = layer.a.detach();
  }
  return result;
}

}  // namespace headsweep
