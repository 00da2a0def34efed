// eval: greedy generation of K lanes x N prompts, one transfer to the host a token.
#include "eval/generate.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>

namespace headsweep {
namespace {

/// Takes the tokens of all rows (lane by lane, prompt by prompt) and ends each answer where it ends.
class Listener {
 public:
  Listener(const Tokenizer& tokenizer, const std::vector<int>& ends, const GenerateOptions& options,
           std::size_t rows)
      : tokenizer_(tokenizer), ends_(ends), options_(options), answers_(rows), going_(rows) {
    std::iota(going_.begin(), going_.end(), 0);
  }

  /// Takes the newest token of each row that goes on.
  void hear(const at::Tensor& ids /* int64 [n] */) {
    const at::Tensor on_host = ids.to(at::kCPU).contiguous();
    const auto* id = on_host.const_data_ptr<std::int64_t>();
    std::vector<std::size_t> still;
    kept_.clear();
    for (std::size_t i = 0; i < going_.size(); ++i) {
      if (ends_with(answers_[going_[i]], static_cast<int>(id[i]))) continue;
      kept_.push_back(static_cast<std::int64_t>(i));
      still.push_back(going_[i]);
    }
    going_ = std::move(still);
  }
  /// The rows that go on, counted among those just heard.
  [[nodiscard]] const std::vector<std::int64_t>& kept() const { return kept_; }
  [[nodiscard]] bool all_finished() const { return going_.empty(); }

  /// [K][N]; the answers still going are taken as they stand.
  std::vector<std::vector<Answer>> finish(std::size_t lanes) {
    for (Answer& answer : answers_) {
      if (answer.text.empty()) answer.text = tokenizer_.decode(answer.ids);
      answer.text = cut_answer(answer.text, options_.marks);
    }
    std::vector<std::vector<Answer>> by_lane(lanes);
    const std::size_t prompts = answers_.size() / lanes;
    for (std::size_t row = 0; row < answers_.size(); ++row)
      by_lane[row / prompts].push_back(std::move(answers_[row]));
    return by_lane;
  }

 private:
  bool ends_with(Answer& answer, int id) const {
    if (std::find(ends_.begin(), ends_.end(), id) != ends_.end()) {
      answer.end = id;
      return true;
    }
    answer.ids.push_back(id);
    const AnswerMarks& marks = options_.marks;
    if (options_.stop.empty() && marks.after.empty() && marks.before.empty()) return false;
    std::string text = tokenizer_.decode(answer.ids);
    const std::size_t at = options_.stop.empty() ? std::string::npos : text.find(options_.stop);
    if (at != std::string::npos)
      text.resize(at + options_.stop.size());
    else if (!cut_is_final(text, marks))
      return false;
    answer.text = std::move(text);
    return true;
  }

  const Tokenizer& tokenizer_;
  const std::vector<int>& ends_;
  const GenerateOptions& options_;
  std::vector<Answer> answers_;
  std::vector<std::size_t> going_;  ///< rows that have not ended
  std::vector<std::int64_t> kept_;
};

/// Lets the listener hear the answers to one batch.
void answer_batch(const Weights& weights, const TokenBatch& prompts, const LaneEdits& edits,
                  const GenerateOptions& options, Listener& listener) {
  Decoder decoder(weights, prompts, edits, options.max_new_tokens - 1);
  for (int token = 1;; ++token) {
    const at::Tensor ids = decoder.logits().argmax(-1);  // [n]
    listener.hear(ids);
    if (options.tick) options.tick();
    if (listener.all_finished() || token >= options.max_new_tokens) return;
    const auto& kept = listener.kept();
    if (static_cast<std::int64_t>(kept.size()) == ids.size(0)) {
      decoder.step(ids);
      continue;
    }
    decoder.keep(kept);
    decoder.step(ids.index_select(0, at::tensor(kept, at::kLong).to(ids.device())));
  }
}

}  // namespace

std::vector<TokenBatch> pack_prompts(const std::vector<std::vector<int>>& prompts, EditFrom from, int batch,
                                     at::Device device) {
  std::vector<TokenBatch> batches;
  std::vector<TokenTree> trees;
  for (const std::vector<int>& prompt : prompts) {
    trees.push_back({.prompt = prompt,
                     .answers = {},
                     .edit_start = edit_start(from, Purpose::generation, static_cast<int>(prompt.size()))});
    if (trees.size() < static_cast<std::size_t>(batch) && &prompt != &prompts.back()) continue;
    batches.push_back(pack(trees, Keep::last, device, Starts::joined));
    trees.clear();
  }
  return batches;
}

std::vector<std::vector<Answer>> answer_prompts(const Weights& weights, const Tokenizer& tokenizer,
                                                const std::vector<TokenBatch>& batches,
                                                const LaneEdits& edits, const GenerateOptions& options) {
  std::vector<std::vector<Answer>> answers(static_cast<std::size_t>(edits.lanes));
  for (const TokenBatch& batch : batches) {
    const std::size_t rows = answers.size() * static_cast<std::size_t>(batch.trees);
    Listener listener(tokenizer, weights.config.ends, options, rows);
    answer_batch(weights, batch, edits, options, listener);
    auto more = listener.finish(answers.size());
    for (std::size_t lane = 0; lane < answers.size(); ++lane)
      std::move(more[lane].begin(), more[lane].end(), std::back_inserter(answers[lane]));
  }
  return answers;
}

GenerateOptions generate_options(const EvaluationSpec& spec) {
  return {.max_new_tokens = spec.max_new_tokens,
          .stop = spec.stop,
          .marks = {.after = spec.answer_after, .before = spec.answer_before},
          .questions = spec.questions};
}

std::vector<std::vector<Answer>> generate(const Weights& weights, const Tokenizer& tokenizer,
                                          const std::vector<std::vector<int>>& prompts,
                                          const LaneEdits& edits, const GenerateOptions& options) {
  const auto batches = pack_prompts(prompts, options.from, options.questions, weights.device());
  return answer_prompts(weights, tokenizer, batches, edits, options);
}

}  // namespace headsweep
