// model: packed trees: who sees whom, positions, kept rows and entries against their definitions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  EXPECT_THAT(batch.tree_begin, ElementsAre(0, 5, 6));
  EXPECT_THAT(batch.prompt, ElementsAre(2, 2, 2, 2, 2, 1));
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
  EXPECT_THAT(last.prompt, ElementsAre(3, 3, 3, 2, 2));
  EXPECT_EQ(last.entry_id.numel(), 0);
  EXPECT_EQ(last.answers, 0);

  const TokenBatch all = pack(texts, Keep::all, at::kCPU);
  EXPECT_THAT(indices(all.ids), ElementsAre(1, 2, 4));
  EXPECT_THAT(indices(all.kept), ElementsAre(0, 1, 2));
  EXPECT_THAT(all.tree_begin, ElementsAre(0, 2, 3));
  EXPECT_THAT(all.prompt, ElementsAre(2, 2, 1));
  EXPECT_THAT(indices(all.entry_row), ElementsAre(0, 1, 2));
  EXPECT_THAT(indices(all.entry_id), ElementsAre(2, 3, 5));
  EXPECT_THAT(indices(all.entry_answer), ElementsAre(0, 0, 1));
  EXPECT_THAT(floats(all.answer_tokens), ElementsAre(2, 1));
  EXPECT_THAT(floats(all.active), ElementsAre(1, 1, 0));
}

TEST(ModelPack, RefusesWhatItCannotMean) {
  EXPECT_THROW(pack({}, Keep::last, at::kCPU), std::logic_error);
  EXPECT_THROW(pack({{{}, {}, 0}}, Keep::last, at::kCPU), std::logic_error);
  EXPECT_THROW(pack({{{1}, {{2}}, 0}}, Keep::last, at::kCPU), std::logic_error);
  EXPECT_THROW(pack({{{1}, {}, 0}}, Keep::all, at::kCPU), std::logic_error);
}

}  // namespace
}  // namespace headsweep
