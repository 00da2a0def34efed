// probe: labelled texts in, head outputs of their last tokens out. A call's texts are fixed by its number.
#include <algorithm>
#include <headsweep/probe.hpp>

namespace headsweep {

int capture_calls(std::size_t texts, int batch) {
  const auto size = static_cast<std::size_t>(batch);
  return static_cast<int>((texts + size - 1) / size);
}

at::Tensor capture(const Weights& weights, const std::vector<ProbeText>& texts, int batch, int call) {
  expect(call >= 0 && call < capture_calls(texts.size(), batch), "a capture call beyond the texts");
  const auto size = static_cast<std::size_t>(batch);
  const std::size_t begin = static_cast<std::size_t>(call) * size, end = std::min(texts.size(), begin + size);
  std::vector<TokenTree> trees;
  for (std::size_t i = begin; i < end; ++i) trees.push_back({.prompt = texts[i].ids, .answers = {}});
  return head_outputs(weights, pack(trees, Keep::last, weights.device()));
}

}  // namespace headsweep
