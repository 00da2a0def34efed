// edit: the parameters of K lanes and what the forward adds for them. Masks say where a lane may read and
// write; bases, in which subspaces it writes.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "edit/adapters.hpp"
#include "edit/subspace.hpp"

namespace headsweep {
namespace {

/// Lanes that edit one layer, with their heads there.
struct Touched {
  std::vector<std::int64_t> lanes;
  std::vector<std::vector<int>> heads;
};

std::map<int, Touched> touched_layers(const std::vector<LaneSpec>& lanes) {
  std::map<int, Touched> layers;
  for (std::size_t k = 0; k < lanes.size(); ++k) {
    std::map<int, std::vector<int>> by_layer;
    for (const Head& head : lanes[k].heads) by_layer[head.layer].push_back(head.index);
    for (const auto& [layer, heads] : by_layer) {
      layers[layer].lanes.push_back(static_cast<std::int64_t>(k));
      layers[layer].heads.push_back(heads);
    }
  }
  return layers;
}

/// 1 in the chosen heads' slices: [K', C].
at::Tensor head_mask(const Touched& touched, const ModelConfig& config) {
  at::Tensor mask = at::zeros({static_cast<std::int64_t>(touched.lanes.size()), config.width()});
  for (std::size_t row = 0; row < touched.heads.size(); ++row)
    for (const int head : touched.heads[row])
      mask[static_cast<std::int64_t>(row)].narrow(0, head * config.head_dim, config.head_dim).fill_(1);
  return mask;
}

at::Tensor lane_tensor(const Touched& touched) { return at::tensor(touched.lanes, at::kLong); }

/// One rank of an edit at one linear layer.
struct Rank {
  int layer = 0;
  EditTarget target = EditTarget::o;
  int index = 0;
};

/// The stream of a rank's start; the first rank at o_proj has that of all kinds of edit.
Random random_of(std::uint64_t seed, const char* purpose, const Rank& rank) {
  if (rank.target == EditTarget::o && rank.index == 0) return Random(seed, purpose, rank.layer);
  return Random(seed, purpose, rank.layer, to_text(rank.target), rank.index);
}

/// U(-1/sqrt width, 1/sqrt width): the same for every location and lane of a seed.
at::Tensor start_of_a(std::uint64_t seed, const Rank& rank, std::int64_t width) {
  Random random = random_of(seed, "start of a", rank);
  const double bound = 1.0 / std::sqrt(static_cast<double>(width));
  std::vector<float> values(static_cast<std::size_t>(width));
  for (float& value : values) value = static_cast<float>((2.0 * random.uniform() - 1.0) * bound);
  return at::tensor(values);
}

/// N(0, deviation^2).
at::Tensor start_of_b(std::uint64_t seed, const Rank& rank, std::int64_t width, double deviation) {
  Random random = random_of(seed, "start of b", rank);
  std::vector<float> values(static_cast<std::size_t>(width));
  for (float& value : values) value = static_cast<float>(draw_normal(random, deviation));
  return at::tensor(values);
}

/// Subspaces in place of the lanes' heads, of so many dimensions; lanes of one draw share theirs.
void set_subspaces(LaneParams::Layer& layer, const Touched& touched, const std::vector<LaneSpec>& lanes,
                   const ModelConfig& config) {
  std::size_t most = 0;
  for (const auto& heads : touched.heads) most = std::max(most, heads.size());
  const auto rows = static_cast<std::int64_t>(touched.lanes.size());
  const std::int64_t dimensions = static_cast<std::int64_t>(most) * config.head_dim;
  layer.basis = at::zeros({rows, dimensions, config.width()});
  layer.b = at::zeros({rows, dimensions});
  std::map<std::tuple<std::uint64_t, int, std::int64_t>, at::Tensor> known;
  for (std::int64_t row = 0; row < rows; ++row) {
    const LaneSpec& lane = lanes[static_cast<std::size_t>(touched.lanes[static_cast<std::size_t>(row)])];
    const std::int64_t own =
        static_cast<std::int64_t>(touched.heads[static_cast<std::size_t>(row)].size()) * config.head_dim;
    at::Tensor& basis = known[{lane.subspace_seed, lane.subspace, own}];
    if (!basis.defined()) basis = random_basis(lane, layer.layer, own, config.width());
    layer.basis[row].narrow(0, 0, own).copy_(basis);
  }
}

/// W_o in float32: [E, C].
at::Tensor output_matrix(const Weights& weights, int layer) {
  return weights.layers.at(static_cast<std::size_t>(layer)).o.to(at::kFloat);
}

/// A layer of `optimal` within heads, or of plain lora, not yet started.
LaneParams::Layer make_layer(EditKind kind, int index, const Touched& touched, EditRead read,
                             const ModelConfig& config) {
  const auto rows = static_cast<std::int64_t>(touched.lanes.size());
  const bool lora = kind == EditKind::lora;
  LaneParams::Layer layer{.layer = index, .lanes = lane_tensor(touched)};
  layer.b_mask = lora ? at::ones({rows, config.hidden}) : head_mask(touched, config);
  if (lora || read != EditRead::constant) {
    layer.a = at::empty({rows, config.width()});
    layer.a_mask = !lora && read == EditRead::heads ? layer.b_mask : at::ones({rows, config.width()});
  }
  layer.b = at::zeros_like(layer.b_mask);
  return layer;
}

/// The same in subspaces.
LaneParams::Layer make_subspace_layer(int index, const Touched& touched, const std::vector<LaneSpec>& lanes,
                                      EditRead read, const ModelConfig& config) {
  expect(read != EditRead::heads, "a subspace has no heads to read");
  LaneParams::Layer layer{.layer = index, .lanes = lane_tensor(touched)};
  set_subspaces(layer, touched, lanes, config);
  if (read == EditRead::layer) {
    layer.a = at::empty({layer.b.size(0), config.width()});
    layer.a_mask = at::ones_like(layer.a);
  }
  return layer;
}

/// Fills a, and b where it does not start at 0.
void start_layer(LaneParams::Layer& layer, const std::vector<LaneSpec>& lanes, double start_b) {
  const std::int64_t ranks = layer.is_adapter() ? layer.b.size(1) : 1;
  for (std::int64_t row = 0; row < layer.lanes.size(0); ++row) {
    const std::uint64_t seed = lanes[static_cast<std::size_t>(layer.lanes[row].item<std::int64_t>())].seed;
    for (int index = 0; index < ranks; ++index) {
      const Rank rank{.layer = layer.layer, .target = layer.target, .index = index};
      const auto place = [&](const at::Tensor& all) {
        return layer.is_adapter() ? all[row][index] : all[row];
      };
      if (layer.a.defined()) place(layer.a).copy_(start_of_a(seed, rank, layer.a.size(-1)));
      if (start_b <= 0) continue;
      const bool based = layer.basis.defined();  // then what the same start has in the subspace
      const at::Tensor b = start_of_b(seed, rank, (based ? layer.basis : layer.b).size(-1), start_b);
      place(layer.b).copy_(based ? at::matmul(layer.basis[row], b) : b);
    }
  }
}

std::vector<float> to_vector(const at::Tensor& values) {
  const at::Tensor flat = values.detach().to(at::kCPU, at::kFloat).contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

}  // namespace

LaneParams LaneParams::start(EditKind kind, const std::vector<LaneSpec>& lanes, const TrainingSpec& spec,
                             const Weights& weights, const LoraSpec& lora) {
  expect(kind != EditKind::iti, "trained lanes are optimal or lora");
  LaneParams params;
  params.kind_ = kind;
  params.lanes_ = static_cast<int>(lanes.size());
  const auto based =
      std::count_if(lanes.begin(), lanes.end(), [](const auto& lane) { return lane.in_subspace(); });
  expect(based == 0 || (kind == EditKind::optimal && based == params.lanes_),
         "optimal lanes, all in subspaces or none");
  for (const auto& [index, touched] : touched_layers(lanes)) {
    if (based > 0) {
      params.layers_.push_back(make_subspace_layer(index, touched, lanes, spec.read, weights.config));
    } else if (kind == EditKind::lora && !lora.is_plain()) {
      for (const EditTarget target : ordered(lora.targets)) {
        params.layers_.push_back(make_adapter(weights.config, index, target,
                                              static_cast<std::int64_t>(touched.lanes.size()), lora.rank));
        params.layers_.back().lanes = lane_tensor(touched);
      }
    } else {
      params.layers_.push_back(make_layer(kind, index, touched, spec.read, weights.config));
    }
  }
  for (Layer& layer : params.layers_) start_layer(layer, lanes, spec.start_b);
  params.to(weights.device());
  return params;
}

LaneParams LaneParams::iti(const std::vector<LaneSpec>& lanes, const HeadTable& table,
                           const Weights& weights) {
  const ModelConfig& config = weights.config;
  const at::Tensor shift = (table.direction * table.sigma.unsqueeze(-1)).to(at::kFloat);  // [L*H, D]
  LaneParams params;
  params.kind_ = EditKind::iti;
  params.lanes_ = static_cast<int>(lanes.size());
  for (const auto& [index, touched] : touched_layers(lanes)) {
    Layer layer{.layer = index, .lanes = lane_tensor(touched)};
    layer.b_mask = head_mask(touched, config);
    layer.b = at::zeros_like(layer.b_mask);
    for (std::size_t row = 0; row < touched.heads.size(); ++row) {
      const double alpha = lanes[static_cast<std::size_t>(touched.lanes[row])].strength;
      for (const int head : touched.heads[row])
        layer.b[static_cast<std::int64_t>(row)]
            .narrow(0, head * config.head_dim, config.head_dim)
            .copy_(shift[index * config.heads + head] * alpha);
    }
    params.layers_.push_back(std::move(layer));
  }
  params.to(weights.device());
  return params;
}

LaneEdits LaneParams::edits(const Weights& weights) const {
  LaneEdits edits{.lanes = lanes_};
  for (const Layer& layer : layers_) {
    if (layer.is_adapter()) {
      edits.adapters[layer.layer][layer.target] = operands_of(layer, lanes_, weights);
      continue;
    }
    LayerEdit edit;
    if (layer.lanes.size(0) < lanes_) edit.lanes = layer.lanes;
    if (layer.a.defined()) edit.read = layer.a * layer.a_mask;
    const at::Tensor b = in_head_space(layer);
    edit.write = kind_ == EditKind::lora ? b : at::matmul(b, output_matrix(weights, layer.layer).t());
    edits.layers[layer.layer] = std::move(edit);
  }
  return edits;
}

std::vector<LaneParams::Gradient> LaneParams::gradients(const Weights& weights,
                                                        const LaneEdits& edits) const {
  std::vector<Gradient> gradients;
  for (const Layer& layer : layers_) {
    if (layer.is_adapter()) {
      gradients.push_back(gradient_of(layer, edits.adapters.at(layer.layer).at(layer.target), weights));
      continue;
    }
    const LayerEdit& edit = edits.layers.at(layer.layer);
    Gradient gradient;
    if (layer.a.defined()) gradient.a = edit.read * layer.a_mask;
    const bool free = kind_ == EditKind::lora;
    gradient.b = from_head_space(
        layer, free ? edit.write : at::matmul(edit.write, output_matrix(weights, layer.layer)));
    gradients.push_back(std::move(gradient));
  }
  return gradients;
}

std::vector<EditLayer> LaneParams::layers_of(int lane) const {
  std::vector<EditLayer> stored;
  for (const Layer& layer : layers_) {
    const at::Tensor rows = at::nonzero(layer.lanes == lane).flatten();
    if (rows.numel() == 0) continue;
    const std::int64_t row = rows[0].item<std::int64_t>();
    if (layer.is_adapter()) {
      for (std::int64_t rank = 0; rank < layer.b.size(1); ++rank)
        stored.push_back({.layer = layer.layer,
                          .target = layer.target,
                          .a = to_vector(layer.a[row][rank]),
                          .b = to_vector(layer.b[row][rank])});
      continue;
    }
    EditLayer one{.layer = layer.layer, .b = to_vector(in_head_space(layer)[row])};
    if (layer.a.defined()) one.a = to_vector(layer.a[row] * layer.a_mask[row]);
    stored.push_back(std::move(one));
  }
  return stored;
}

void LaneParams::to(at::Device device) {
  for (Layer& layer : layers_)
    for (at::Tensor* tensor : {&layer.lanes, &layer.a, &layer.b, &layer.a_mask, &layer.b_mask, &layer.basis})
      if (tensor->defined()) *tensor = tensor->to(device);
}

}  // namespace headsweep
