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

class QuestionTokenizer {
 public:
  struct Limits {
    int vocab = 0, max_tokens = 0;
  };
  QuestionTokenizer(const Tokenizer& tokenizer, const JobSpec& job, const Limits& limits, int eos)
      : tokenizer_(tokenizer), job_(job), limits_(limits), eos_(eos) {}

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
    std::vector<std::string> preferred = question.correct;
    preferred.insert(preferred.end(), question.refusals.begin(), question.refusals.end());
    const auto best = std::find(preferred.begin(), preferred.end(), question.best);
    expect(best != preferred.end(), "a question's best answer is a correct one or a refusal");
    result.best = static_cast<int>(best - preferred.begin());
    return result;
  }

 private:
  [[nodiscard]] Answers read(const Question& question, const std::vector<std::string>& texts,
                             const std::string& where) const {
    const std::string prompt = fill_prompt(job_.behaviour.prompt, question.text);
    Answers answers{texts, {}};
    for (const std::string& text : texts) {
      Continuation tokens = tokenize(tokenizer_, prompt, cat(" ", text), where);
      const bool add_end = job_.training.answer_end == AnswerEnd::eos && tokens.answer.back() != eos_;
      if (add_end) tokens.answer.push_back(eos_);
      check(tokens, cat(where, ": prompt with answer ", quote(text)));
      answers.tokens.push_back(std::move(tokens));
    }
    return answers;
  }

  void check(const Continuation& tokens, const std::string& where) const {
    for (const Ids* part : {&tokens.prompt, &tokens.answer})
      for (const int id : *part)
        require(0 <= id && id < limits_.vocab, where, ": token ", id, ", the model's vocabulary has ",
                limits_.vocab);
    const std::size_t length = tokens.prompt.size() + tokens.answer.size();
    require(length <= static_cast<std::size_t>(limits_.max_tokens), where, ": ", length,
            " tokens, the model reads at most ", limits_.max_tokens);
  }

  const Tokenizer& tokenizer_;
  const JobSpec& job_;
  Limits limits_;
  int eos_;
};

}  // namespace

std::string fill_prompt(const std::string& prompt_template, const std::string& question) {
  constexpr std::string_view slot = "{question}";
  std::string prompt = prompt_template;
  for (std::size_t at = prompt.find(slot); at != std::string::npos;
       at = prompt.find(slot, at + question.size()))
    prompt.replace(at, slot.size(), question);
  return prompt;
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
                                                  const JobSpec& job, int vocab, int max_tokens, int eos) {
  require(job.training.answer_end == AnswerEnd::none || (eos >= 0 && eos < vocab),
          "training.answer_end: eos, but the model names no end token in its vocabulary of ", vocab,
          "; none is possible");
  const QuestionTokenizer questions(tokenizer, job, {vocab, max_tokens}, eos);
  std::vector<TokenizedQuestion> tokens;
  for (std::size_t i = 0; i < behaviour.questions.size(); ++i)
    tokens.push_back(questions.run(behaviour.questions[i], place_of(behaviour, i)));
  return tokens;
}

}  // namespace headsweep
