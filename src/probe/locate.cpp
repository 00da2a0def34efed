// probe: a fold's head outputs in, the localiser's table out. Head by head, so that float64 copies stay in
// the cache.
#include <algorithm>
#include <headsweep/probe.hpp>
#include <numeric>

namespace headsweep {
namespace {

/// The texts of one part of the split.
struct Part {
  at::Tensor outputs;  ///< [.., L*C] of these and other texts
  at::Tensor index;    ///< int64 [n] their rows
  at::Tensor labels;   ///< float64 [n] 0/1
};

Part part_of(const ProbeData& data, const Split& split, SplitPart part) {
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
  return {.outputs = data.outputs.flatten(1),
          .index = at::tensor(index, at::kLong).to(device),
          .labels = at::tensor(labels, at::kDouble).to(device)};
}

/// Outputs of one head: [n, D].
at::Tensor outputs_of(const Part& part, std::int64_t head, std::int64_t width) {
  return part.outputs.narrow(1, head * width, width).index_select(0, part.index);
}

/// Mean over the texts of one class: [D] of [n, D], [] of [n].
at::Tensor class_mean(const at::Tensor& values, const at::Tensor& labels, double label) {
  const at::Tensor of_class = (labels == label).to(at::kDouble);
  return at::matmul(of_class / of_class.sum(), values);
}

/// [D]
at::Tensor unit_direction(const at::Tensor& features /* [n, D] */, const at::Tensor& labels) {
  const at::Tensor difference = class_mean(features, labels, 1) - class_mean(features, labels, 0);
  const at::Tensor length = difference.norm(), rounding = 1e-6 * features.square().sum(1).mean().sqrt();
  return at::where(length > rounding, difference / length, at::zeros_like(difference));
}

/// []
at::Tensor pooled_deviation(const at::Tensor& projections /* [n] */, const at::Tensor& labels) {
  const at::Tensor means =
      at::where(labels == 1, class_mean(projections, labels, 1), class_mean(projections, labels, 0));
  const auto freedom = static_cast<double>(std::max<std::int64_t>(1, labels.size(0) - 2));
  return ((projections - means).square().sum() / freedom).sqrt();
}

/// Logits of one head's fit: [n].
at::Tensor logits_of_fit(const LogisticFit& fit, const at::Tensor& features /* [n, D] */) {
  return at::mv(features, fit.weights[0]) + fit.bias[0];
}

at::Tensor accuracy(const at::Tensor& logits, const at::Tensor& labels) {
  return (logits > 0).eq(labels == 1).to(at::kDouble).mean();
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
  const Part train = part_of(data, split, SplitPart::train),
             validation = part_of(data, split, SplitPart::val);
  const Part sigma_train = part_of(sigma_data, split, SplitPart::train);
  HeadTable table = empty_table(config);
  for (std::int64_t head = 0; head < table.score.size(0); ++head) {
    const at::Tensor outputs = outputs_of(train, head, config.head_dim);
    const LogisticFit fit = fit_logistic(outputs.unsqueeze(0), train.labels, c);
    table.weights[head].copy_(fit.weights[0]);
    table.bias[head].copy_(fit.bias[0]);
    const at::Tensor features = outputs.to(at::kDouble);
    table.train_accuracy[head].copy_(accuracy(logits_of_fit(fit, features), train.labels));
    const at::Tensor direction = unit_direction(features, train.labels);
    table.direction[head].copy_(direction);
    const at::Tensor logits =
        logits_of_fit(fit, outputs_of(validation, head, config.head_dim).to(at::kDouble));
    table.score[head].copy_(accuracy(logits, validation.labels));
    table.auc[head].copy_(area_under_curve(logits.unsqueeze(0), validation.labels)[0]);
    table.log_loss[head].copy_(-at::log_sigmoid(logits * (2 * validation.labels - 1)).mean());
    const at::Tensor projections =
        at::mv(outputs_of(sigma_train, head, config.head_dim).to(at::kDouble), direction);
    table.sigma[head].copy_(pooled_deviation(projections, sigma_train.labels));
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
