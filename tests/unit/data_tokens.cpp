// Prompts and answers as ids: together they are the ids of the whole text, whatever the tokenizer joins.
#include <algorithm>

#include "unit/data_support.hpp"

namespace headsweep {
namespace {

TextFormat format_of(const std::string& prompt, bool end_token = false) {
  return {.prompt = prompt, .end_token = end_token};
}

/// prompt + answer are the ids of the text, for every answer of every question; and the prompt is no shorter
/// than it must be.
void expect_concatenation(const Behaviour& behaviour, const Tokenizer& tokenizer, const TextFormat& format,
                          const std::vector<TokenizedQuestion>& tokens) {
  ASSERT_EQ(tokens.size(), behaviour.questions.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Question& question = behaviour.questions[i];
    const std::string prompt = format.prompt_of(question.text);
    const std::vector<int> prompt_ids = tokenizer.encode(prompt, "");
    bool all_share_next = tokens[i].prompt.size() < prompt_ids.size();
    const auto check = [&](const std::vector<std::string>& texts,
                           const std::vector<std::vector<int>>& answers) {
      ASSERT_EQ(texts.size(), answers.size());
      for (std::size_t a = 0; a < texts.size(); ++a) {
        std::vector<int> ids = tokens[i].prompt;
        ids.insert(ids.end(), answers[a].begin(), answers[a].end());
        EXPECT_EQ(ids, tokenizer.encode(cat(prompt, " ", texts[a]), "")) << texts[a];
        EXPECT_FALSE(answers[a].empty());
        all_share_next = all_share_next && answers[a].front() == prompt_ids[tokens[i].prompt.size()];
      }
    };
    check(question.correct, tokens[i].correct);
    check(question.incorrect, tokens[i].incorrect);
    check(question.refusals, tokens[i].refusals);
    EXPECT_FALSE(all_share_next);
    EXPECT_TRUE(std::equal(tokens[i].prompt.begin(), tokens[i].prompt.end(), prompt_ids.begin()));
    EXPECT_EQ(question.correct.at(static_cast<std::size_t>(tokens[i].best)), question.best);
  }
}

TEST(Tokens, OfPromptAndAnswerAreThoseOfTheText) {
  Behaviour behaviour = make_behaviour(6, 1);
  behaviour.questions[2].best = behaviour.questions[2].correct[1];
  const TextFormat format = format_of("Q: {question} A:");
  for (const bool joins : {false, true}) {
    const ByteTokenizer tokenizer(joins);
    const auto tokens = tokenize_questions(behaviour, tokenizer, format, {258, 100, -1});
    expect_concatenation(behaviour, tokenizer, format, tokens);
    const std::string prompt = tokenizer.decode(tokens[2].prompt),
                      answer = tokenizer.decode(tokens[2].correct[1]);
    EXPECT_EQ(prompt + "|" + answer, joins ? "Q: question 2 |A: right 2 1" : "Q: question 2 A:| right 2 1");
  }
}

TEST(Tokens, EndEachAnswerWithEosIfAsked) {
  const Behaviour behaviour = make_behaviour(3, 1);
  const auto plain = tokenize_questions(behaviour, ByteTokenizer(), format_of("{question}"), {258, 100, 5});
  const auto ended =
      tokenize_questions(behaviour, ByteTokenizer(), format_of("{question}", true), {258, 100, 5});
  for (std::size_t i = 0; i < plain.size(); ++i) {
    EXPECT_EQ(plain[i].prompt, ended[i].prompt);
    std::vector<int> expected = plain[i].incorrect.at(1);
    expected.push_back(5);
    EXPECT_EQ(ended[i].incorrect.at(1), expected);
    EXPECT_EQ(ended[i].refusals.at(0).back(), 5);
  }
  for (const int eos : {-1, 258})
    EXPECT_EQ(
        message_of([&] {
          tokenize_questions(behaviour, ByteTokenizer(), format_of("{question}", true), {258, 100, eos});
        }),
        "training.answer_end: eos, but the model names no end token in its vocabulary of 258; none is "
        "possible");
}

TEST(Tokens, RefuseWhatTheModelCannotRead) {
  const Behaviour behaviour = make_behaviour(3, 1);
  const TextFormat format = format_of("Q: {question} A:");
  const auto said = [&](const Behaviour& read, const TextFormat& how, int vocab, int most) {
    return message_of([&] { tokenize_questions(read, ByteTokenizer(), how, {vocab, most, -1}); });
  };
  EXPECT_EQ(said(behaviour, format, 256, 100),
            "made.jsonl:1: prompt with answer 'right 0 0': token 256, the model's vocabulary has 256");
  const std::size_t length = ByteTokenizer().encode("Q: question 0 A: no comment", "").size();
  const auto most = static_cast<int>(length);
  EXPECT_EQ(said(behaviour, format, 257, most), "nothing was thrown");
  EXPECT_EQ(said(behaviour, format, 257, most - 1),
            cat("made.jsonl:1: prompt with answer 'no comment': ", length,
                " tokens, the model reads at most ", length - 1));
}

TEST(Tokens, RefuseAnswersThatTheTokenizerCannotTellApart) {
  const TemporaryFolder folder;
  folder.put("tokenizer.json", R"({"pre_tokenizer": {"type": "Whitespace"}, "model": {"type": "WordLevel",
                                   "unk_token": "u", "vocab": {"u": 0, "Why": 1, "No": 2, ".": 3}}})");
  const auto tokenizer = load_tokenizer(folder.path());
  const auto said = [&](const std::string& correct, const std::string& incorrect, const std::string& prompt) {
    const Behaviour behaviour{
        "made.jsonl", "", {{"a", "g", "Why", correct, {correct}, {incorrect}, {"No No"}, 1}}};
    return message_of([&] { tokenize_questions(behaviour, *tokenizer, format_of(prompt), {4, 9, -1}); });
  };
  EXPECT_EQ(said("No", "Yes", "{question}"), "nothing was thrown");
  EXPECT_EQ(said("Yes", "Maybe", "{question}"),
            "made.jsonl:1: 'Maybe' is incorrect and 'Yes' is not, but both have the same tokens");
  EXPECT_EQ(said("Yes", "No  No", "{question}"),
            "made.jsonl:1: 'No  No' is incorrect and 'No No' is not, but both have the same tokens");
  EXPECT_EQ(said("\u3000", "No", "{question}"), "made.jsonl:1: answer '\u3000' adds no token to its prompt");
  EXPECT_EQ(said("No", "Yes", ""), "made.jsonl:1: no token of the prompt stands before all answers");
}

