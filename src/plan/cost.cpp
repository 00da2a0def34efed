// plan: FLOPs and bytes of a block, from the shapes of model and data. Estimates: they order the draw of
// blocks and tell the user what to expect; no result hangs on them.
#include <algorithm>
#include <headsweep/plan.hpp>

namespace headsweep {
namespace {

/// Texts that run through the model together.
struct Texts {
  double count = 0;   ///< number of texts
  double tokens = 0;  ///< of each, the prompt once
  double rows = 0;    ///< of each: tokens whose logits are needed
};

/// What the job does with the data, as texts.
class Workload {
 public:
  Workload(const JobSpec& job, const DataSize& data) : job_(job), data_(data) {}

  [[nodiscard]] double questions(SplitPart part) const {
    return part == SplitPart::val ? data_.val_questions : data_.test_questions;
  }
  [[nodiscard]] Texts pairs(double count) const {
    return {count, data_.prompt_tokens + 2 * data_.answer_tokens, 2 * data_.answer_tokens};
  }
  [[nodiscard]] Texts pairs(SplitPart part) const { return pairs(questions(part) * pairs_of_question()); }
  [[nodiscard]] Texts prompts(SplitPart part) const { return {questions(part), data_.prompt_tokens, 1}; }
  [[nodiscard]] double new_tokens() const {
    return std::min<double>(job_.evaluation.max_new_tokens, data_.answer_tokens);
  }
  [[nodiscard]] Texts choices(SplitPart part) const {
    const double answers = data_.answers_per_question * data_.answer_tokens;
    return {questions(part), data_.prompt_tokens + answers, answers};
  }
  [[nodiscard]] Texts answered(SplitPart part) const {
    return {questions(part), data_.prompt_tokens + data_.answer_tokens, data_.answer_tokens};
  }
  [[nodiscard]] Texts documents() const {
    const double tokens = job_.behaviour.text_tokens;
    return {data_.text_tokens / tokens, tokens, tokens};
  }

 private:
  /// Half of the answers are taken to be correct.
  [[nodiscard]] double pairs_of_question() const {
    const double half = data_.answers_per_question / 2;
    const double all = job_.training.pairs == PairRule::cross ? half * half : half;
    const int most = job_.training.pairs_per_question;
    return most > 0 ? std::min<double>(most, all) : all;
  }

  const JobSpec& job_;
  const DataSize& data_;
};

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
    cost += job.training.epochs * flops.train(work.pairs(data.train_pairs)) +
            flops.forward(work.pairs(SplitPart::val));
  return cost;
}

double weight_bytes(const ModelShape& shape, bool tied) {
  const double width = static_cast<double>(shape.heads) * shape.head_dim;
  const double narrow = static_cast<double>(shape.kv_heads) * shape.head_dim;
  const double layer =
      2 * shape.hidden * (width + narrow) + 3.0 * shape.hidden * shape.intermediate + 2.0 * shape.hidden;
  const double words = static_cast<double>(shape.vocab) * shape.hidden;
  return 4 * (shape.layers * layer + (tied ? 1 : 2) * words + shape.hidden);
}

double block_bytes(const JobSpec& job, const ModelShape& shape, const DataSize& data) {
  const Workload work(job, data);
  const double width = static_cast<double>(shape.heads) * shape.head_dim;
  const double narrow = static_cast<double>(shape.kv_heads) * shape.head_dim;
  // Of one token of one lane in one layer: states, queries to outputs, the MLP's three inner states,
  // attention's weights.
  const auto token = [&](double context) {
    return 4.0 * shape.hidden + 2 * width + 2 * narrow + 3.0 * shape.intermediate + shape.heads * context;
  };
  const auto logits = [&](double rows) {
    return 2 * rows * shape.vocab;
  };  // and their logarithms or gradients

  const Texts pair = work.pairs(1.0);
  const double training =
      job.training.batch * (shape.layers * pair.tokens * token(pair.tokens) + logits(pair.rows));
  // Without gradients one layer's states live at a time; generation keeps keys and values of all layers.
  const double questions = job.evaluation.questions;
  const Texts choice = work.choices(SplitPart::test);
  const double choosing = questions * (choice.tokens * token(choice.tokens) + logits(choice.rows));
  const double context = data.prompt_tokens + job.evaluation.max_new_tokens;
  const double writing = questions * (2 * shape.layers * narrow * context + logits(1));
  return 4 * job.run.lanes * std::max({training, choosing, writing});
}

}  // namespace headsweep
