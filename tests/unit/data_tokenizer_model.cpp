// tokenizer.model of sentencepiece: hand-computed ids and texts, what the folder's config changes, and the
// message of each bad file. What transformers makes of many texts is in data_parity.cpp.
#include "unit/data_tokenizer_files.hpp"

namespace headsweep {
namespace {

using Ids = std::vector<int>;

std::unique_ptr<Tokenizer> load_model(const std::string& bytes, const std::string& config = "{}") {
  const TemporaryFolder folder;
  folder.put("tokenizer.model", bytes);
  folder.put("tokenizer_config.json", config);
  return load_tokenizer(folder.path());
}

std::string good_model() { return sentencepiece_pieces() + wire_trainer() + wire_normalizer(); }

TEST(Sentencepiece, GivesTheIdsOfItsPieces) {
  const auto tokenizer = load_model(good_model());
  EXPECT_EQ(tokenizer->vocab_size(), 266);
  const auto ids = [&](const std::string& text) { return tokenizer->encode(text, "here"); };
  EXPECT_EQ(ids("ab a"), (Ids{1, 263, 264}));
  EXPECT_EQ(ids("a   a"), (Ids{1, 264, 265, 264}));
  EXPECT_EQ(ids("é\nb"), (Ids{1, 259, 3 + 0xC3, 3 + 0xA9, 3 + '\n', 261}));
  EXPECT_EQ(ids("a</s>ab<unk>"), (Ids{1, 264, 2, 262, 0}));
  EXPECT_EQ(ids(""), Ids{1});
  EXPECT_EQ(ids(std::string("a\0", 2)), (Ids{1, 264, 3}));
  EXPECT_EQ(tokenizer->decode({1, 263, 3 + 0xC3, 3 + 0xA9, 264, 2}), "abé a");
  EXPECT_EQ(message_of([&] { (void)ids("a\xED\xA0\x80"); }), "here: byte 1 of the text is not UTF-8");
}

TEST(Sentencepiece, FollowsTheFoldersConfig) {
  const auto bare = load_model(good_model(), R"({"add_bos_token": false, "add_eos_token": true})");
  EXPECT_EQ(bare->encode("a", "here"), (Ids{264, 2}));
  const auto legacy = load_model(good_model(), R"({"legacy": true, "bos_token": {"content": "</s>"}})");
  EXPECT_EQ(legacy->encode("a<s>a", "here"), (Ids{2, 264, 1, 264}));
  const std::string no_prefix = good_model() + wire_field(3, wire_field(3, std::uint64_t{0}));
  EXPECT_EQ(load_model(no_prefix)->encode("ab", "here"), (Ids{1, 262}));
  EXPECT_NE(message_of([] {
              load_model(good_model(), R"({"bos_token": "<b>"})");
            }).find("tokenizer_config.json: bos_token '<b>' is not in the vocabulary"),
            std::string::npos);
  const TemporaryFolder both;
  both.put("tokenizer.model", good_model());
  both.put("tokenizer.json", metaspace_json().dump());
  EXPECT_EQ(load_tokenizer(both.path())->encode("ab", "here"), Ids{263});  // tokenizer.json has no template
}

TEST(Sentencepiece, TakesAddedTokensOfOlderFolders) {
  const TemporaryFolder folder;
  folder.put("tokenizer.model", good_model());
  folder.put("added_tokens.json", R"({"[PAD]": 266, "<user>": 267})");
  folder.put("special_tokens_map.json", R"({"pad_token": "[PAD]", "bos_token": "<s>"})");
  const auto tokenizer = load_tokenizer(folder.path());
  EXPECT_EQ(tokenizer->vocab_size(), 268);
  EXPECT_EQ(tokenizer->encode("a[PAD]<user>", "here"), (Ids{1, 264, 266, 267}));
  EXPECT_EQ(tokenizer->decode({264, 266, 267}), "a<user>");
}

TEST(Sentencepiece, ReadsAMegabyteOfOneCharacter) {  // in quadratic time this would not end
  const auto tokenizer = load_model(good_model());
  for (const std::string unit : {"a", " ", "b", "\u00e9", "\n"}) {
    std::string text = "b";
    while (text.size() < 1'000'000) text += unit;
    EXPECT_TRUE(tokenizer->decode(tokenizer->encode(text, "here")) == text) << unit;
  }
}

TEST(Sentencepiece, RefusesBadFiles) {
  const std::string pieces = sentencepiece_pieces(), rest = wire_trainer() + wire_normalizer();
  const std::string no_model = "no sentencepiece model, or one that is cut off";
  std::string without_byte = pieces;
  without_byte.replace(without_byte.find("<0x41>"), 6, "<0xZZ>");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", no_model},
      {"IQ== 0\nIg== 1\n", no_model},  // a tiktoken file, which LLaMA 3 names alike
      {good_model().substr(0, good_model().size() - 3), no_model},
      {good_model().substr(0, 1000), no_model},
      {rest, no_model},
      {std::string(11, '\xFF'), no_model},
      {pieces + wire_piece("a", 1) + rest, "piece 'a' stands twice"},
      {pieces + wire_piece("<u>", 2) + rest, "2 unknown pieces, one is due"},
      {wire_piece("a", 1) + rest, "0 unknown pieces, one is due"},
      {pieces + wire_piece(std::string("x\0", 2), 1) + rest,
       "piece 266: 2 bytes, 1 to 10000 of UTF-8 without NUL are due"},
      {pieces + wire_piece(std::string(1'000'000, 'x'), 1) + rest,
       "piece 266: 1000000 bytes, 1 to 10000 of UTF-8 without NUL are due"},
      {pieces + wire_piece("\xFF", 1) + rest, "piece 266: 1 bytes, 1 to 10000 of UTF-8 without NUL are due"},
      {pieces + wire_piece("x", 9) + rest, "piece 266: kind 9, 1 to 6 are known"},
      {pieces + wire_trainer(1) + wire_normalizer(), "model_type unigram is not supported (supported: BPE)"},
      {pieces + wire_trainer() + wire_normalizer("\x08\x01"),
       "normalization 'identity' is not supported (supported: identity)"},
      {pieces + wire_trainer() + wire_normalizer("", 1), "remove_extra_whitespaces is not supported"},
      {pieces + rest + wire_field(2, wire_field(24, std::uint64_t{1})),
       "treat_whitespace_as_suffix is not supported"},
      {pieces + wire_trainer(), "remove_extra_whitespaces is not supported"}};
  for (const auto& [bytes, said] : cases) {
    const std::string message = message_of([&, &model = bytes] { load_model(model); }),
                      name = "tokenizer.model: ";
    const std::size_t at = message.find(name);
    EXPECT_EQ(at == std::string::npos ? message : message.substr(at + name.size()), said);
  }
  EXPECT_NE(message_of([&] { load_model(without_byte + rest); }).find("sentencepiece says: "),
            std::string::npos);
}

}  // namespace
}  // namespace headsweep
