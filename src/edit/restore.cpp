// edit: stored edits -> lanes. In: rows of files, which may not fit the model; out: parameters of many lanes.
#include <algorithm>

#include "edit/adapters.hpp"

namespace headsweep {
namespace {

/// The rows of one linear layer, lane by lane; a lane may have none.
struct Stored {
  std::vector<std::int64_t> lanes;
  std::vector<std::vector<const EditLayer*>> rows;
  [[nodiscard]] std::size_t rank() const {
    std::size_t most = 0;
    for (const auto& of_lane : rows) most = std::max(most, of_lane.size());
    return most;
  }
};
using ByTarget = std::map<std::pair<int, EditTarget>, Stored>;

void check_row(EditKind kind, const EditLayer& row, const ModelConfig& config) {
  const std::string where = cat("the stored edit of layer ", row.layer, ", ", row.target, ": ");
  require(0 <= row.layer && row.layer < config.layers, where, "the model has ", config.layers, " layers");
  require(kind == EditKind::lora || row.target == EditTarget::o, where, kind, " acts at o_proj only");
  const auto reads = static_cast<std::size_t>(inputs_of(config, row.target));
  const auto writes =
      static_cast<std::size_t>(kind == EditKind::lora ? outputs_of(config, row.target) : config.width());
  require((row.a.empty() && kind != EditKind::lora) || row.a.size() == reads, where, "a has ", row.a.size(),
          " values, ", reads, " are due");
  require(row.b.size() == writes, where, "b has ", row.b.size(), " values, ", writes, " are due");
}

ByTarget sort_rows(EditKind kind, const std::vector<std::vector<EditLayer>>& lanes,
                   const ModelConfig& config) {
  ByTarget sorted;
  for (std::size_t k = 0; k < lanes.size(); ++k)
    for (const EditLayer& row : lanes[k]) {
      check_row(kind, row, config);
      Stored& stored = sorted[{row.layer, row.target}];
      const auto lane = static_cast<std::int64_t>(k);
      if (stored.lanes.empty() || stored.lanes.back() != lane) {
        stored.lanes.push_back(lane);
        stored.rows.emplace_back();
      }
      stored.rows.back().push_back(&row);
    }
  return sorted;
}

/// Rank 1 at o_proj, of all lanes: what LayerEdit can say.
bool is_plain(const ByTarget& sorted) {
  return std::all_of(sorted.begin(), sorted.end(), [](const auto& entry) {
    return entry.first.second == EditTarget::o && entry.second.rank() == 1;
  });
}

at::Tensor values_of(const Stored& stored, std::vector<float> EditLayer::*member) {
  std::vector<at::Tensor> rows;
  for (const auto& of_lane : stored.rows) rows.push_back(at::tensor(of_lane.front()->*member));
  return at::stack(rows);
}

LaneParams::Layer plain_layer(int index, const Stored& stored) {
  LaneParams::Layer layer{.layer = index};
  const auto reads = [](const auto& of_lane) { return !of_lane.front()->a.empty(); };
  const bool any = std::any_of(stored.rows.begin(), stored.rows.end(), reads);
  require(any == std::all_of(stored.rows.begin(), stored.rows.end(), reads), "the stored edits of layer ",
          index, ": some read their layer and some have a constant gate; they cannot be lanes of one set");
  layer.b = values_of(stored, &EditLayer::b);
  layer.b_mask = at::ones_like(layer.b);
  if (!any) return layer;
  layer.a = values_of(stored, &EditLayer::a);
  layer.a_mask = at::ones_like(layer.a);
  return layer;
}

/// Lanes of a lower rank are filled up with 0.
LaneParams::Layer adapter_layer(int index, EditTarget target, const Stored& stored,
                                const ModelConfig& config) {
  LaneParams::Layer layer =
      make_adapter(config, index, target, static_cast<std::int64_t>(stored.lanes.size()),
                   static_cast<std::int64_t>(stored.rank()));
  for (std::size_t lane = 0; lane < stored.rows.size(); ++lane)
    for (std::size_t rank = 0; rank < stored.rows[lane].size(); ++rank) {
      const auto row = static_cast<std::int64_t>(lane), at_rank = static_cast<std::int64_t>(rank);
      layer.a[row][at_rank].copy_(at::tensor(stored.rows[lane][rank]->a));
      layer.b[row][at_rank].copy_(at::tensor(stored.rows[lane][rank]->b));
    }
  return layer;
}

}  // namespace

LaneParams LaneParams::restore(EditKind kind, const std::vector<std::vector<EditLayer>>& lanes,
                               const Weights& weights) {
  LaneParams params;
  params.kind_ = kind;
  params.lanes_ = static_cast<int>(lanes.size());
  const ByTarget sorted = sort_rows(kind, lanes, weights.config);
  const bool plain = is_plain(sorted);
  require(plain || kind == EditKind::lora, "a stored edit has two rows for one layer; only lora has a rank");
  for (const auto& [place, stored] : sorted) {
    const auto& [index, target] = place;
    params.layers_.push_back(plain ? plain_layer(index, stored)
                                   : adapter_layer(index, target, stored, weights.config));
    params.layers_.back().lanes = at::tensor(stored.lanes, at::kLong);
  }
  params.to(weights.device());
  return params;
}

}  // namespace headsweep
