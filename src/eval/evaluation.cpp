// eval: measures K lanes on one fold: answers, multiple choice, drift; then means over questions.
#include <map>
#include <span>
#include <utility>

#include "eval/batches.hpp"
#include "eval/drift.hpp"
#include "eval/generate.hpp"

namespace headsweep {
namespace {

using Items = std::vector<std::vector<Item>>;  ///< [K][places of the material]
using Tick = std::function<void()>;

void call(const Tick& tick) {
  if (tick) tick();
}

std::vector<std::vector<Answer>> answer_questions(const Evaluation::Inputs& inputs,
                                                  const std::vector<TokenBatch>& prompts,
                                                  const LaneEdits& edits, const Tick& tick) {
  GenerateOptions options = generate_options(inputs.job.evaluation);
  options.tick = tick;
  return answer_prompts(inputs.weights, inputs.tokenizer, prompts, edits, options);
}

/// Final normed states of the lanes: [K, R, E].
at::Tensor edited_states(PrefixMemo& prefixes, const TokenBatch& batch, const LaneEdits& edits) {
  const Weights& weights = prefixes.weights();
  return run_lanes(weights, batch, prefixes.at(batch, edits.first_layer(weights.config.layers)), edits);
}

/// Scores a question by the log-probabilities of its references, in the order of its tree; returns their end.
const double* put_choice(const TokenizedQuestion& question, const double* log_prob, Item& item) {
  const double* incorrect = log_prob + question.correct.size() + question.refusals.size();
  const double* end = incorrect + question.incorrect.size();
  const Choice choice = multiple_choice({log_prob, incorrect}, {incorrect, end}, question.best);
  item.mc1 = choice.mc1;
  item.mc2 = choice.mc2;
  item.mc3 = choice.mc3;
  return end;
}

/// Per lane, means over documents: nats per token.
struct TextDrift {
  std::vector<double> kl, cross_entropy;
};

TextDrift measure_text(PrefixMemo& prefixes, const Batches& batches, const LaneEdits& edits,
                       const Tick& tick) {
  const auto lanes = static_cast<std::size_t>(edits.lanes);
  TextDrift total{.kl = std::vector<double>(lanes, 0.0), .cross_entropy = std::vector<double>(lanes, 0.0)};
  double count = 0;
  for (std::size_t i = 0; i < batches.documents.batches.size(); ++i) {
    const TokenBatch& batch = batches.documents.batches[i];
    const Drift drift = measure_drift(prefixes.weights(), batch, batches.documents.states[i],
                                      edited_states(prefixes, batch, edits));
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      for (const double kl : drift.kl[lane]) total.kl[lane] += kl;
      for (const double entropy : drift.cross_entropy[lane]) total.cross_entropy[lane] += entropy;
    }
    count += batch.answers;
    call(tick);
  }
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    total.kl[lane] /= count;
    total.cross_entropy[lane] /= count;
  }
  return total;
}

/// Means over items; NaN where there is none, or where one was not measured.
Metrics mean_metrics(std::span<const Item> items) {
  const auto mean = [&](const auto& value_of) {
    double total = 0;
    for (const Item& item : items) total += value_of(item);
    return static_cast<float>(total / static_cast<double>(items.size()));
  };
  Metrics metrics;
  set_judged_means(items, metrics);
  metrics.mc1 = mean([](const Item& item) { return item.mc1; });
  metrics.mc2 = mean([](const Item& item) { return item.mc2; });
  metrics.mc3 = mean([](const Item& item) { return item.mc3; });
  metrics.kl_answer = mean([](const Item& item) { return item.kl_answer; });
  metrics.kl_teacher = mean([](const Item& item) { return item.kl_teacher; });
  return metrics;
}

}  // namespace

struct Evaluation::State {
  Inputs inputs;
  Material material;
  std::map<EditFrom, Batches> packed;
  mutable PrefixMemo prefixes;

  explicit State(const Inputs& given)
      : inputs(given), material(gather_material(given)), prefixes(given.weights, given.keeps_prefixes) {
    material.own_answers = answer_drifted(LaneEdits{}, EditFrom::all);
    if (inputs.teacher != nullptr)
      material.taught_answers = answer_drifted(inputs.teacher->edits, inputs.teacher->from);
  }

  /// Greedy answers of one lane at the places of drift, with their end tokens.
  [[nodiscard]] std::vector<std::vector<int>> answer_drifted(const LaneEdits& edits, EditFrom from) const {
    std::vector<std::vector<int>> ids;
    const auto prompts = pack_places(inputs, material, material.drifted, from);
    auto answers = answer_questions(inputs, prompts, edits, Tick{});
    for (Answer& answer : answers.front()) {
      ids.push_back(std::move(answer.ids));
      if (answer.end >= 0) ids.back().push_back(answer.end);
    }
    return ids;
  }

  const Batches& batches(EditFrom from) {
    const auto found = packed.find(from);
    if (found != packed.end()) return found->second;
    return packed.emplace(from, pack_material(inputs, material, from)).first->second;
  }

