// data: the behaviour's texts as token ids, checked against the model's vocabulary and context once, before
// any weight is used.
#include <algorithm>
#include <map>
#include <utility>

#include "data/checks.hpp"

namespace headsweep {
namespace {

using Ids = std::vector<int>;

/// One list of a question's answers, as texts and as tokens.
struct Answers {
  const std::vector<std::string>& texts;
  std::vector<Continuation> tokens;
};

/// A pair of answers with the same tokens, one preferred and one not, could never be told apart.
void check_told_apart(const Answers& preferred, const Answers& incorrect, const std::string& where) {
  std::map<std::pair<Ids, Ids>, std::string> text_of;
  for (std::size_t i = 0; i < preferred.texts.size(); ++i)
    text_of.emplace(std::pair(preferred.tokens[i].prompt, preferred.tokens[i].answer), preferred.texts[i]);
  for (std::size_t i = 0; i < incorrect.texts.size(); ++i) {
    const auto same = text_of.find({incorrect.tokens[i].prompt, incorrect.tokens[i].answer});
    if (same == text_of.end()) continue;
    throw BadInput(cat(where, ": ", quote(incorrect.texts[i]), " is incorrect and ", quote(same->second),
                       " is not, but both have the same tokens"));
  }
}

/// The tokens after the first `length` of the prompt.
std::vector<Ids> cut_after(std::size_t length, const Answers& answers) {
  std::vector<Ids> tails;
  for (const auto& [prompt, answer] : answers.tokens) {
    Ids& tail = tails.emplace_back(prompt.begin() + static_cast<std::ptrdiff_t>(length), prompt.end());
    tail.insert(tail.end(), answer.begin(), answer.end());
  }
  return tails;
}

/// Index of the best answer among the correct ones and the refusals after them.
int place_of_best(const Question& question) {
  std::vector<std::string> preferred = question.correct;
  preferred.insert(preferred.end(), question.refusals.begin(), question.refusals.end());
  const auto best = std::find(preferred.begin(), preferred.end(), question.best);
  expect(best != preferred.end(), "a question's best answer is a correct one or a refusal");
  return static_cast<int>(best - preferred.begin());
}

class QuestionTokenizer {
 public:
  QuestionTokenizer(const Tokenizer& tokenizer, const TextFormat& format, const TokenLimits& limits)
      : tokenizer_(tokenizer), format_(format), limits_(limits) {}

  /// Where a tokenizer joins the prompt's end with the beginning of one answer, all answers take that end
  /// over.
  [[nodiscard]] TokenizedQuestion run(const Question& question, const std::string& where) const {
    const Answers correct = read(question, question.correct, where);
    const Answers incorrect = read(question, question.incorrect, where);
    const Answers refusals = read(question, question.refusals, where);
    check_told_apart(correct, incorrect, where);
    check_told_apart(refusals, incorrect, where);
    TokenizedQuestion result;
    result.prompt = incorrect.tokens.at(0).prompt;
    for (const Answers* answers : {&correct, &incorrect, &refusals})
      for (const Continuation& tokens : answers->tokens)
        if (tokens.prompt.size() < result.prompt.size()) result.prompt = tokens.prompt;
    require(!result.prompt.empty(), where, ": no token of the prompt stands before all answers");
    result.correct = cut_after(result.prompt.size(), correct);
    result.incorrect = cut_after(result.prompt.size(), incorrect);
    result.refusals = cut_after(result.prompt.size(), refusals);
    result.best = place_of_best(question);
    return result;
  }

 private:
  [[nodiscard]] Answers read(const Question& question, const std::vector<std::string>& texts,
                             const std::string& where) const {
    const std::string prompt = format_.prompt_of(question.text);
    Answers answers{texts, {}};
    for (const std::string& text : texts) {
      Continuation tokens = tokenize(tokenizer_, prompt, format_.answer_of(text), where);
      const bool add_end = format_.end_token && tokens.answer.back() != limits_.eos;
      if (add_end) tokens.answer.push_back(limits_.eos);
      Ids whole = tokens.prompt;
      whole.insert(whole.end(), tokens.answer.begin(), tokens.answer.end());
      check_tokens(whole, limits_, cat(where, ": prompt with answer ", quote(text)));
      answers.tokens.push_back(std::move(tokens));
    }
    return answers;
  }

  const Tokenizer& tokenizer_;
  const TextFormat& format_;
  TokenLimits limits_;
};

}  // namespace

void check_tokens(const std::vector<int>& ids, const TokenLimits& limits, const std::string& where) {
  for (const int id : ids)
    require(0 <= id && id < limits.vocab, where, ": token ", id, ", the model's vocabulary has ",
            limits.vocab);
  require(ids.size() <= static_cast<std::size_t>(limits.max_tokens), where, ": ", ids.size(),
          " tokens, the model reads at most ", limits.max_tokens);
}

Continuation tokenize(const Tokenizer& tokenizer, const std::string& prompt, const std::string& answer,
                      const std::string& where) {
  Continuation result{tokenizer.encode(prompt, where), tokenizer.encode(prompt + answer, where)};
  Ids& whole = result.answer;
  const auto [prompt_end, answer_begin] =
      std::mismatch(result.prompt.begin(), result.prompt.end(), whole.begin(), whole.end());
  result.prompt.erase(prompt_end, result.prompt.end());
  whole.erase(whole.begin(), answer_begin);
  require(!whole.empty(), where, ": answer ", quote(answer.substr(answer.starts_with(' ') ? 1 : 0)),
          " adds no token to its prompt");
  return result;
}

std::vector<TokenizedQuestion> tokenize_questions(const Behaviour& behaviour, const Tokenizer& tokenizer,
                                                  const TextFormat& format, const TokenLimits& limits) {
  require(!format.end_token || (limits.eos >= 0 && limits.eos < limits.vocab),
          "training.answer_end: eos, but the model names no end token in its vocabulary of ", limits.vocab,
          "; none is possible");
  const QuestionTokenizer questions(tokenizer, format, limits);
  std::vector<TokenizedQuestion> tokens;
  for (std::size_t i = 0; i < behaviour.questions.size(); ++i)
    tokens.push_back(questions.run(behaviour.questions[i], place_of(behaviour, i)));
  return tokens;
}

std::vector<std::vector<int>> tokenize_prompts(const Behaviour& behaviour, const Tokenizer& tokenizer,
                                               const TextFormat& format, const TokenLimits& limits,
                                               int new_tokens) {
  std::vector<Ids> prompts;
  for (std::size_t i = 0; i < behaviour.questions.size(); ++i) {
    const std::string where = place_of(behaviour, i);
    const Ids& ids =
        prompts.emplace_back(tokenizer.encode(format.prompt_of(behaviour.questions[i].text), where));
    check_tokens(ids, limits, cat(where, ": prompt to answer"));
    require(!ids.empty(), where, ": the prompt to answer has no token");
    require(ids.size() + static_cast<std::size_t>(new_tokens) <= static_cast<std::size_t>(limits.max_tokens),
            where, ": ", ids.size(), " prompt tokens and evaluation.max_new_tokens = ", new_tokens,
            " found, together at most ", limits.max_tokens, " are allowed by the model");
  }
  return prompts;
}

}  // namespace headsweep
