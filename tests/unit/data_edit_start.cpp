// Where an edit begins, and what an answer's tokens are, with a tokenizer that cuts as LLaMA 2's does: BOS, a
// blank before the first word, line feeds as byte tokens.
#include "unit/data_tokenizer_files.hpp"

namespace headsweep {
namespace {

using Ids = std::vector<int>;

/// The pieces of the small model, the letters of the texts below, and a few words with their blanks.
std::unique_ptr<Tokenizer> llama2_like() {
  std::string model = sentencepiece_pieces();
  for (const char letter : std::string("QAWhyNoYes:?.")) model += wire_piece(std::string(1, letter), 1, -100);
  for (const char* piece : {"▁Q", "▁A", "▁N", "▁No", "▁Y", "▁Ye", "▁Yes", "Wh", "▁Wh"})
    model += wire_piece(piece, 1, -50);
  const TemporaryFolder folder;
  folder.put("tokenizer.model", model + wire_trainer() + wire_normalizer());
  folder.put("tokenizer_config.json", R"({"legacy": false})");
  return load_tokenizer(folder.path());
}

Behaviour one_question() {
  return {"made.jsonl", "", {{"a", "g", "Why?", "No", {"No", "Yes No."}, {"Yes"}, {"No Yes"}, 1}}};
}

TEST(EditStart, IsThatOfItisCodeWithATokenizerLikeLlama2s) {
  const auto tokenizer = llama2_like();
  const TextFormat choice{.before = "No. Yes.", .prompt = "Q: {question}\nA:"};
  const TokenizedQuestion tokens =
      tokenize_questions(one_question(), *tokenizer, choice, {.vocab = 400, .max_tokens = 64}).front();
  // The code counts the tokens of the prompt without "\nA:", three tokens here, and goes four further.
  const auto before = static_cast<int>(tokenizer->encode("No. Yes.\n\nQ: Why?", "").size());
  const auto prompt = static_cast<int>(tokens.prompt.size());
  EXPECT_EQ(prompt, before + 3);
  EXPECT_EQ(edit_start(EditFrom::iti_code, Purpose::choice, prompt), before + 4);
  const Ids second = tokenizer->encode("No. Yes.\n\nQ: Why?\nA: Yes No.", "");
  EXPECT_EQ(tokens.correct[1].at(1), second.at(static_cast<std::size_t>(before + 4)));  // " No", not " Yes"
  EXPECT_EQ(tokenizer->decode({tokens.correct[1].at(1)}), "No");
}

TEST(EditStart, OfGenerationIsTheLastTokenAndOfTextTheFirst) {
  const auto tokenizer = llama2_like();
  const TextFormat format{.prompt = "Q: {question}"};
  const Ids prompt =
      tokenize_prompts(one_question(), *tokenizer, format, {.vocab = 400, .max_tokens = 64}, 50).front();
  EXPECT_EQ(prompt, tokenizer->encode("Q: Why?", ""));
  const auto tokens = static_cast<int>(prompt.size());
  for (const EditFrom from : {EditFrom::iti_code, EditFrom::last_prompt})
    EXPECT_EQ(edit_start(from, Purpose::generation, tokens), tokens - 1);
  EXPECT_EQ(edit_start(EditFrom::iti_code, Purpose::text, 0), 0);
  for (const Purpose purpose : {Purpose::generation, Purpose::choice, Purpose::text})
    EXPECT_EQ(edit_start(EditFrom::all, purpose, tokens), 0);
}

TEST(AnswerTokens, AreWhatFollowsTheCommonPrefix) {
  const auto tokenizer = llama2_like();
  const auto ids = [&](const std::string& text) { return tokenizer->encode(text, ""); };
  // By itself an answer gets a BOS; and after a blank, its own blank makes a piece of two with that.
  EXPECT_EQ(ids(" No").front(), 1);
  for (const std::string prompt : {"Q: Why?\nA:", "Q: Why? A: "}) {
    for (const std::string answer : {" No", " Yes No.", "  No"}) {
      const Continuation found = tokenize(*tokenizer, prompt, answer, "here");
      Ids joined = found.prompt;
      joined.insert(joined.end(), found.answer.begin(), found.answer.end());
      EXPECT_EQ(joined, ids(prompt + answer));
      const Ids alone = ids(prompt);
      EXPECT_LE(found.prompt.size(), alone.size());
      EXPECT_TRUE(std::equal(found.prompt.begin(), found.prompt.end(), alone.begin()));
      if (found.prompt.size() < alone.size()) EXPECT_NE(found.answer.front(), alone[found.prompt.size()]);
    }
  }
  EXPECT_EQ(tokenize(*tokenizer, "Q: Why?\nA:", " No", "here").prompt, ids("Q: Why?\nA:"));
  const Continuation joining = tokenize(*tokenizer, "Q: Why? A: ", "  No", "here");
  EXPECT_EQ(joining.prompt.size() + 1,
            ids("Q: Why? A: ").size());  // the prompt's blank is one with the answer's
}

TEST(PromptTokens, LeaveRoomForTheAnswer) {
  const auto tokenizer = llama2_like();
  const TextFormat format{.prompt = "Q: {question}"};
  const auto length = static_cast<int>(tokenizer->encode("Q: Why?", "").size());
  const auto said = [&](int vocab, int most, int wanted) {
    return message_of([&] {
      tokenize_prompts(one_question(), *tokenizer, format, {.vocab = vocab, .max_tokens = most}, wanted);
    });
  };
  EXPECT_EQ(said(400, length + 5, 5), "nothing was thrown");
  EXPECT_EQ(said(400, length + 5, 6),
            cat("made.jsonl:1: ", length,
                " prompt tokens and evaluation.max_new_tokens = 6 found, together at most ", length + 5,
                " are allowed by the model"));
  EXPECT_EQ(said(1, 100, 1), "made.jsonl:1: prompt to answer: token 1, the model's vocabulary has 1");
}

TEST(RoughTokenizer, CountsFourBytesATokenAndTellsTextsApart) {
  const auto rough = rough_tokenizer();
  EXPECT_TRUE(rough->encode("", "").empty());
  EXPECT_EQ(rough->encode("abcd", "").size(), 1U);
  EXPECT_EQ(rough->encode("abcdé", "").size(), 2U);
  EXPECT_NE(rough->encode("abcdC", ""), rough->encode("abcdD", ""));
  EXPECT_NE(rough->encode("abcCx", ""), rough->encode("abcÃ", ""));
  const Continuation parts = tokenize(*rough, "Q: Why? A:", " No", "");
  EXPECT_EQ(parts.prompt.size() + parts.answer.size(), 4U);
  EXPECT_EQ(parts.answer.size(), 2U);
}

}  // namespace
}  // namespace headsweep
