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

/// Logits stand for a few lanes at a time, of which there are about 2^22 (src/model/answers.cpp).
double logits_bytes(double rows, double words, double low) { return low * std::max(4.2e6, rows * words); }

/// Of a lane, while a step is trained.
double training_bytes(const JobSpec& job, const ModelShape& shape, const Texts& texts) {
  const Widths w(shape);
  const double low = low_bytes(job);
  const double tokens = job.training.batch * texts.tokens, rows = job.training.batch * texts.rows;
  const double above = std::max(0, shape.layers - 2);
  const double tape = (above * tokens + rows) * taped_token(w, low);
  const double backward = tokens * (8 * w.hidden + low * (2 * w.hidden + 2 * w.outputs + w.keys + w.inner));
  return tape + std::max(backward, rows * 2 * low * w.hidden);
}

/// Of a lane: the matrices of attention of a call, which GPUs make.
double attention_bytes(const JobSpec& job, const ModelShape& shape, double call, double clump) {
  return job.model.device == Device::cpu ? 0 : low_bytes(job) * shape.heads * call * clump;
}

/// Of a lane, while given answers are scored: a layer's states.
double scoring_bytes(const JobSpec& job, const ModelShape& shape, double tokens) {
  const Widths w(shape);
  const double low = low_bytes(job);
  return tokens * (running_token(w, low) + low * (2 * w.outputs + w.keys));
}

/// Of a lane, while it answers: the prompts' heads of all layers stay, and room for those of new tokens.
double writing_bytes(const JobSpec& job, const ModelShape& shape, const DataSize& data) {
  const Widths w(shape);
  const double low = low_bytes(job);
  const double questions =
      std::min<double>(job.evaluation.questions, data.val_questions + data.test_questions);
  const double prompt = low * shape.layers * (w.outputs + w.keys) + running_token(w, low);
  const double answer = low * (shape.layers * w.keys * job.evaluation.max_new_tokens + shape.vocab);
  const double own = data.generation_tokens - data.generation_shared;
  return data.generation_shared * prompt + questions * (own * prompt + answer);
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

double weight_bytes(const ModelShape& shape, double low, bool tied) {
  const Widths w(shape);
  const double layer = w.hidden * (2 * w.outputs + w.keys + 3 * w.inner);
  const double words = static_cast<double>(shape.vocab) * w.hidden;
  return low * (shape.layers * layer + (tied ? 1 : 2) * words) + 4 * w.hidden;
}

/// Of all judges, which stay, and of one call of the largest.
double judge_bytes(const JobSpec& job, const DataSize& data) {
  const double low = low_bytes(job);
  double weights = 0, call = 0;
  for (const JudgeSize& judge : data.judges) {
    weights += weight_bytes(judge.shape, low, judge.tied);
    const double texts = job.evaluation.judge.texts;
    call = std::max(call, scoring_bytes(job, judge.shape, judge.call_tokens) +
                              low * texts * static_cast<double>(judge.shape.vocab));
  }
  return weights + call;
}

}  // namespace

MemoryAccount account_memory(const JobSpec& job, const ModelShape& shape, const DataSize& data, bool tied) {
  const Widths w(shape);
  const Workload work(job, data);
  const double low = low_bytes(job);
  MemoryAccount account;
  account.weights = weight_bytes(shape, low, tied);
  account.judges = judge_bytes(job, data);
  account.prefixes = kept_tokens(job, data, work) * (low * w.outputs + 4 * w.hidden);
  const double call = std::max<double>(tokens_a_call, work.choices(SplitPart::test).call);
  const Texts texts = work.training(), choices = work.choices(SplitPart::test),
              prompts = work.prompts(SplitPart::test);
  account.lane =
      std::max({training_bytes(job, shape, texts),
                scoring_bytes(job, shape, call) + attention_bytes(job, shape, choices.call, choices.clump),
                writing_bytes(job, shape, data) + attention_bytes(job, shape, prompts.call, prompts.clump)});
  const double logits = logits_bytes(std::max(call, job.training.batch * texts.rows), shape.vocab, low);
  account.block = logits * (job.evaluation.drift.empty() ? 1 : 2);  // KL needs the unedited ones, too
  return account;
}

bool keeps_prefixes(const JobSpec& job, const MemoryAccount& account, double bytes) {
  return job.run.prefixes == Prefixes::kept ||
         (job.run.prefixes == Prefixes::automatic && account.prefixes < bytes / 2);
}

int lanes_that_fit(const MemoryAccount& account, double bytes) {
  return static_cast<int>(std::clamp((bytes - account.block) / account.lane, 1.0, 4096.0));
}

}  // namespace headsweep
