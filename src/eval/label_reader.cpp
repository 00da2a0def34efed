// eval: calls of one form, in which no text feels its neighbours.
#include "eval/label_reader.hpp"

#include <algorithm>
#include <cmath>

namespace headsweep {
namespace {

int round_up(int number, int step) { return (number + step - 1) / step * step; }

TokenTree filler_of(int tokens) {
  return {.prompt = std::vector<int>(static_cast<std::size_t>(tokens), 0), .answers = {{0}}};
}

}  // namespace

int JudgedText::tokens() const {
  std::size_t count = 0;
  for (const TokenTree& tree : trees) {
    count += tree.prompt.size();
    for (const auto& word : tree.answers) count += word.size() - 1;
  }
  return static_cast<int>(count);
}

int JudgedText::longest() const {
  std::size_t most = 0;
  for (const TokenTree& tree : trees)
    for (const auto& word : tree.answers) most = std::max(most, tree.prompt.size() + word.size());
  return static_cast<int>(most);
}

JudgedText read_judged_text(const Tokenizer& tokenizer, const JudgePrompt& asked, const Question& question,
                            const std::string& answer, const std::string& where) {
  const std::string prompt = fill_slots(asked.prompt, {{"question", question.text}, {"answer", answer}});
  Continuation yes = tokenize(tokenizer, prompt, asked.yes, where);
  Continuation no = tokenize(tokenizer, prompt, asked.no, where);
  require(!yes.prompt.empty() && !no.prompt.empty(), where, ": no token of the judge's prompt stands before ",
          "its words");
  if (yes.prompt == no.prompt)
    return {{{.prompt = std::move(yes.prompt), .answers = {std::move(yes.answer), std::move(no.answer)}}}};
  return {{{.prompt = std::move(yes.prompt), .answers = {std::move(yes.answer)}},
           {.prompt = std::move(no.prompt), .answers = {std::move(no.answer)}}}};
}

LabelReader::LabelReader(const Behaviour& behaviour, const JudgeModel& model, int texts)
    : behaviour_(behaviour), model_(model), form_(form_of(behaviour, model, texts)) {}

/// Room for so many texts of the mean length of the best answers.
LabelReader::Form LabelReader::form_of(const Behaviour& behaviour, const JudgeModel& model, int texts) {
  Form form{.texts = static_cast<std::size_t>(texts)};
  double total = 0, count = 0;
  for (const Question& question : behaviour.questions) {
    try {
      const JudgedText text =
          read_judged_text(model.tokenizer, model.asked, question, question.best, question.id);
      if (count == 0 && text.trees.size() == 1) {
        form.yes = text.trees[0].answers[0].size();
        form.no = text.trees[0].answers[1].size();
      }
      total += text.tokens();
      ++count;
    } catch (const BadInput&) {  // an answer that the judge has no tokens for
    }
  }
  const int mean = count > 0 ? static_cast<int>(std::ceil(total / count)) : 1;
  constexpr int step = 64;  // products on CPUs take whole steps of so many rows
  form.longest = std::min(round_up(4 * mean, 8), model.weights.config.max_tokens);
  form.tokens = round_up(texts * std::max(mean, form.dummy()) + 1, step);
  const auto fillers = [&] { return (form.tokens + form.longest - 1) / form.longest; };
  while (texts * form.dummy() + fillers() > form.tokens) form.tokens += step;
  form.fillers = fillers();
  return form;
}

bool LabelReader::fits(const JudgedText& text) const {
  if (text.trees.size() != 1) return false;
  const auto& words = text.trees.front().answers;
  const int others = (static_cast<int>(form_.texts) - 1) * form_.dummy() + form_.fillers;
  return words[0].size() == form_.yes && words[1].size() == form_.no && text.longest() <= form_.longest &&
         text.tokens() + others <= form_.tokens;
}

/// No trees where the judge cannot read it.
JudgedText LabelReader::read_text(const Reply& reply) const {
  const Question& question = behaviour_.questions.at(static_cast<std::size_t>(reply.question));
  const ModelConfig& config = model_.weights.config;
  try {
    JudgedText text = read_judged_text(model_.tokenizer, model_.asked, question, reply.answer, question.id);
    bool known = text.longest() <= config.max_tokens;
    const auto check = [&](const std::vector<int>& ids) {
      for (const int id : ids) known = known && 0 <= id && id < config.vocab;
    };
    for (const TokenTree& tree : text.trees) {
      check(tree.prompt);
      for (const auto& word : tree.answers) check(word);
    }
    return known ? text : JudgedText{};
  } catch (const BadInput&) {  // no tokens for it
    return {};
  }
}

std::vector<LabelOdds> LabelReader::read(const std::vector<Reply>& replies,
                                         const std::function<void()>& tick) const {
  std::vector<LabelOdds> odds(replies.size());
  std::vector<JudgedText> texts;
  for (const Reply& reply : replies) texts.push_back(read_text(reply));
  std::vector<std::size_t> places;          // of the texts of the call that is being filled
  std::vector<const JudgedText*> together;  // these texts
  int room = 0;
  const auto finish_call = [&] {
    if (together.empty()) return;
    const std::vector<LabelOdds> read = read_together(together);
    for (std::size_t i = 0; i < places.size(); ++i) odds[places[i]] = read[i];
    places.clear();
    together.clear();
    if (tick) tick();
  };
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].trees.empty()) continue;
    if (!fits(texts[i])) {
      odds[i] = read_alone(texts[i]).front();
      if (tick) tick();
      continue;
    }
    const int more = texts[i].tokens() - form_.dummy();  // than the dummy in whose place it stands
    if (together.size() == form_.texts || more > room) finish_call();
    if (together.empty()) room = form_.tokens - form_.fillers - static_cast<int>(form_.texts) * form_.dummy();
    room -= more;
    places.push_back(i);
    together.push_back(&texts[i]);
  }
  finish_call();
  return odds;
}

