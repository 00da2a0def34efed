// eval: K lanes of edits in, metrics and per-question items out: generation, judge, multiple choice, drift.
// Level 3. Knows nothing of ranks or files.
#pragma once

#include <functional>
#include <headsweep/data.hpp>
#include <headsweep/job.hpp>
#include <headsweep/model.hpp>
#include <headsweep/record.hpp>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace headsweep {

/// An answer to a question of the behaviour.
struct Reply {
  int question = 0;
  std::string answer;
  auto operator<=>(const Reply&) const = default;
};
/// Says whether answers are true and informative. A verdict hangs on its question and answer alone, to the
/// bit.
class Judge {
 public:
  virtual ~Judge() = default;
  /// In the order of the replies. `tick` is called between forward calls, may throw, may be empty.
  virtual std::vector<Verdict> judge(const std::vector<Reply>& replies,
                                     const std::function<void()>& tick) = 0;
};
/// By the references, or nobody (then `refused` alone is known).
std::shared_ptr<Judge> make_judge(const Behaviour& behaviour, JudgeKind kind);

/// Where verdicts of this judge come from and go to, by a name of question and answer; both may be empty.
struct VerdictExchange {
  std::function<std::unordered_map<std::string, Verdict>()> news;
  std::function<void(const std::unordered_map<std::string, Verdict>&)> put;
};
/// Asks `judge` only for what neither it nor another has judged before.
std::shared_ptr<Judge> make_remembering_judge(const Behaviour& behaviour, std::shared_ptr<Judge> judge,
                                              VerdictExchange exchange = {});

/// A model that judges, with what it is asked. All that is named must outlive the judge.
struct JudgeModel {
  const Weights& weights;
  const Tokenizer& tokenizer;
  const JudgePrompt& asked;
};
/// P(yes) and P(no) are the probabilities of the two words' tokens after the filled prompt: of those that
/// follow what the tokens of prompt and of prompt + word have in common. `info` may be null. An answer that
/// the judge cannot read (too long, no tokens for it) gets NaN.
std::shared_ptr<Judge> make_model_judge(const Behaviour& behaviour, const JudgeSpec& spec,
                                        const JudgeModel& truth, const JudgeModel* info);
/// BadInput unless the judge can read every question with an answer of so many tokens.
void check_judge(const Behaviour& behaviour, const JudgePrompt& asked, const Tokenizer& tokenizer,
                 const ModelConfig& config, int answer_tokens);
/// All answers that the behaviour gives, question by question: correct, refusals, incorrect.
std::vector<Reference> references_of(const Behaviour& behaviour);

/// Words as the Whitespace pre-tokenizer cuts them (runs of word characters, runs of other visible
/// characters), joined by single spaces, up to and with the first '.', '!' or '?'.
std::string normalised_sentence(const std::string& text);
/// Exact judge: the normalised first sentence is in correct: truthful and informative; in refusals: truthful
/// only; in incorrect: informative only; else neither.
Verdict judge_exact(const Question& question, const std::string& answer);

/// An edit, of one lane, whose answers and predictions others are measured against.
struct Teacher {
  LaneEdits edits;
  EditFrom from = EditFrom::all;  ///< the token from which it acts
};

/// Questions, references and running text of one fold, packed once and used by every block; with what the
/// unedited model and, if there is one, the teacher answer and predict, which drift is measured against.
class Evaluation {
 public:
  struct Inputs {
    const Weights& weights;
    const Tokenizer& tokenizer;
    const Behaviour& behaviour;
    const std::vector<std::vector<int>>& prompts;  ///< to answer, of all questions; empty if none is answered
    const std::vector<TokenizedQuestion>&
        choices;  ///< of all questions; empty if there is no multiple choice
    const Split& split;
    const std::vector<std::vector<int>>& documents;  ///< running text, each of two tokens or more
    const JobSpec& job;
    std::shared_ptr<Judge> judge;
    const Teacher* teacher = nullptr;  ///< gives kl_teacher, where drift is measured; null: none
    bool keeps_prefixes = true;        ///< see PrefixMemo
  };
  explicit Evaluation(const Inputs& inputs);
  ~Evaluation();
  Evaluation(const Evaluation&) = delete;

  /// The scores of one lane.
  struct Result {
    Metrics validation, test;
    std::vector<Item>
        items;  ///< of the validation questions, then of the test questions, as the split has them
  };
  /// Measures K lanes; `from` says from which token on the edits act. loss and margin are left to the caller.
  [[nodiscard]] std::vector<Result> measure(const LaneEdits& edits, EditFrom from,
                                            const std::function<void()>& tick) const;
  /// The unedited model, measured by the same calls.
  [[nodiscard]] Result baseline() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Texts that mark the answer in what was generated; an empty one marks nothing.
struct AnswerMarks {
  std::string after, before;
};
/// The answer in a generated text, as the code of inference-time intervention cuts it (Li et al., arXiv
/// 2306.03341): all from the first `before` on falls away; of the rest what follows the first `after`, up to
/// the next one, or all of it if there is none. Without blanks at the ends, at each step.
std::string cut_answer(std::string_view text, const AnswerMarks& marks);
/// Whether no text that comes behind it can change the cut of this one.
bool cut_is_final(std::string_view text, const AnswerMarks& marks);

struct GenerateOptions {
  int max_new_tokens = 50;
  std::string stop;        ///< an answer ends after the token that completes this text; empty: never
  AnswerMarks marks = {};  ///< an answer ends, too, as soon as its cut is final
  EditFrom from = EditFrom::all;
  int questions = 48;               ///< prompts at once; part of what fixes the bits
  std::function<void()> tick = {};  ///< called between tokens, may throw; may be empty
};
/// As a job has its questions answered; `from` is left to the caller.
GenerateOptions generate_options(const EvaluationSpec& spec);
struct Answer {
  std::vector<int> ids;  ///< as generated, without the end token
  std::string text;      ///< of the ids, cut after `stop` and by the marks
  int end = -1;          ///< the model's token that ended it; -1: none did
};
/// Greedy answers of K lanes to prompts: [K][N], ended by the end token, after `stop`, by the marks, or at
/// `max_new_tokens`.
std::vector<std::vector<Answer>> generate(const Weights& weights, const Tokenizer& tokenizer,
                                          const std::vector<std::vector<int>>& prompts,
                                          const LaneEdits& edits, const GenerateOptions& options);

/// MC1 (best answer strictly above all incorrect), MC2 (exp-normalised mass on correct), MC3 (share of
/// correct above all incorrect) from log-probabilities in nats; `correct` holds `best` at index `best`.
/// TruthfulQA, arXiv 2109.07958.
struct Choice {
  float mc1 = 0, mc2 = 0, mc3 = 0;
};
Choice multiple_choice(const std::vector<double>& correct, const std::vector<double>& incorrect, int best);

/// Share of an answer's bigrams that repeat an earlier one of the same answer; 0 for fewer than two.
float repetition(const std::vector<int>& ids);

}  // namespace headsweep
