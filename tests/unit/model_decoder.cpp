// model: generation with a cache against the packed forward of the whole texts.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "unit/model_support.hpp"

namespace headsweep {
namespace {

using namespace model_test;

/// Logits [K, N, V] after the prompts and the tokens generated so far, each text run anew, each lane alone.
at::Tensor recompute(const Weights& weights, const std::vector<TokenTree>& prompts, const LaneEdits& edits,
                     const std::vector<at::Tensor>& generated) {
  std::vector<at::Tensor> lanes;
  for (int lane = 0; lane < edits.lanes; ++lane) {
    std::vector<at::Tensor> rows;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      TokenTree text = prompts[i];
      for (const at::Tensor& ids : generated)
        text.prompt.push_back(ids[lane][static_cast<std::int64_t>(i)].item<int>());
      const TokenBatch batch = pack_double({text}, Keep::last);
      rows.push_back(logits_of(weights, states_of(weights, batch, lane_of(edits, lane)))[0][0]);
    }
    lanes.push_back(at::stack(rows));
  }
  return at::stack(lanes);
}

class ModelDecoder : public testing::TestWithParam<int> {};

/// The parameter is the first edited layer; 4: none.
TEST_P(ModelDecoder, EqualsFullRecomputation) {
  at::set_num_threads(1);
  const Weights weights = random_weights();
  const std::vector<TokenTree> prompts = without_answers(random_trees(6));
  LaneEdits edits = random_edits();
  if (GetParam() == 0) edits.layers[0] = edits.layers.at(1);
  for (int layer = 1; layer < GetParam(); ++layer) edits.layers.erase(layer);
  const int room = 5;
  Decoder decoder(weights, pack_double(prompts, Keep::last), edits, room);
  std::vector<at::Tensor> generated;
  for (int token = 0;; ++token) {
    const at::Tensor logits = decoder.logits();
    const at::Tensor expected = recompute(weights, prompts, edits, generated);
    ASSERT_EQ(logits.sizes(), expected.sizes());
    EXPECT_LT(largest_difference(logits, expected), 1e-11) << "token " << token;
    EXPECT_TRUE(at::equal(logits.argmax(-1), expected.argmax(-1)));
    if (token == room) break;
    generated.push_back(logits.argmax(-1));
    decoder.step(generated.back());
  }
  EXPECT_THROW(decoder.step(generated.back()), std::logic_error);
}
INSTANTIATE_TEST_SUITE_P(FirstLayer, ModelDecoder, testing::Values(0, 1, 2, 3, 4));

TEST(ModelDecoderLanes, ALaneThatFailsFailsAlone) {
  const Weights weights = as(at::kFloat, random_weights());
  const TokenBatch prompts = pack(without_answers(random_trees(4)), Keep::last, at::kCPU);
  const LaneEdits edits = as(at::kFloat, random_edits());
  LaneEdits broken = edits;
  broken.layers[1].write = edits.layers.at(1).write.clone();
  broken.layers[1].write[1].fill_(std::numeric_limits<double>::quiet_NaN());
  Decoder sound(weights, prompts, edits, 2), hurt(weights, prompts, broken, 2);
  for (int token = 0; token < 2; ++token) {
    const at::Tensor ids = sound.logits().argmax(-1);
    sound.step(ids);
    hurt.step(ids);
    for (const int lane : {0, 2}) EXPECT_TRUE(at::equal(sound.logits()[lane], hurt.logits()[lane]));
    EXPECT_TRUE(hurt.logits()[1].isnan().all().item<bool>());
  }
}

}  // namespace
}  // namespace headsweep
