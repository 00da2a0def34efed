// sweep: planted controls in the making.
#pragma once

#include "sweep/ground.hpp"

namespace headsweep {

/// A known edit and what it does.
struct Planted {
  int index = 0;
  std::vector<Head> heads;  ///< ascending
  std::vector<EditLayer> edit;
  float size_prompt = 0, size_answer = 0;  ///< of the whole edit, see RelativeSize
  std::vector<Question> behaviour;         ///< the questions that it answers otherwise, with both answers
  double tau = 0;
  double rate = 0;                         ///< learning rate of its training; 0: it was not trained
  [[nodiscard]] std::string name() const;  ///< `plant-03`
};

/// What the plants of a job have in common.
struct PlantGround {
  const PlantOptions& options;
  const JobSpec& job;
  const Texts& texts;
};

/// A plant's job as its files will say it; they need not be there.
JobSpec plant_job(const PlantGround& ground, const Planted& planted);
/// Writes the folder of a plant into `parent`, for a place in options.folder; a hash of the model goes into
/// its teacher.h5.
void write_plant(const PlantGround& ground, const Planted& planted, const std::filesystem::path& parent,
                 const std::string& model_hash);

}  // namespace headsweep
