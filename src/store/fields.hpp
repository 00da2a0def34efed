// store/fields: which member of a record stands in which column; written and read through one list.
#pragma once

#include <cstdint>
#include <headsweep/record.hpp>
#include <vector>

namespace headsweep {

/// A number of `Record` and the name of its column.
template <class Record, class Value>
struct Field {
  const char* name;
  Value (*get)(const Record&);
  void (*set)(Record&, Value);
};

/// The field that `Path`, a chain of member pointers, leads to.
template <class Record, class Value, auto... Path>
Field<Record, Value> field(const char* name) {
  return {name, [](const Record& record) { return static_cast<Value>((record.*....*Path)); },
          [](Record& record, Value value) {
            auto& member = (record.*....*Path);
            member = static_cast<std::remove_reference_t<decltype(member)>>(value);
          }};
}

const std::vector<Field<Metrics, float>>& metric_fields();
const std::vector<Field<Item, float>>& item_fields();
/// Of those, and of references, what a judge says.
const std::vector<Field<Verdict, float>>& verdict_fields();
const std::vector<Field<Item, std::uint8_t>>& item_flags();
const std::vector<Field<TrialRecord, float>>& trial_floats();
const std::vector<Field<TrialRecord, std::int32_t>>& trial_integers();

}  // namespace headsweep
