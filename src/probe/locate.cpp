// probe: a fold's head outputs in, the localiser's table out. Layer by layer, so that float64 copies stay
// small.
#include <algorithm>
#include <headsweep/probe.hpp>
#include <numeric>

namespace headsweep {
namespace {

/// The texts of one part of the split.
struct Rows {
  at::Tensor index;   ///< int64 [n] rows of the outputs
  at::Tensor labels;  ///< float64 [n] 0/1
};

Rows rows_of(const ProbeData& data, const Split& split, SplitPart part) {
  std::vector<std::int64_t> index;
  std::vector<double> labels;
  for (std::size_t i = 0; i < data.texts.size(); ++i) {
    if (split.part_of.at(static_cast<std::size_t>(data.texts[i].question)) != part) continue;
    index.push_back(static_cast<std::int64_t>(i));
    labels.push_back(data.texts[i].label ? 1 : 0);
  }
  const auto correct = static_cast<std::size_t>(std::count(labels.begin(), labels.end(), 1.0));
  require(correct > 0 && correct < labels.size(), "probe: the texts of the part '", part, "' hold ", correct,
          " correct and ", labels.size() - correct, " incorrect answers; at least one of each is needed");
  const at::Device device = data.outputs.device();
  return {.index = at::tensor(index, at::kLong).to(device),
          .labels = at::tensor(labels, at::kDouble).to(device)};
}

/// Outputs of one layer's heads at some texts: float64 [H, n, D].
at::Tensor features_of(const ProbeData& data, const Rows& rows, int layer, const ModelConfig& config) {
  const at::Tensor outputs = data.outputs.select(1, layer).index_select(0, rows.index);  // [n, C]
  return outputs.view({-1, config.heads, config.head_dim}).transpose(0, 1).to(at::kDouble);
}

/// Mean over the texts of one class: [H, D] from [H, n, D], [H] from [H, n].
at::Tensor class_mean(const at::Tensor& values, const at::Tensor& labels, double label) {
  return values.index_select(1, at::nonzero(labels == label).flatten()).mean(1);
}

/// [H, D]
at::Tensor unit_direction(const at::Tensor& features, const at::Tensor& labels) {
  const at::Tensor difference = class_mean(features, labels, 1) - class_mean(features, labels, 0);
  const at::Tensor length = difference.norm(2, -1, true);
  const at::Tensor rounding = 1e-6 * features.square().sum(-1).mean(-1).sqrt().unsqueeze(-1);
  return at::where(length > rounding, difference / length, at::zeros_like(difference));
}

/// [H]
at::Tensor pooled_deviation(const at::Tensor& projections /* [H, n] */, const at::Tensor& labels) {
  const at::Tensor mean_true = class_mean(projections, labels, 1).unsqueeze(1);
  const at::Tensor mean_false = class_mean(projections, labels, 0).unsqueeze(1);
  const at::Tensor residuals = projections - at::where(labels == 1, mean_true, mean_false);
  const auto freedom = static_cast<double>(std::max<std::int64_t>(1, labels.size(0) - 2));
  return (residuals.square().sum(1) / freedom).sqrt();
}

/// Logits of a fit: [H, n].
at::Tensor logits_of_fit(const LogisticFit& fit, const at::Tensor& features) {
  return at::matmul(features, fit.weights.unsqueeze(-1)).squeeze(-1) + fit.bias.unsqueeze(1);
}

at::Tensor accuracy(const at::Tensor& logits, const at::Tensor& labels) {
  return (logits > 0).eq(labels == 1).to(at::kDouble).mean(1);
}

HeadTable empty_table(const ModelConfig& config) {
  const std::int64_t heads = std::int64_t{config.layers} * config.heads;
  HeadTable table;
  for (at::Tensor* column :
       {&table.score, &table.train_accuracy, &table.auc, &table.log_loss, &table.bias, &table.sigma})
    *column = at::empty({heads}, at::kFloat);
  for (at::Tensor* column : {&table.weights, &table.direction})
    *column = at::empty({heads, config.head_dim}, at::kFloat);
  return table;
}

}  // namespace

HeadTable locate(const ProbeData& data, const ProbeData& sigma_data, const Split& split,
                 const ModelConfig& config, double c) {
  const Rows train = rows_of(data, split, SplitPart::train),
             validation = rows_of(data, split, SplitPart::val);
  const Rows sigma_train = rows_of(sigma_data, split, SplitPart::train);
  HeadTable table = empty_table(config);
  for (int layer = 0; layer < config.layers; ++layer) {
    const auto put = [&](at::Tensor& column, const at::Tensor& values) {
      column.narrow(0, std::int64_t{layer} * config.heads, config.heads).copy_(values);
    };
    const at::Tensor features = features_of(data, train, layer, config);
    const LogisticFit fit = fit_logistic(features, train.labels, c);
    put(table.weights, fit.weights);
    put(table.bias, fit.bias);
    put(table.train_accuracy, accuracy(logits_of_fit(fit, features), train.labels));
    const at::Tensor logits = logits_of_fit(fit, features_of(data, validation, layer, config));
    put(table.score, accuracy(logits, validation.labels));
    put(table.auc, area_under_curve(logits, validation.labels));
    put(table.log_loss, -at::log_sigmoid(logits * (2 * validation.labels - 1)).mean(1));
    const at::Tensor direction = unit_direction(features, train.labels);
    put(table.direction, direction);
    const at::Tensor projections =
        at::matmul(features_of(sigma_data, sigma_train, layer, config), direction.unsqueeze(-1)).squeeze(-1);
    put(table.sigma, pooled_deviation(projections, sigma_train.labels));
  }
  return table;
}

std::vector<Head> HeadTable::ranking(int heads) const {
  const float* scores = score.const_data_ptr<float>();
  const float* losses = log_loss.const_data_ptr<float>();
  std::vector<int> order(static_cast<std::size_t>(score.size(0)));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : losses[a] < losses[b];
  });
  std::vector<Head> ranked;
  for (const int index : order) ranked.push_back({.layer = index / heads, .index = index % heads});
  return ranked;
}

}  // namespace headsweep