  Items measure_items(const Batches& ready, const LaneEdits& edits, const Tick& tick) const {
    Items items(static_cast<std::size_t>(edits.lanes), std::vector<Item>(material.questions.size()));
    put_answers(answer_questions(inputs, ready.prompts, edits, tick), items);
    judge_answers(tick, items);
    put_choices(ready.references, edits, tick, items);
    put_drift(ready.own_answers, edits, &Item::kl_answer, tick, items);
    put_drift(ready.taught_answers, edits, &Item::kl_teacher, tick, items);
    return items;
  }

  void put_answers(std::vector<std::vector<Answer>> answers, Items& items) const {
    for (std::size_t lane = 0; lane < items.size(); ++lane)
      for (std::size_t i = 0; i < material.asked.size(); ++i) {
        Item& item = items[lane][material.asked[i]];
        item.answer = std::move(answers[lane][i].text);
        item.repetition = repetition(answers[lane][i].ids);
        item.empty = item.answer.empty();
      }
  }

  /// The answers of all lanes together.
  void judge_answers(const Tick& tick, Items& items) const {
    std::vector<Reply> replies;
    for (const std::vector<Item>& lane : items)
      for (const std::size_t place : material.asked)
        replies.push_back({.question = material.questions[place], .answer = lane[place].answer});
    const std::vector<Verdict> verdicts = inputs.judge->judge(replies, tick);
    auto verdict = verdicts.begin();
    for (std::vector<Item>& lane : items)
      for (const std::size_t place : material.asked) static_cast<Verdict&>(lane[place]) = *verdict++;
  }

  void put_choices(const std::vector<TokenBatch>& batches, const LaneEdits& edits, const Tick& tick,
                   Items& items) const {
    std::size_t first = 0;  // of the batch's questions in `chosen`
    for (const TokenBatch& batch : batches) {
      const at::Tensor log_probs =
          answer_log_probs(inputs.weights, batch, edited_states(prefixes, batch, edits))
              .to(at::kCPU, at::kDouble)
              .contiguous();
      const double* log_prob = log_probs.const_data_ptr<double>();
      const std::size_t end = first + static_cast<std::size_t>(batch.trees);
      for (std::vector<Item>& lane : items)
        for (std::size_t i = first; i < end; ++i) {
          const std::size_t place = material.chosen[i];
          log_prob = put_choice(choice_at(inputs, material, place), log_prob, lane[place]);
        }
      first = end;
      call(tick);
    }
  }

  void put_drift(const Followed& followed, const LaneEdits& edits, float Item::*kl, const Tick& tick,
                 Items& items) const {
    auto place = material.drifted.begin();
    for (std::size_t b = 0; b < followed.batches.size(); ++b) {
      const TokenBatch& batch = followed.batches[b];
      const Drift drift =
          measure_drift(inputs.weights, batch, followed.states[b], edited_states(prefixes, batch, edits));
      for (std::size_t lane = 0; lane < items.size(); ++lane)
        for (std::ptrdiff_t i = 0; i < batch.trees; ++i)
          items[lane][place[i]].*kl = static_cast<float>(drift.kl[lane][static_cast<std::size_t>(i)]);
      place += batch.trees;
      call(tick);
    }
  }

  Result summarise(std::vector<Item> items) const {
    const auto first_test = items.begin() + static_cast<std::ptrdiff_t>(material.validation);
    return {.validation = mean_metrics({items.begin(), first_test}),
            .test = mean_metrics({first_test, items.end()}),
            .items = std::move(items)};
  }

  /// Drift on running text belongs to no question: it stands with each part that asks for drift.
  void put_text(const TextDrift& drift, std::size_t lane, Result& result) const {
    for (const SplitPart part : inputs.job.evaluation.drift) {
      Metrics& metrics = part == SplitPart::val ? result.validation : result.test;
      metrics.kl_text = static_cast<float>(drift.kl[lane]);
      metrics.ce_text = static_cast<float>(drift.cross_entropy[lane]);
    }
  }
};

Evaluation::Evaluation(const Inputs& inputs) : state_(std::make_unique<State>(inputs)) {}

Evaluation::~Evaluation() = default;

std::vector<Evaluation::Result> Evaluation::measure(const LaneEdits& edits, EditFrom from,
                                                    const Tick& tick) const {
  const Batches& batches = state_->batches(from);
  Items items = state_->measure_items(batches, edits, tick);
  const TextDrift text = measure_text(state_->prefixes, batches, edits, tick);
  std::vector<Result> results;
  for (std::size_t lane = 0; lane < items.size(); ++lane) {
    Result result = state_->summarise(std::move(items[lane]));
    if (!batches.documents.batches.empty()) state_->put_text(text, lane, result);
    results.push_back(std::move(result));
  }
  return results;
}

Evaluation::Result Evaluation::baseline() const {
  return measure(LaneEdits{}, EditFrom::all, Tick{}).front();
}

}  // namespace headsweep