std::vector<LabelOdds> LabelReader::read_alone(const JudgedText& text) const {
  return run(pack(text.trees, Keep::answers, model_.weights.device()));
}

std::vector<LabelOdds> LabelReader::read_together(const std::vector<const JudgedText*>& texts) const {
  std::vector<TokenTree> trees;
  int left = form_.tokens;
  for (const JudgedText* text : texts) {
    trees.push_back(text->trees.front());
    left -= text->tokens();
  }
  while (trees.size() < form_.texts) {
    trees.push_back({.prompt = {0}, .answers = {std::vector<int>(form_.yes), std::vector<int>(form_.no)}});
    left -= form_.dummy();
  }
  for (int filler = form_.fillers; filler > 0; --filler) {
    const int tokens = (left + filler - 1) / filler;
    trees.push_back(filler_of(tokens));
    left -= tokens;
  }
  TokenBatch batch = pack(trees, Keep::answers, model_.weights.device());
  expect(batch.tokens == form_.tokens && batch.longest <= form_.longest, "a judge's call of the one form");
  batch.longest = form_.longest;  // attention by squares has one size, too
  return run(batch);
}

/// Both words of each text, fillers too.
std::vector<LabelOdds> LabelReader::run(const TokenBatch& batch) const {
  const Weights& weights = model_.weights;
  const at::Tensor states = run_lanes(weights, batch, Prefix{}, LaneEdits{});
  const at::Tensor log_probs =
      answer_log_probs(weights, batch, states).to(at::kCPU, at::kDouble).contiguous();
  const auto* log_prob = log_probs.const_data_ptr<double>();
  std::vector<LabelOdds> odds;
  for (int i = 0; i + 1 < batch.answers; i += 2)
    odds.push_back({.yes = std::exp(log_prob[i]), .no = std::exp(log_prob[i + 1])});
  return odds;
}

void check_judge(const Behaviour& behaviour, const JudgePrompt& asked, const Tokenizer& tokenizer,
                 const ModelConfig& config, int answer_tokens) {
  for (const Question& question : behaviour.questions) {
    const std::string where =
        cat(behaviour.file, ": question '", question.id, "', read by the judge ", asked.folder.string());
    const JudgedText text = read_judged_text(tokenizer, asked, question, "", where);
    require(text.longest() + answer_tokens <= config.max_tokens, where, ": ", text.longest(),
            " tokens of prompt and word and evaluation.max_new_tokens = ", answer_tokens,
            " found, together at most ", config.max_tokens, " are allowed by the judge");
    const auto check = [&](const std::vector<int>& ids) {
      for (const int id : ids)
        require(id < config.vocab, where, ": token ", id, " found, the judge knows ", config.vocab,
                " tokens");
    };
    for (const TokenTree& tree : text.trees) {
      check(tree.prompt);
      for (const auto& word : tree.answers) check(word);
    }
  }
}

}  // namespace headsweep
