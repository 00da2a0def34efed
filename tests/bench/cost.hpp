// bench: floating-point operations of one lane's training step, counted by hand: two for each parameter that
// a token touches, forward and gradient of activations: what no way of computing can leave out. Attention is
// counted as fused kernels do it: whole squares, the scores once more for the gradient (6 % of the model
// `tiny`, nothing of larger ones).
#pragma once

#include <headsweep/model.hpp>

namespace headsweep::bench {

/// Means over the batches of a training.
struct BatchSize {
  double tokens = 0;  ///< T, the prompt once
  double rows = 0;    ///< tokens whose logits are needed
  double tree = 0;    ///< tokens of one pair
};

/// FLOP counts of a model on batches of one size.
class Cost {
 public:
  Cost(const ModelConfig& config, const BatchSize& size) : size_(size), layers_(config.layers) {
    const double hidden = config.hidden, width = config.width();
    width_ = width;
    narrow_ = hidden * config.kv_heads * config.head_dim;
    square_ = hidden * width;
    inner_ = hidden * config.intermediate;
    words_ = hidden * config.vocab;
  }

  /// A lane that is edited from `layer` on, whose o_proj's output all lanes share. In the edited layer the
  /// lane needs only down_proj (what a rank-1 change adds to gate and up follows from one product for all
  /// lanes); in the last layer queries, o_proj and MLP at the rows alone.
  [[nodiscard]] double step(int layer) const {
    const int above = layers_ - 1 - layer, full = above > 0 ? above - 1 : 0;
    const double edited = 2 * 2 * (above > 0 ? size_.tokens : size_.rows) * inner_;
    const double logits = 2 * 2 * size_.rows * words_;
    const double middle = full * (2 * 2 * size_.tokens * weights() + 3.5 * attention(size_.tokens));
    return edited + middle + (above > 0 ? last_layer() : 0) + logits;
  }

  /// What lies below, forward only, for one batch: `layer` layers and the attention of one
  /// more.
  [[nodiscard]] double prefix(int layer) const {
    const double below = layer * (2 * size_.tokens * weights() + attention(size_.tokens));
    return below + 2 * size_.tokens * 2 * (square_ + narrow_) + attention(size_.tokens);
  }

 private:
  [[nodiscard]] double weights() const { return 2 * (square_ + narrow_) + 3 * inner_; }
  /// Scores and weighted sums of so many queries; their gradients cost 2.5 times as much.
  [[nodiscard]] double attention(double queries) const { return 4 * queries * size_.tree * width_; }
  [[nodiscard]] double last_layer() const {
    const double at_tokens = 2 * size_.tokens * 2 * narrow_,
                 at_rows = 2 * size_.rows * (2 * square_ + 3 * inner_);
    return 2 * (at_tokens + at_rows) + 3.5 * attention(size_.rows);
  }

  BatchSize size_;
  int layers_;
  double width_, narrow_, square_, inner_,
      words_;  // C; parameters of k_proj, q_proj, gate_proj and the output
};

}  // namespace headsweep::bench
