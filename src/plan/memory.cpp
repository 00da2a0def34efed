// plan: bytes of weights, of prefixes and of a block's lanes. What stands at the same time at a block's
// largest moment, by the tensors that src/model keeps: checked against measured peaks by tests/bench.
#include "plan/workload.hpp"

namespace headsweep {
namespace {

double low_bytes(const JobSpec& job) { return job.model.precision == Precision::bf16 ? 2 : 4; }

/// Widths of the model's tensors.
struct Widths {
  explicit Widths(const ModelShape& shape)
      : hidden(shape.hidden),
        outputs(static_cast<double>(shape.heads) * shape.head_dim),
        keys(2.0 * shape.kv_heads * shape.head_dim),
        inner(shape.intermediate),
        heads(shape.heads) {}
  double hidden, outputs, keys, inner, heads;  ///< E, C, 2 KV D, F, H
};

/// What a layer leaves for the backward, of one token of one lane.
double taped_token(const Widths& w, double low) {
  return low * (2 * w.hidden + 2 * w.outputs + w.keys + 2 * w.inner) + 4 * (w.heads + 2);
}
/// What stands while a layer is run, of one token of one lane: stream, norm, the MLP's states.
double running_token(const Widths& w, double low) {
  return 4 * w.hidden + low * (2 * w.hidden + 3 * w.inner);
}

constexpr double most_logits = 1 << 24;  // numbers at once, as src/model/answers.cpp
double logits_bytes(double rows, double words, double low) {
  return low * std::min(rows * words, std::max(most_logits, words));
}

double training_bytes(const JobSpec& job, const ModelShape& shape, const Workload& work) {
  const Widths w(shape);
  const double low = low_bytes(job);
  const Texts texts = work.training();
  const double tokens = job.training.batch * texts.tokens, rows = job.training.batch * texts.rows;
  const double above = std::max(0, shape.layers - 2);
  const double tape = (above * tokens + rows) * taped_token(w, low);
  const double backward = tokens * (8 * w.hidden + low * (2 * w.hidden + 2 * w.outputs + w.keys + w.inner));
  return tape + std::max(backward, logits_bytes(rows, shape.vocab, low) + rows * 2 * low * w.hidden);
}

double evaluation_bytes(const JobSpec& job, const ModelShape& shape, const DataSize& data,
                        const Workload& work) {
  const Widths w(shape);
  const double low = low_bytes(job);
  const double call = std::max<double>(tokens_a_call, work.choices(SplitPart::test).tokens);
  const double running =
      call * (running_token(w, low) + low * (2 * w.outputs + w.keys)) + logits_bytes(call, shape.vocab, low);
  const double questions =
      std::min<double>(job.evaluation.questions, data.val_questions + data.test_questions);
  const double context = data.prompt_tokens + job.evaluation.max_new_tokens;
  const double writing =
      questions * (low * shape.layers * w.keys * context + low * shape.vocab + running_token(w, low));
  return std::max(running, writing);
}

/// Tokens whose states below the first edited layer are kept: of training, pairs, choices, answers and
/// running text.
double kept_tokens(const JobSpec& job, const DataSize& data, const Workload& work) {
  const auto tokens = [](const Texts& texts) { return texts.count * texts.tokens; };
  double kept = tokens(work.training());
  for (const SplitPart part : job.evaluation.pairs) kept += tokens(work.pairs(part));
  for (const SplitPart part : job.evaluation.choice) kept += tokens(work.choices(part));
  for (const SplitPart part : job.evaluation.drift) kept += tokens(work.answered(part));
  return kept + (job.evaluation.drift.empty() ? 0 : data.text_tokens);
}

}  // namespace

MemoryAccount account_memory(const JobSpec& job, const ModelShape& shape, const DataSize& data, bool tied) {
  const Widths w(shape);
  const Workload work(job, data);
  const double low = low_bytes(job);
  const double layer = w.hidden * (2 * w.outputs + w.keys + 3 * w.inner);
  const double words = static_cast<double>(shape.vocab) * w.hidden;
  MemoryAccount account;
  account.weights = low * (shape.layers * layer + (tied ? 1 : 2) * words) + 4 * w.hidden;
  account.prefixes = kept_tokens(job, data, work) * (low * w.outputs + 4 * w.hidden);
  account.lane = std::max(training_bytes(job, shape, work), evaluation_bytes(job, shape, data, work));
  return account;
}

int lanes_that_fit(const MemoryAccount& account, double bytes) {
  return static_cast<int>(std::clamp(bytes / account.lane, 1.0, 4096.0));
}

}  // namespace headsweep
