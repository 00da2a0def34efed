// sweep: what no trial changes: the model, the behaviour's texts, and per fold what is packed once for all
// blocks.
#pragma once

#include <headsweep/data.hpp>
#include <headsweep/edit.hpp>
#include <headsweep/eval.hpp>
#include <headsweep/model.hpp>
#include <headsweep/plan.hpp>
#include <map>
#include <memory>
#include <utility>

#include "sweep/teacher.hpp"

namespace headsweep {

/// Texts of the job as ids; read before a weight is.
struct Texts {
  Behaviour behaviour;
  TextFormats formats;
  std::unique_ptr<Tokenizer> tokenizer;
  bool estimated = false;  ///< the tokenizer is a rough one
  ModelConfig config;
  std::vector<TokenizedQuestion> training;  ///< prompts and answers that pairs are made of
  std::vector<TokenizedQuestion> choices;   ///< those of multiple choice; empty if there is none
  std::vector<std::vector<int>> prompts;    ///< to answer, one a question; empty if none is answered
  std::vector<Split> splits;                ///< one per fold
  std::vector<std::vector<int>> documents;  ///< running text
  /// Per fold: the texts whose head outputs give the probe, and sigma; of the latter none if they are the
  /// same.
  std::vector<std::vector<ProbeText>> probe, sigma;
  std::optional<StoredTeacher> teacher;  ///< whose answers drift is measured against, too
  std::string hash;                      ///< of what is read: questions, running text, primer, tokenizer
};
/// Refuses what no plan can be made of, learning rates that lack for one, before a text is read.
void check_plan(const JobSpec& job);
/// What is made of a model folder without tokenizer: an error, or texts of estimated tokens, any number of
/// which are read.
enum class NoTokenizer { refused, estimated };
Texts read_texts(const JobSpec& job, NoTokenizer absent = NoTokenizer::refused);
ModelShape shape_of(const ModelConfig& config);
/// Means over the first fold, for the cost of blocks.
DataSize size_of_data(const JobSpec& job, const Texts& texts);

/// What the folds of a job have in common.
struct Common {
  const JobSpec& job;
  const Texts& texts;
  const Weights& weights;
  std::shared_ptr<Judge> judge;
  std::optional<Teacher> teacher = {};
};

/// One fold's pairs and evaluation, and the training batches last asked for.
class FoldGround {
 public:
  /// `common` must outlive it.
  FoldGround(const Common& common, int fold);
  [[nodiscard]] const Evaluation& evaluation() const { return *evaluation_; }
  /// Training pairs in the order of the seed, labelled so, each seen so often; 0: as the job says.
  [[nodiscard]] TrainingInputs training(std::uint64_t seed, Labels labels = Labels::truth, int epochs = 0);
  /// Pairs that edits are measured on, packed for the token from which an edit acts.
  struct Measured {
    PairBatch sample;                         ///< the first validation pairs: the size of edits
    std::vector<PairBatch> validation, test;  ///< loss and margin; empty unless the job asks for them
    PrefixMemo prefixes;
  };
  [[nodiscard]] Measured& measured(EditFrom from);

 private:
  [[nodiscard]] bool keeps_prefixes() const { return job_.run.prefixes != Prefixes::recomputed; }
  const JobSpec& job_;
  const Weights& weights_;
  const Behaviour& behaviour_;
  int fold_;
  std::vector<Pair> train_, validation_, test_;
  std::map<EditFrom, Measured> measured_;
  std::unique_ptr<Evaluation> evaluation_;
  std::pair<std::uint64_t, Labels> trained_;  ///< seed and labels of `training_`
  std::unique_ptr<TrainingData> training_;
  std::unique_ptr<TrainingPrefixes> prefixes_;
};

/// Folds made when first needed; one at a time is kept.
class Ground {
 public:
  /// Brings the teacher of the texts to the weights' device.
  Ground(const JobSpec& job, const Texts& texts, const Weights& weights, std::shared_ptr<Judge> judge);
  FoldGround& fold(int fold);

 private:
  Common common_;
  int current_ = -1;
  std::unique_ptr<FoldGround> ground_;
};

}  // namespace headsweep
