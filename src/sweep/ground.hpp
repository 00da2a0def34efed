// sweep: what no trial changes: the model, the behaviour's texts, and per fold what is packed once for all
// blocks.
#pragma once

#include <headsweep/data.hpp>
#include <headsweep/edit.hpp>
#include <headsweep/eval.hpp>
#include <headsweep/model.hpp>
#include <headsweep/plan.hpp>
#include <memory>

namespace headsweep {

/// Texts of the job as ids; read before a weight is.
struct Texts {
  Behaviour behaviour;
  std::unique_ptr<Tokenizer> tokenizer;
  ModelConfig config;
  std::vector<TokenizedQuestion> tokens;
  std::vector<Split> splits;                ///< one per fold
  std::vector<std::vector<int>> documents;  ///< running text
  std::string hash;                         ///< of behaviour file, text file, tokenizer
};
Texts read_texts(const JobSpec& job);
ModelShape shape_of(const ModelConfig& config);
/// Means over the first fold, for the cost of blocks.
DataSize size_of_data(const JobSpec& job, const Texts& texts);

/// One fold's pairs and evaluation, and the training batches of the seed last asked for.
class FoldGround {
 public:
  FoldGround(const JobSpec& job, const Texts& texts, const Weights& weights, int fold);
  [[nodiscard]] const Evaluation& evaluation() const { return *evaluation_; }
  [[nodiscard]] const TrainingData& training(std::uint64_t seed);
  /// The first validation pairs, where the size of edits is measured.
  [[nodiscard]] const PairBatch& sample() const { return sample_; }
  /// Pairs whose loss is measured on a part of the split, packed; empty unless the job asks for it.
  [[nodiscard]] const std::vector<PairBatch>& pairs(SplitPart part) const;

 private:
  const JobSpec& job_;
  const Weights& weights_;
  int fold_;
  std::vector<Pair> train_, validation_;
  PairBatch sample_;
  std::vector<PairBatch> validation_batches_, test_batches_;
  std::unique_ptr<Evaluation> evaluation_;
  std::uint64_t seed_ = 0;
  std::unique_ptr<TrainingData> training_;
};

/// Folds made when first needed; one at a time is kept.
class Ground {
 public:
  Ground(const JobSpec& job, const Texts& texts, const Weights& weights)
      : job_(job), texts_(texts), weights_(weights) {}
  FoldGround& fold(int fold);

 private:
  const JobSpec& job_;
  const Texts& texts_;
  const Weights& weights_;
  int current_ = -1;
  std::unique_ptr<FoldGround> ground_;
};

}  // namespace headsweep
