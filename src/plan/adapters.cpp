// plan: sizes of adapters.
#include "plan/adapters.hpp"

namespace headsweep {

LinearShape shape_of(const ModelShape& model, EditTarget target) {
  const double hidden = model.hidden, inner = model.intermediate;
  const double width = static_cast<double>(model.heads) * model.head_dim;
  const double kv_width = static_cast<double>(model.kv_heads) * model.head_dim;
  switch (target) {
    case EditTarget::q:
      return {hidden, width};
    case EditTarget::k:
    case EditTarget::v:
      return {hidden, kv_width};
    case EditTarget::o:
      return {width, hidden};
    case EditTarget::gate:
    case EditTarget::up:
      return {hidden, inner};
    case EditTarget::down:
      return {inner, hidden};
  }
  return {};
}

double adapter_values(const ModelShape& model, const LoraSpec& lora) {
  double values = 0;
  for (const EditTarget target : lora.targets) {
    const LinearShape shape = shape_of(model, target);
    values += lora.rank * (shape.inputs + shape.outputs);
  }
  return values;
}

}  // namespace headsweep
