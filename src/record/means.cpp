// record: means over items and references.
#include <cmath>
#include <headsweep/record.hpp>

namespace headsweep {
namespace {

/// Share of ones among the numbers that are known.
class Share {
 public:
  void add(float value) {
    if (std::isnan(value)) return;
    sum_ += value;
    ++count_;
  }
  [[nodiscard]] double value() const { return count_ > 0 ? sum_ / count_ : not_measured; }

 private:
  double sum_ = 0, count_ = 0;
};

}  // namespace

JudgeQuality quality_of(const std::vector<Reference>& references) {
  Share truth_yes, truth_no, info_yes, info_no;
  for (const Reference& reference : references) {
    const auto& [truth, info] = std::pair(reference.verdict.truth, reference.verdict.info);
    if (reference.kind == ReferenceKind::incorrect)
      truth_no.add(1 - truth);
    else
      truth_yes.add(truth);
    if (reference.kind == ReferenceKind::refusal)
      info_no.add(1 - info);
    else
      info_yes.add(info);
  }
  return {.truth_sensitivity = truth_yes.value(),
          .truth_specificity = truth_no.value(),
          .info_sensitivity = info_yes.value(),
          .info_specificity = info_no.value()};
}

void set_judged_means(std::span<const Item> items, Metrics& metrics) {
  const auto mean = [&](const auto& value_of) {
    double total = 0;
    for (const Item& item : items) total += value_of(item);
    return static_cast<float>(total / static_cast<double>(items.size()));
  };
  metrics.truth = mean([](const Item& item) { return item.truth; });
  metrics.info = mean([](const Item& item) { return item.info; });
  metrics.truth_info = metrics.truth * metrics.info;
  metrics.both = mean([](const Item& item) { return item.truth * item.info; });
}

}  // namespace headsweep
