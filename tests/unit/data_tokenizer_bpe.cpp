// Byte-pair tokenizers: hand-computed ids and texts, flags of added tokens, a megabyte of one character, and
// the message of each bad file. What transformers makes of many texts is in data_parity.cpp.
#include "unit/data_tokenizer_files.hpp"

namespace headsweep {
namespace {

using Ids = std::vector<int>;

TEST(ByteLevel, MergesByRankWithinThePiecesOfThePattern) {
  const auto tokenizer = load_json(byte_level_json());
  EXPECT_EQ(tokenizer->vocab_size(), 302);
  const auto ids = [&](const std::string& text) { return tokenizer->encode(text, "here"); };
  EXPECT_EQ(ids("the the cat"), (Ids{300, 257, 258, 259}));
  EXPECT_EQ(ids("cat  the"), (Ids{300, 'c', 'a', 't', ' ', 258}));
  EXPECT_EQ(ids("they're 1234"), (Ids{300, 257, 'y', '\'', 'r', 'e', ' ', '1', '2', '3', '4'}));
  EXPECT_EQ(ids("<x>the<b> the"), (Ids{300, 301, 257, 300, 258}));
  EXPECT_EQ(ids(""), Ids{300});
  EXPECT_EQ(ids("é"), (Ids{300, 0xC3, 0xA9}));
  EXPECT_EQ(ids(std::string("\0", 1)), (Ids{300, 0}));
}

TEST(ByteLevel, DecodesBytesAndRepairsThem) {
  const auto tokenizer = load_json(byte_level_json());
  EXPECT_EQ(tokenizer->decode({300, 257, 258, 259, 301, 'x'}), "the the cat<x>x");
  EXPECT_EQ(tokenizer->decode({0xF0, 0x9F, 0x99, 0x82, 270}), "🙂");
  EXPECT_EQ(tokenizer->decode({0xF0, 0x9F, 0x99, 'a', 0xC3, 0xED, 0xA0, 0xFF}),
            "\uFFFDa\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(tokenizer->decode({}), "");
}

TEST(Metaspace, MarksBlanksAndFallsBackToBytes) {
  const auto tokenizer = load_json(metaspace_json());
  const auto ids = [&](const std::string& text) { return tokenizer->encode(text, "here"); };
  EXPECT_EQ(ids("ab a"), (Ids{263, 264}));
  EXPECT_EQ(ids(" ab"), (Ids{259, 263}));
  EXPECT_EQ(ids("   a"), (Ids{265, 259, 264}));
  EXPECT_EQ(ids("é\nb"), (Ids{259, 3 + 0xC3, 3 + 0xA9, 3 + '\n', 261}));
  EXPECT_EQ(ids("a</s>a"), (Ids{264, 2, 264}));
  EXPECT_EQ(tokenizer->decode({1, 259, 263, 3 + 0xC3, 3 + 0xA9, 261, 2}), " abéb");
  EXPECT_EQ(tokenizer->decode({263, 3 + 0xC3, 261}), "ab\uFFFDb");
  EXPECT_EQ(tokenizer->decode({}), "");
}

TEST(Metaspace, OfTheClassLlamaTokenizerIsThatOfTheClass) {  // as transformers 5 rebuilds it
  const auto first = load_json(metaspace_json(), R"({"tokenizer_class": "LlamaTokenizerFast"})");
  EXPECT_EQ(first->encode(" ab</s>a", "here"), (Ids{263, 2, 260}));
  const auto always = load_json(metaspace_json(), R"({"tokenizer_class": "LlamaTokenizer", "legacy": true})");
  EXPECT_EQ(always->encode(" ab</s>a", "here"), (Ids{263, 2, 264}));
  const auto never =
      load_json(metaspace_json(), R"({"tokenizer_class": "LlamaTokenizer", "add_prefix_space": false})");
  EXPECT_EQ(never->encode("ab</s>a", "here"), (Ids{262, 2, 260}));
  EXPECT_EQ(never->decode({264}), " a");
}

TEST(Metaspace, WithoutBytesGivesTheUnknownTokenOrRefuses) {
  Json json = metaspace_json();
  json["model"]["byte_fallback"] = false;
  EXPECT_EQ(load_json(json)->encode("a éé b", "here"), (Ids{264, 259, 0, 259, 261}));
  json["model"]["fuse_unk"] = false;
  EXPECT_EQ(load_json(json)->encode("éé", "here"), (Ids{259, 0, 0}));
  json["model"]["unk_token"] = nullptr;
  EXPECT_EQ(message_of([&] { (void)load_json(json)->encode("aé", "b.jsonl:3"); }),
            "b.jsonl:3: character 'é' is not in the tokenizer's vocabulary");
}

TEST(AddedTokens, ObeyTheirFlags) {
  Json json = byte_level_json();
  const auto with = [&](const std::string& flag) {
    json["added_tokens"][1] = added_token("<x>", 301, false);
    json["added_tokens"][1][flag] = true;
    return load_json(json);
  };
  EXPECT_EQ(with("lstrip")->encode("a \u3000<x> a", "here"), (Ids{300, 'a', 301, ' ', 'a'}));
  EXPECT_EQ(with("rstrip")->encode("a <x> \na", "here"), (Ids{300, 'a', ' ', 301, 'a'}));
  EXPECT_EQ(with("single_word")->encode("a<x> <x>,", "here"), (Ids{300, 'a', '<', 'x', '>', ' ', 301, ','}));
  EXPECT_EQ(with("special")->decode({301, 'a'}), "a");
  json["normalizer"] = {{"type", "Prepend"}, {"prepend", "a"}};
  EXPECT_EQ(with("normalized")->encode("<x>b<x>", "here"), (Ids{300, 301, 'b', '<', 'x', '>'}));
}

TEST(AddedTokens, OfTheConfigAreCutOutToo) {
  const auto tokenizer = load_json(byte_level_json(), R"({"eos_token": "the", "pad_token": "<none>",
    "added_tokens_decoder": {"305": {"content": "<y>", "special": false, "normalized": false}}})");
  EXPECT_EQ(tokenizer->encode("<y>thethe", "here"), (Ids{300, 305, 257, 257}));
  EXPECT_EQ(tokenizer->decode({305, 257, 'a'}), "<y>a");
}

TEST(BytePairs, OfAMegabyteAreMergedInTime) {  // in quadratic time this would not end
  const auto bytes = load_json(byte_level_json()), pieces = load_json(metaspace_json());
  for (const std::string unit : {"a", " ", "the", "<", "\u0301", " \n"}) {
    std::string text;
    while (text.size() < 1'000'000) text += unit;
    for (const auto* tokenizer : {bytes.get(), pieces.get()}) {
      const Ids ids = tokenizer->encode(text, "here");
      EXPECT_GT(ids.size(), text.size() / 4);
      EXPECT_TRUE(tokenizer->decode(ids) == text) << unit;
    }
  }
}

TEST(BytePairs, RefuseBadFiles) {
  const std::vector<std::array<std::string, 3>> cases = {
      {"/model/merges/1", R"(["th", "a"])", "model: merges: 2: 'tha' is not in the vocabulary"},
      {"/model/merges/0", R"("t €")", "model: merges: 1: '€' is not in the vocabulary"},
      {"/model/merges/2", R"("the")", R"(model: merges: 3: two tokens are due, written "a b" or ["a", "b"])"},
      {"/model/merges/2", R"(["t", 1])",
       R"(model: merges: 3: two tokens are due, written "a b" or ["a", "b"])"},
      {"/model/merges", "{}", "model: a list 'merges' is due"},
      {"/model/vocab/th", "257", "model: id 257 is that of 'th' and of 'the'"},
      {"/model/dropout", "0.1", "model: dropout '0.1' is not supported (supported: null, 0.0)"},
      {"/model/end_of_word_suffix", R"("</w>")",
       R"(model: end_of_word_suffix '"</w>"' is not supported (supported: null, ""))"},
      {"/model/unk_token", R"("<u>")", "model: unk_token '<u>' is not in the vocabulary"},
      {"/model/byte_fallback", "true",
       "model: vocab: <0x00> is missing; byte fallback needs <0x00> to <0xFF>"},
      {"/model/merge", "[]",
       "model: unknown field 'merge', did you mean 'merges'? (allowed: type, dropout, unk_token, "
       "continuing_subword_prefix, end_of_word_suffix, fuse_unk, byte_fallback, ignore_merges, vocab, "
       "merges)"},
      {"/model/vocab", R"({"a": 1, "b": 2, "t": 3, "h": 4, "th": 5, "e": 6, "the": 7, "Ġ": 8, "Ġthe": 9})",
       "model: vocab: byte 0, written 'Ā', is missing; a byte-level model needs all 256"},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", R"("(a+)+$")",
       "pre_tokenizer Split: pattern '(a+)+$' is not supported (supported: those of GPT-2, LLaMA 3, Qwen2, "
       "Mistral Nemo)"},
      {"/pre_tokenizer/pretokenizers/0/pattern", R"({"String": " "})",
       "pre_tokenizer Split: a pattern of the kind Regex is due, no other is supported"},
      {"/pre_tokenizer/pretokenizers/0/behavior", R"("Removed")",
       R"(pre_tokenizer Split: behavior '"Removed"' is not supported (supported: "Isolated"))"},
      {"/pre_tokenizer/pretokenizers/2", R"({"type": "Digits"})",
       "pre_tokenizer Digits: stands after ByteLevel, which is supported as the last part only"},
      {"/normalizer", R"({"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""})",
       "normalizer Replace: a pattern of the kind String is due, no other is supported"},
      {"/normalizer", R"({"type": "Sequence", "normalizers": [{"type": "NFKC"}]})",
       "normalizer 'NFKC' is not supported (supported: null, NFC, Prepend, Replace, Sequence)"},
      {"/decoder", R"({"type": "Strip", "content": " ", "start": 1, "stop": 1})",
       "decoder Strip: stop '1' is not supported (supported: 0)"},
      {"/added_tokens/1/id", "5", "added_tokens: id 5 is that of 'ą' and of '<x>'"}};
  for (const auto& [place, value, said] : cases) {
    Json json = byte_level_json();
    json[Json::json_pointer(place)] = parse_json(value, "value");
    const std::string message = message_of([&] { load_json(json); }), name = "tokenizer.json: ";
    const std::size_t at = message.find(name);
    EXPECT_EQ(at == std::string::npos ? message : message.substr(at + name.size()), said) << place;
  }
  const TemporaryFolder folder;
  const std::string whole = byte_level_json().dump();
  folder.put("tokenizer.json", whole.substr(0, whole.size() / 2));
  EXPECT_NE(message_of([&] { load_tokenizer(folder.path()); }).find("tokenizer.json: "), std::string::npos);
}

}  // namespace
}  // namespace headsweep
