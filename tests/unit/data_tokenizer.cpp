// The WordLevel tokenizer: ids and texts as tokenizers 0.23 gives them, and the message of each bad
// tokenizer.json.
#include <headsweep/json.hpp>

#include "unit/data_support.hpp"

namespace headsweep {
namespace {

const char* const tokenizer_text = R"json({
  "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "decoder": null,
  "added_tokens": [
    {"id": 0, "content": "<unk>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
    {"id": 1, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
    {"id": 2, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
    {"id": 14, "content": "<s><s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
  "pre_tokenizer": {"type": "Whitespace"},
  "post_processor": {"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
               {"SpecialToken": {"id": "</s>", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}},
  "model": {"type": "WordLevel", "unk_token": "<unk>",
    "vocab": {"<unk>": 0, "<s>": 1, "</s>": 2, "भाषा": 3, "👍🏽": 4, "café": 5, "the": 6, "?": 7, "日本語の文": 8, "!": 9,
              "<": 10, "s": 11, ">": 12, "ok": 1000000}}})json";

/// A tokenizer.json that is changed at one place, as a path in JSON's own pointer language.
std::unique_ptr<Tokenizer> load_changed(const std::string& place, const std::string& value) {
  const TemporaryFolder folder;
  Json json = parse_json(tokenizer_text, "tokenizer");
  if (!place.empty()) json[Json::json_pointer(place)] = parse_json(value, "value");
  folder.put("tokenizer.json", json.dump());
  return load_tokenizer(folder.path());
}

std::string complaint(const std::string& place, const std::string& value) {
  const std::string message = message_of([&] { load_changed(place, value); });
  const std::string name = "tokenizer.json: ";
  const std::size_t at = message.find(name);
  return at == std::string::npos ? message : message.substr(at + name.size());
}

struct Golden {
  std::string text;
  std::vector<int> ids;
  std::string decoded;
};
void expect_all(const Tokenizer& tokenizer, const std::vector<Golden>& goldens) {
  for (const auto& [text, ids, decoded] : goldens) {
    EXPECT_EQ(tokenizer.encode(text, "here"), ids) << text;
    EXPECT_EQ(tokenizer.decode(ids), decoded) << text;
  }
}

TEST(WordLevel, GivesTheIdsOfTokenizers) {
  const auto tokenizer = load_changed("", "");
  EXPECT_EQ(tokenizer->vocab_size(), 1000001);
  expect_all(*tokenizer, {{"भाषा 👍🏽 café", {1, 3, 4, 5, 2}, "भाषा 👍🏽 café"},
                          {"the? xyzzy !", {1, 6, 7, 0, 9, 2}, "the ? !"},
                          {"日本語の文ok the", {1, 0, 6, 2}, "the"},
                          {"", {1, 2}, ""},
                          {"the<s>ok</s>?", {1, 6, 1, 1000000, 2, 7, 2}, "the ok ?"},
                          {"<s", {1, 10, 11, 2}, "< s"},
                          {"<s><s><s>the", {1, 14, 1, 6, 2}, "the"},
                          {"the</s", {1, 6, 0, 11, 2}, "the s"},
                          {"<<s>", {1, 10, 1, 2}, "<"},
                          {"a <unk> the", {1, 0, 0, 6, 2}, "the"},
                          {"< s >", {1, 10, 11, 12, 2}, "< s >"}});
  EXPECT_EQ(tokenizer->decode({6, 13, 999, 7}), "the ?");  // ids of no word, as of a padded vocabulary
}

TEST(WordLevel, CutsAsThePreTokenizerSays) {
  const TemporaryFolder folder;
  folder.put("tokenizer.json", R"({"pre_tokenizer": null, "model": {"type": "WordLevel", "unk_token": "u",
                                   "vocab": {"the cat": 1, " ": 2, "u": 0}}})");
  expect_all(*load_tokenizer(folder.path()), {{"the cat", {1}, "the cat"}, {"", {}, ""}, {"cat", {0}, "u"}});
  folder.put("tokenizer.json",
             R"({"pre_tokenizer": {"type": "WhitespaceSplit"}, "model": {"type": "WordLevel",
                                   "unk_token": "u", "vocab": {"the": 1, "cat.": 2, "u": 0}}})");
  expect_all(*load_tokenizer(folder.path()), {{"the\u3000cat. x", {1, 2, 0}, "the cat. u"}});
}

TEST(WordLevel, RefusesTextThatItCannotRepresent) {
  const auto tokenizer = load_changed("/model/unk_token", R"("[absent]")");
  const auto said = [&](const std::string& text) {
    return message_of([&] { (void)tokenizer->encode(text, "b.jsonl:7"); });
  };
  EXPECT_EQ(said("the xyzzy"), "b.jsonl:7: word 'xyzzy' is not in the tokenizer's vocabulary");
  EXPECT_EQ(said(std::string("the \0", 5)), "b.jsonl:7: word ' ' is not in the tokenizer's vocabulary");
  EXPECT_EQ(said("the \xED\xA0\x80"), "b.jsonl:7: byte 4 of the text is not UTF-8");
  std::string long_word;
  while (long_word.size() < 1'000'000) long_word += "é";
  EXPECT_EQ(said(long_word),
            cat("b.jsonl:7: word '", long_word.substr(0, 60), "...' is not in the tokenizer's vocabulary"));
  EXPECT_EQ(load_changed("", "")->encode(long_word, "here"), (std::vector<int>{1, 0, 2}));
  std::string specials;
  while (specials.size() < 1'000'000) specials += "<s";
  EXPECT_EQ(tokenizer->encode(specials, "here").size(), specials.size() + 2);
}

TEST(WordLevel, RefusesBadFiles) {
  const std::vector<std::array<std::string, 3>> cases = {
      {"/model/type", R"("Unigram")", "model 'Unigram' is not supported (supported: BPE, WordLevel)"},
      {"/model", "null", "model 'null' is not supported (supported: BPE, WordLevel)"},
      {"/normalizer", R"({"type":"Lowercase"})",
       "normalizer 'Lowercase' is not supported (supported: null, NFC, Prepend, Replace, Sequence)"},
      {"/decoder", R"({"type":"WordPiece"})",
       "decoder 'WordPiece' is not supported (supported: null, ByteLevel, Metaspace, Replace, ByteFallback, "
       "Fuse, Strip, Sequence)"},
      {"/pre_tokenizer", R"({"type":"BertPreTokenizer"})",
       "pre_tokenizer 'BertPreTokenizer' is not supported (supported: null, Whitespace, WhitespaceSplit, "
       "Digits, Split, ByteLevel, Metaspace, Sequence)"},
      {"/pre_tokenizer", "[]", "pre_tokenizer is a list, an object is due"},
      {"/post_processor", R"({"type":"BertProcessing"})",
       "post_processor 'BertProcessing' is not supported (supported: null, TemplateProcessing, "
       "ByteLevel, Sequence)"},
      {"/post_processor/single/1/Sequence/id", R"("B")",
       "post_processor: 'single' has Sequence A once and no other"},
      {"/post_processor/single", "[]", "post_processor: 'single' has no Sequence A"},
      {"/post_processor/special_tokens", "{}",
       "post_processor names '<s>', which is not among its special_tokens"},
      {"/post_processor/special_tokens/<s>/ids/0", "15", "post_processor: id 15 is not in the vocabulary"},
      {"/model/vocab/the", "-1", "model: vocab: 'the': id -1, a whole number from 0 to 2147483646 is due"},
      {"/model/vocab/the", "2147483648",
       "model: vocab: 'the': id 2147483648, a whole number from 0 to 2147483646 is due"},
      {"/model/vocab/the", "1.5", "model: vocab: 'the': id 1.5, a whole number from 0 to 2147483646 is due"},
      {"/model/vocab/the", "7", "model: id 7 is that of '?' and of 'the'"},
      {"/model/vocab", "{}", "model: 'vocab' is empty"},
      {"/model/vocab", "[]", "model: an object 'vocab' is due"},
      {"/model/merges", "[]", "model: unknown field 'merges' (allowed: type, vocab, unk_token)"},
      {"/added_tokens/1/id", "9", "added_tokens: '<s>' has id 9, but 1 in the vocabulary"},
      {"/added_tokens/3/id", "9", "added_tokens: id 9 is that of '!' and of '<s><s>'"},
      {"/added_tokens/3/special", "1", "added_tokens: special = 1, true or false is due"},
      {"/added_tokens/3/content", R"("")", "added_tokens: a token is empty"},
      {"/pretokenizer", "null",
       "unknown field 'pretokenizer', did you mean 'pre_tokenizer'? (allowed: version, truncation, padding, "
       "added_tokens, normalizer, pre_tokenizer, post_processor, decoder, model)"}};
  for (const auto& [place, value, said] : cases) EXPECT_EQ(complaint(place, value), said) << place;
  const TemporaryFolder empty;
  EXPECT_EQ(message_of([&] { load_tokenizer(empty.path()); }),
            cat(empty.path().string(),
                ": no tokenizer; tokenizer.json or tokenizer.model of sentencepiece is due"));
}

TEST(WordLevel, TakesTheLargestId) {
  EXPECT_EQ(load_changed("/model/vocab/ok", "2147483646")->vocab_size(), 2147483647);
}

}  // namespace
}  // namespace headsweep
