// plan: what a job takes, by hand: work, memory, disk.
#include <gtest/gtest.h>

#include "unit/plan_job.hpp"

namespace headsweep {
namespace {

Plan plan_of(const JobSpec& job) { return make_plan(job, small_shape, small_data, nullptr); }

double cost_of(const JobSpec& job) { return plan_of(job).blocks.at(0).cost; }

TEST(Cost, CountsFlopsByHand) {
  // One lane at layer 1 of 3, no evaluation: 10 pairs x 2 epochs. Shared: layer 0, attention of layer 1, its
  // gate and up. The lane's: down of layer 1; of layer 2 keys and values of all tokens, the rest of 16 rows.
  const double tokens = 16 + 2 * 8, rows = 16, width = 32;
  const double keys = 2 * (2 * 32 * width), queries = keys, scores = 4 * width * tokens,
               product = 2 * 32 * 64, words = 2 * 32 * 100;
  const double shared =
      tokens * ((queries + keys + scores + 3 * product) + (queries + keys + scores) + 2 * product);
  const double lane = tokens * (product + keys) + rows * (queries + scores + 3 * product + words);
  JobSpec job = small_job("a: {heads: [L1.H0]}", "optimal: {at: [a], tau: [1]}");
  EXPECT_DOUBLE_EQ(cost_of(job), 20 * (shared + 2 * lane));
  // A product of 4 pairs' tokens is one of 128 rows; 64 more make it half as long again.
  const Plan plan = plan_of(job);
  EXPECT_DOUBLE_EQ(block_cost(job, small_data, plan, plan.blocks.at(0), 64), 1.5 * cost_of(job));
  // In the last layer the lane's MLP has the rows alone; kept prefixes are no block's.
  job.run.prefixes = Prefixes::kept;
  EXPECT_DOUBLE_EQ(cost_of(job), 20 * (tokens * 2 * product + 2 * lane));
  job.locations[0].heads = {{2, 0}};
  EXPECT_DOUBLE_EQ(cost_of(job), 20 * rows * (2 * product + 2 * (product + words)));
}

TEST(Cost, FallsWithTheFirstLayerAndIsSharedByLanes) {
  const auto optimal = [](const std::string& heads, const std::string& taus) {
    return cost_of(small_job("a: {heads: [" + heads + "]}", "optimal: {at: [a], tau: [" + taus + "]}"));
  };
  EXPECT_GT(optimal("L0.H0", "1"), optimal("L1.H0", "1"));
  EXPECT_GT(optimal("L1.H0", "1"), optimal("L2.H0", "1"));
  EXPECT_EQ(optimal("L1.H0, L2.H0", "1"), optimal("L1.H0", "1"));
  EXPECT_LT(optimal("L1.H0", "1, 2"), 2 * optimal("L1.H0", "1"));
  const std::string iti = "iti: {at: [a], alpha: [1]}";
  EXPECT_EQ(cost_of(small_job("a: {heads: [L0.H0]}", iti)), 0);  // nothing to train, nothing asked to measure
  EXPECT_GT(cost_of(small_job("a: {heads: [L0.H0]}", iti, "evaluation: {answers: [val], choice: [test]}\n")),
            0);
}

TEST(Memory, WeighsTheModel) {
  JobSpec job = small_job("every: all", "iti: {at: [every], alpha: [1]}");
  // 3 layers of 4 x 32 x 32 + 3 x 32 x 64, embedding 100 x 32, 7 norms in float32; 4 bytes each.
  const double tied = account_memory(job, small_shape, small_data, true).weights;
  EXPECT_EQ(tied, 4.0 * (3 * (4096 + 6144) + 3200 + 7 * 32));
  EXPECT_EQ(account_memory(job, small_shape, small_data, false).weights, tied + 4.0 * 3200);
  job.model.precision = Precision::bf16;
  EXPECT_EQ(account_memory(job, small_shape, small_data, true).weights, (tied + 4.0 * 7 * 32) / 2);
}

TEST(Memory, JudgesAreWeighedAndTheirTextsCounted) {
  const std::string evaluation = "evaluation: {answers: [test], judge: {truth: t}}\n";
  const JobSpec job = small_job("every: all", "iti: {at: [every], alpha: [1]}", evaluation);
  DataSize data = small_data;
  EXPECT_EQ(account_memory(job, small_shape, data, true).judges, 0);
  const Plan plan = make_plan(job, small_shape, data, nullptr);
  const double alone = block_cost(job, data, plan, plan.blocks.at(0));
  data.judges = {{.shape = small_shape, .tied = true, .prompts = 2, .text_tokens = 30, .call_tokens = 240}};
  const double weights = account_memory(job, small_shape, data, true).weights;
  const double judges = account_memory(job, small_shape, data, true).judges;
  EXPECT_GT(judges, weights);
  data.judges.push_back(data.judges.front());
  EXPECT_EQ(account_memory(job, small_shape, data, true).judges, judges + weights);
  data.judges.pop_back();
  // Of each token: 2 layers of q, k, v, o (4 x 32 x 32), scores and 3 products of 32 x 64, at 2 FLOPs; of the
  // last layer's tokens the keys and values alone; then its row and the words.
  const double layer = 2 * 4 * 32 * 32 + 4 * 32 * 30 + 3 * 2 * 32 * 64, keys = 2 * 2 * 32 * 32;
  const double row = layer - keys + 2 * 32 * 100;
  const double text = 30 * (2 * layer + keys) + row;
  EXPECT_DOUBLE_EQ(block_cost(job, data, plan, plan.blocks.at(0)) - alone, 2 * data.test_questions * text);
}

TEST(Memory, LanesGrowWithWhatIsTrainedAndMeasured) {
  JobSpec job = small_job("every: all", "optimal: {at: [every], tau: [1]}");
  const MemoryAccount four = account_memory(job, small_shape, small_data, true);
  job.training.batch *= 64;
  const MemoryAccount many = account_memory(job, small_shape, small_data, true);
  EXPECT_GT(many.lane, 8 * four.lane);
  EXPECT_EQ(many.prefixes, four.prefixes);  // each text once, however it is batched
  // 10 pairs of 16 + 2 x 8 tokens: o (32) and the residual (32) of each.
  EXPECT_EQ(four.prefixes, 10 * 32 * 4.0 * (32 + 32));
  EXPECT_EQ(lanes_that_fit(four, four.block + 5.5 * four.lane), 5);
  EXPECT_EQ(lanes_that_fit(four, 0), 1);
  EXPECT_TRUE(keeps_prefixes(job, four, 2.1 * four.prefixes));
  EXPECT_FALSE(keeps_prefixes(job, four, 1.9 * four.prefixes));
}

TEST(Memory, OfAnswersGrowsWithTheirPromptsByHand) {
  JobSpec job = small_job("every: all", "iti: {at: [every], alpha: [1]}",
                          "evaluation: {answers: [test], questions: 3, max_new_tokens: 10}\n");
  job.model.device = Device::cpu;
  DataSize data = small_data;
  data.generation_tokens = 1000;  // a primer, before each question
  // A prompt token leaves o (32), keys and values (64) of 3 layers, beside what one layer has in hand: the
  // residual, 2 x 32 and 3 x 64 values; a new token leaves keys and values; an answer has 100 logits.
  const double prompt = 4.0 * 3 * (32 + 64) + 4 * 32 + 4 * (2 * 32 + 3 * 64),
               answer = 4.0 * (3 * 64 * 10 + 100);
  EXPECT_EQ(account_memory(job, small_shape, data, true).lane, 3 * (1000 * prompt + answer));
  data.generation_shared = 900;  // the primer once
  EXPECT_EQ(account_memory(job, small_shape, data, true).lane, 900 * prompt + 3 * (100 * prompt + answer));
  job.model.device = Device::cuda;  // all 1,200 tokens in one matrix a head
  EXPECT_EQ(account_memory(job, small_shape, data, true).lane,
            900 * prompt + 3 * (100 * prompt + answer) + 4.0 * small_shape.heads * 1200 * 1200);
}

/// Prompts to answer, to choose by and to train on are three sizes.
TEST(Cost, OfEachUseHangsOnItsOwnTexts) {
  const auto cost = [](const char* evaluation, const DataSize& data) {
    const JobSpec job = small_job("every: all", "iti: {at: [every], alpha: [1]}",
                                  cat("evaluation: {", evaluation, ": [test]}\n"));
    return make_plan(job, small_shape, data, nullptr).blocks.at(0).cost;
  };
  DataSize generation = small_data, choice = small_data, training = small_data;
  generation.generation_tokens = choice.choice_prompt_tokens = training.prompt_tokens = 500;
  for (const char* use : {"answers", "drift", "choice", "pairs"}) {
    const double usual = cost(use, small_data);
    const bool answers = use == std::string("answers") || use == std::string("drift");
    EXPECT_EQ(cost(use, generation) > 10 * usual, answers) << use;
    EXPECT_EQ(cost(use, choice) > 5 * usual, use == std::string("choice")) << use;
    EXPECT_EQ(cost(use, training) > 10 * usual, use == std::string("pairs")) << use;
  }
}

TEST(Disk, HoldsTheItemsOfBothParts) {
  const auto bytes = [](const std::string& evaluation) {
    const JobSpec job =
        small_job("every: all", "iti: {at: [every], alpha: [1, 2]}", "evaluation: {" + evaluation + "}\n");
    return account_disk(job, small_data, make_plan(job, small_shape, small_data, nullptr)).results;
  };
  // 2 trials x 5 questions x 8 tokens x 2 bytes; 4 tokens more where the model writes the marks itself.
  const double none = bytes("");
  EXPECT_DOUBLE_EQ(bytes("answers: [test]") - none, 2 * 5 * 8 * 2);
  EXPECT_DOUBLE_EQ(bytes("answers: [val, test]") - none, 2 * 10 * 8 * 2);
  EXPECT_DOUBLE_EQ(bytes("answers: [val], answer_after: 'A:', answer_before: 'Q:'") - none, 2 * 5 * 12 * 2);
}

}  // namespace
}  // namespace headsweep
