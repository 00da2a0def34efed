// probe: head outputs of labelled texts in, one table per fold out: score, direction, sigma of each head.
// Level 3. Knows nothing of ranks: the caller shards `capture` by batch and gathers.
#pragma once

#include <headsweep/data.hpp>
#include <headsweep/job.hpp>
#include <headsweep/model.hpp>
#include <vector>

namespace headsweep {

/// Number of forward calls that `capture` makes for so many texts; call i reads texts [i * batch, (i+1) *
/// batch).
int capture_calls(std::size_t texts, int batch);
/// Head outputs [n, L, C] of the last token of the texts of one call: the bits do not hang on who makes the
/// call.
at::Tensor capture(const Weights& weights, const std::vector<ProbeText>& texts, int batch, int call);

/// What a localiser says of every head, float32 on the CPU; the heads of a layer stand together: index =
/// layer * H + head.
struct HeadTable {
  at::Tensor score;                          ///< [L*H] accuracy on validation questions
  at::Tensor train_accuracy, auc, log_loss;  ///< [L*H]; auc and log_loss (mean, nats) on validation questions
  at::Tensor weights, bias;                  ///< [L*H, D], [L*H] of the logistic regression
  /// [L*H, D] u = mean(true) - mean(false) of the training texts, unit norm; zero where the means are equal
  /// to float32 rounding.
  at::Tensor direction;
  /// [L*H] pooled within-class standard deviation along u, with p = <u, o> of the training texts of
  /// `sigma_data`: sqrt((sum_true (p - mean_true p)^2 + sum_false (p - mean_false p)^2) / (n - 2)).
  at::Tensor sigma;
  /// Heads from best to worst: by score, then by lower log-loss, then by (layer, head).
  [[nodiscard]] std::vector<Head> ranking(int heads) const;
};

/// L2-regularised logistic regressions of many heads at once: each minimises |w|^2 / 2 + c sum_n log(1 +
/// exp(-y z)) with a free intercept, as scikit-learn's LogisticRegression(C=c), to a gradient norm of 1e-8 in
/// float64. The steps are Newton's, with a Hessian that may be of an earlier step and of float32 products. A
/// head's fit does not hang on the other heads.
struct LogisticFit {
  at::Tensor weights;  ///< float64 [heads, D]
  at::Tensor bias;     ///< float64 [heads]
};
LogisticFit fit_logistic(const at::Tensor& features /* [heads, n, D] */,
                         const at::Tensor& labels /* [n] 0/1 */, double c);
/// Area under the ROC curve of each row, ties counted half: [heads] from scores [heads, n].
at::Tensor area_under_curve(const at::Tensor& scores, const at::Tensor& labels);

/// Texts of one reading with their captured outputs [n, L, C].
struct ProbeData {
  const std::vector<ProbeText>& texts;
  at::Tensor outputs;
};
/// Fits on the training questions of `split`, scores on the validation questions; test questions are not
/// looked at. `sigma_data` may be another reading of the same questions (key sigma.suffix). Throws BadInput
/// where a part holds one class only.
HeadTable locate(const ProbeData& data, const ProbeData& sigma_data, const Split& split,
                 const ModelConfig& config, double c);

}  // namespace headsweep
