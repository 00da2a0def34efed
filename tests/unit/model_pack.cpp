// model: packed trees: who sees whom, positions, kept rows and entries against their definitions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "unit/model_support.hpp"

namespace headsweep {
namespace {

using testing::ElementsAre;

std::vector<std::int64_t> indices(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous();
  return {flat.data_ptr<std::int64_t>(), flat.data_ptr<std::int64_t>() + flat.numel()};
}
std::vector<float> floats(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

TEST(ModelPack, AnswersShareTheirPrompt) {
  const TokenBatch batch =
      pack({{{5, 6}, {{7, 8, 9}, {10, 11}}, 1}, {{12}, {{13}, {}}, 0}}, Keep::answers, at::kCPU);
  EXPECT_EQ(batch.trees, 2);
  EXPECT_EQ(batch.tokens, 6);
  EXPECT_EQ(batch.longest, 5);
  EXPECT_THAT(indices(batch.ids), ElementsAre(5, 6, 7, 8, 10, 12));
  EXPECT_THAT(indices(batch.positions), ElementsAre(0, 1, 2, 3, 2, 0));
  EXPECT_THAT(indices(batch.tree), ElementsAre(0, 0, 0, 0, 0, 1));
  EXPECT_THAT(batch.clump_begin, ElementsAre(0, 5, 6));
  EXPECT_THAT(batch.start, ElementsAre(2, 2, 2, 2, 2, 1));
  EXPECT_THAT(batch.own, ElementsAre(0, 0, 2, 2, 4, 0));  // the second answer does not see the first
  EXPECT_THAT(floats(batch.active), ElementsAre(0, 1, 1, 1, 1, 1));
  EXPECT_THAT(indices(batch.kept), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(batch.kept_rows, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(batch.kept_begin, ElementsAre(0, 4, 5));
  EXPECT_THAT(indices(batch.entry_row), ElementsAre(0, 1, 2, 0, 3, 4));
  EXPECT_THAT(indices(batch.entry_id), ElementsAre(7, 8, 9, 10, 11, 13));
  EXPECT_THAT(indices(batch.entry_answer), ElementsAre(0, 0, 0, 1, 1, 2));
  EXPECT_THAT(floats(batch.answer_tokens), ElementsAre(3, 2, 1, 0));
  EXPECT_EQ(batch.answers, 4);
}

TEST(ModelPack, LastAndAll) {
  const std::vector<TokenTree> texts{{{1, 2, 3}, {}, 0}, {{4, 5}, {}, 1}};
  const TokenBatch last = pack(texts, Keep::last, at::kCPU);
  EXPECT_THAT(indices(last.ids), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(indices(last.kept), ElementsAre(2, 4));
  EXPECT_THAT(last.kept_begin, ElementsAre(0, 1, 2));
  EXPECT_THAT(last.start, ElementsAre(3, 3, 3, 2, 2));
  EXPECT_EQ(last.entry_id.numel(), 0);
  EXPECT_EQ(last.answers, 0);

  const TokenBatch all = pack(texts, Keep::all, at::kCPU);
  EXPECT_THAT(indices(all.ids), ElementsAre(1, 2, 4));
  EXPECT_THAT(indices(all.kept), ElementsAre(0, 1, 2));
  EXPECT_THAT(all.clump_begin, ElementsAre(0, 2, 3));
  EXPECT_THAT(all.start, ElementsAre(2, 2, 1));
  EXPECT_THAT(indices(all.entry_row), ElementsAre(0, 1, 2));
  EXPECT_THAT(indices(all.entry_id), ElementsAre(2, 3, 5));
  EXPECT_THAT(indices(all.entry_answer), ElementsAre(0, 0, 1));
  EXPECT_THAT(floats(all.answer_tokens), ElementsAre(2, 1));
  EXPECT_THAT(floats(all.active), ElementsAre(1, 1, 0));
}

std::vector<int> count_up(int first, int count) {
  std::vector<int> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

TEST(ModelPack, ACommonStartStandsOnce) {
  std::vector<int> one = count_up(100, 16), other = one;
  one.insert(one.end(), {1, 2});
  other.insert(other.end(), {3});
  const std::vector<TokenTree> trees{{one, {{4, 5, 6}, {7}}, 0}, {other, {{8, 9}}, 0}};
  const TokenBatch batch = pack(trees, Keep::answers, at::kCPU, Starts::joined);
  EXPECT_EQ(batch.shared, 16);
  EXPECT_EQ(batch.trees, 2);
  EXPECT_THAT(batch.clump_begin, ElementsAre(0, 22));
  EXPECT_THAT(indices(batch.ids.slice(0, 14)), ElementsAre(114, 115, 1, 2, 4, 5, 3, 8));
  EXPECT_THAT(indices(batch.positions.slice(0, 14)), ElementsAre(14, 15, 16, 17, 18, 19, 16, 17));
  EXPECT_THAT(indices(batch.tree.slice(0, 14)), ElementsAre(0, 0, 0, 0, 0, 0, 1, 1));
  const auto tail = [](const std::vector<std::int32_t>& values) {
    return std::vector<std::int32_t>(values.begin() + 14, values.end());
  };
  EXPECT_THAT(tail(batch.start), ElementsAre(16, 16, 16, 16, 16, 16, 16, 16));
  EXPECT_THAT(tail(batch.middle), ElementsAre(0, 0, 0, 0, 16, 16, 0, 20));
  EXPECT_THAT(tail(batch.middle_end), ElementsAre(0, 0, 0, 0, 18, 18, 0, 21));
  EXPECT_THAT(tail(batch.own), ElementsAre(0, 0, 16, 16, 18, 18, 20, 21));
  EXPECT_THAT(batch.prompt_begin, ElementsAre(16, 20));
  EXPECT_THAT(batch.prompt_tokens, ElementsAre(2, 1));
  EXPECT_THAT(batch.kept_rows, ElementsAre(17, 18, 19, 20, 21));
  EXPECT_THAT(batch.kept_begin, ElementsAre(0, 5));
  EXPECT_THAT(indices(batch.entry_id), ElementsAre(4, 5, 6, 7, 8, 9));
  EXPECT_THAT(indices(batch.entry_row), ElementsAre(0, 1, 2, 0, 3, 4));
}

TEST(ModelPack, AStartIsSharedOnlyWhereThatIsSound) {
  const auto shared_of = [](int common, std::vector<int> edit_starts) {
    std::vector<TokenTree> trees;
    for (std::size_t i = 0; i < edit_starts.size(); ++i) {
      trees.push_back({count_up(0, common), {{1}}, edit_starts[i]});
      trees.back().prompt.push_back(1000 + static_cast<int>(i));
    }
    return shared_start(trees);
  };
  EXPECT_EQ(shared_of(40, {0, 0}), 40);
  EXPECT_EQ(shared_of(40, {40, 43}), 40);
  EXPECT_EQ(shared_of(40, {30, 43}), 30);  // edits act from a shared token on
  EXPECT_EQ(shared_of(40, {0, 43}), 0);    // on the start of one prompt, and not on that of the other
  EXPECT_EQ(shared_of(15, {0, 0}), 0);
  EXPECT_EQ(shared_of(40, {0}), 0);
  const std::vector<int> text = count_up(0, 20);
  EXPECT_EQ(shared_start({{text, {{1}}, 0}, {text, {{1}}, 0}}), 19);  // each keeps a last token of its own
}

TEST(ModelPack, RefusesWhatItCannotMean) {
  EXPECT_THROW(pack({}, Keep::last, at::kCPU), std::logic_error);
  EXPECT_THROW(pack({{{}, {}, 0}}, Keep::last, at::kCPU), std::logic_error);
  EXPECT_THROW(pack({{{1}, {{2}}, 0}}, Keep::last, at::kCPU), std::logic_error);
  EXPECT_THROW(pack({{{1}, {}, 0}}, Keep::all, at::kCPU), std::logic_error);
}

}  // namespace
}  // namespace headsweep