TEST(Tinyworld, IsReadWholeByItsOwnTokenizer) {
  const std::filesystem::path world = std::filesystem::path(HEADSWEEP_ROOT) / "jobs" / "tinyworld";
  const auto tokenizer = load_tokenizer(world);
  EXPECT_EQ(tokenizer->vocab_size(), 351);
  for (const std::string name : {"truthfulness", "sentiment", "politeness", "worked_step"}) {
    const Behaviour behaviour = read_behaviour(world / (name + ".jsonl"));
    const TextFormat format = format_of(name == "truthfulness" ? "Q: {question} A:" : "{question}");
    const auto tokens = tokenize_questions(behaviour, *tokenizer, format, {351, 64, -1});
    expect_concatenation(behaviour, *tokenizer, format, tokens);
    EXPECT_EQ(make_splits(behaviour, {}, 0).size(), 1U);
    if (name != "truthfulness") continue;
    EXPECT_EQ(tokens.size(), 720U);
    for (const TokenizedQuestion& question : tokens) EXPECT_EQ(question.prompt.size(), 12U);
    EXPECT_EQ(tokenizer->decode(tokens[0].prompt).substr(0, 11), "Q : What is");
  }
  for (const std::string& document : read_documents(world / "text.txt", 100))
    EXPECT_LE(tokenizer->encode(document, "text.txt").size(), 64U);
}

}  // namespace
}  // namespace headsweep
