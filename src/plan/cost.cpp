// plan: FLOPs of a block, from the shapes of model and data. Estimates: they order the draw of blocks and
// tell the user what to expect; no result hangs on them.
#include "plan/workload.hpp"

namespace headsweep {
namespace {

/// FLOPs of K lanes edited from one layer on.
class FlopCount {
 public:
  FlopCount(const ModelShape& shape, int first_layer, double lanes)
      : layers_(shape.layers), first_(first_layer), lanes_(lanes) {
    const double width = static_cast<double>(shape.heads) * shape.head_dim;
    const double narrow = static_cast<double>(shape.kv_heads) * shape.head_dim;
    attention_weights_ = 2 * shape.hidden * (width + narrow);
    mlp_weights_ = 3.0 * shape.hidden * shape.intermediate;
    output_weights_ = static_cast<double>(shape.hidden) * shape.vocab;
    width_ = width;
  }

  /// Layers below the edit once for all lanes, the rest per lane.
  [[nodiscard]] double forward(const Texts& texts) const { return once(texts) + per_lane(texts); }
  /// The gradients of activations cost as much as the forward; weights get none.
  [[nodiscard]] double train(const Texts& texts) const { return once(texts) + 2 * per_lane(texts); }
  /// Token by token after the prompts: each lane writes its own, so that no layer is shared.
  [[nodiscard]] double generate(const Texts& prompts, double new_tokens) const {
    const double context = prompts.tokens + new_tokens;
    const double token = layers_ * (attention(context) + mlp()) + 2 * output_weights_;
    return forward(prompts) + lanes_ * prompts.count * new_tokens * token;
  }

 private:
  // Of one token in one layer.
  [[nodiscard]] double attention(double context) const {
    return 2 * attention_weights_ + 4 * width_ * context;
  }
  [[nodiscard]] double mlp() const { return 2 * mlp_weights_; }

  [[nodiscard]] double once(const Texts& texts) const {
    return texts.count * texts.tokens *
           (first_ * (attention(texts.tokens) + mlp()) + attention(texts.tokens));
  }
  [[nodiscard]] double per_lane(const Texts& texts) const {
    const double above = layers_ - first_ - 1;
    const double token = mlp() + above * (attention(texts.tokens) + mlp());
    return lanes_ * texts.count * (texts.tokens * token + texts.rows * 2 * output_weights_);
  }

  double layers_, first_, lanes_;
  double attention_weights_ = 0, mlp_weights_ = 0, output_weights_ = 0, width_ = 0;
};

double evaluation_cost(const JobSpec& job, const Workload& work, const FlopCount& flops) {
  const EvaluationSpec& spec = job.evaluation;
  double cost = 0;
  for (const SplitPart part : spec.answers) cost += flops.generate(work.prompts(part), work.new_tokens());
  for (const SplitPart part : spec.choice) cost += flops.forward(work.choices(part));
  for (const SplitPart part : spec.drift) cost += flops.forward(work.answered(part));
  if (!spec.drift.empty()) cost += flops.forward(work.documents());
  for (const SplitPart part : spec.pairs) cost += flops.forward(work.pairs(part));
  return cost;
}

}  // namespace

double block_cost(const JobSpec& job, const ModelShape& shape, const DataSize& data, const Plan& plan,
                  const Block& block) {
  const Trial& trial = plan.at(block.trials.at(0));
  const FlopCount flops(shape, plan.at(trial.location).first_layer(),
                        static_cast<double>(block.trials.size()));
  const Workload work(job, data);
  double cost = evaluation_cost(job, work, flops);
  if (trial.edit != EditKind::iti)
    cost += job.training.epochs * flops.train(work.training()) + flops.forward(work.pairs(SplitPart::val));
  return cost;
}

}  // namespace headsweep
