// sweep: the stages before the first block: device, weights, localiser, plan, header.
#pragma once

#include <headsweep/comm.hpp>
#include <headsweep/sweep.hpp>

#include "sweep/ground.hpp"

namespace headsweep {

/// The device of this rank; BadInput where the job asks for a GPU that is not there. Collective.
at::Device choose_device(const JobSpec& job, const World& world, bool share_gpus);
/// What the bits of a device may hang on: the GPU's name, or the kind of CPU.
std::string device_kind(at::Device device);
/// How weights are read; BadInput where this CPU has no products of their precision.
LoadOptions load_options(Precision precision, at::Device device);
/// Same bits on the same GPU: no float atomics, a fixed workspace for matrix products.
void fix_gpu_arithmetic();
/// Weights and the memory that they lie in, if that is shared.
struct SharedWeights {
  std::shared_ptr<NodeMemory> memory;
  Weights weights;
};
/// A model folder, and how it is read.
struct WeightSource {
  const std::filesystem::path& folder;
  const ModelConfig& config;
  Precision precision = Precision::f32;
  bool strict = false;  ///< see LoadOptions
};
/// Weights on every rank: on CPU one prepared copy a host, on GPUs read by rank 0 and broadcast. Collective.
SharedWeights share_weights(const World& world, const WeightSource& source, at::Device device);
/// Whether this rank opens the model's files.
bool reads_weights(const World& world, at::Device device);

/// One localiser table per fold; calls of `capture` are shared among the ranks and gathered. Collective.
std::vector<HeadTable> run_localiser(const World& world, const JobSpec& job, const Texts& texts,
                                     const Weights& weights);
/// What is written before the first block; the unedited model is measured here.
struct HeaderInputs {
  const JobSpec& job;  ///< with nothing left to choose: see tune
  const SweepIdentity& identity;
  const RunOptions& options;
  const Texts& texts;
  const Weights& weights;
  Ground& ground;
  Judge& judge;
};
/// The behaviour's questions with their parts in each fold.
std::vector<QuestionRow> question_rows(const JobSpec& job, const Texts& texts);
/// The unedited model, per fold.
std::vector<SweepHeader::Baseline> measure_unedited(Ground& ground, int folds);
SweepHeader make_header(const HeaderInputs& in, const std::vector<HeadTable>& tables,
                        std::vector<Reference> references);
/// The tables as stored and back: what a resume uses in place of probing again.
HeadRows rows_of(const HeadTable& table);
HeadTable table_of(const HeadRows& rows, const ModelConfig& config);

}  // namespace headsweep
