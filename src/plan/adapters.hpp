// plan, private: sizes of lora's adapters, by the shape of the model alone.
#pragma once

#include <headsweep/plan.hpp>

namespace headsweep {

/// What a linear layer reads and writes.
struct LinearShape {
  double inputs = 0, outputs = 0;
};
LinearShape shape_of(const ModelShape& model, EditTarget target);
/// Values of A and B of one transformer layer.
double adapter_values(const ModelShape& model, const LoraSpec& lora);

}  // namespace headsweep
