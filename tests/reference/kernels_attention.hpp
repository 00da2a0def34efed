// Slow plain twins of the attention over token trees, in double precision, on dense arrays.
#pragma once

#include <headsweep/kernels.hpp>

#include "reference/kernels.hpp"

namespace headsweep::plain {

/// Trees of any shape as the kernels take them, with what they point to.
struct Trees {
  std::vector<std::int32_t> begin{0}, start, middle, middle_end, own, query, query_begin{0};
  bool subset = false;  ///< only `query` asks

  /// One tree: a prompt and answers of these lengths.
  void add(int prompt_length, const std::vector<int>& answers) {
    // Where a prompt's own tokens begin says nothing: at its begin or, in every other tree, behind it.
    for (int i = 0; i < prompt_length; ++i)
      add_token({prompt_length, 0, 0, begin.size() % 2 == 0 ? prompt_length : 0});
    int first = prompt_length;
    for (const int length : answers) {
      for (int i = 0; i < length; ++i) add_token({prompt_length, 0, 0, first});
      first += length;
    }
    finish();
  }
  /// A start that several prompts share, each with answers.
  void add_shared(int shared, const std::vector<std::pair<int, std::vector<int>>>& prompts) {
    for (int i = 0; i < shared; ++i) add_token({shared, 0, 0, 0});
    int first = shared;
    for (const auto& [length, answers] : prompts) {
      const int prompt = first;
      for (int i = 0; i < length; ++i) add_token({shared, 0, 0, prompt});
      first += length;
      for (const int answer : answers) {
        for (int i = 0; i < answer; ++i) add_token({shared, prompt, prompt + length, first});
        first += answer;
      }
    }
    finish();
  }
  [[nodiscard]] kernels::TreeLayout layout() const {
    std::int64_t longest = 0;
    for (std::size_t i = 0; i + 1 < begin.size(); ++i)
      longest = std::max<std::int64_t>(longest, begin[i + 1] - begin[i]);
    return {.tree_begin = begin.data(),
            .start = start.data(),
            .middle = middle.data(),
            .middle_end = middle_end.data(),
            .own = own.data(),
            .query = subset ? query.data() : nullptr,
            .query_begin = subset ? query_begin.data() : nullptr,
            .trees = static_cast<std::int64_t>(begin.size()) - 1,
            .tokens = static_cast<std::int64_t>(start.size()),
            .queries = static_cast<std::int64_t>(subset ? query.size() : start.size()),
            .longest = longest};
  }
  /// Calls each(query, token) for the pairs that see each other.
  template <class Each>
  void for_pairs(const Each& each) const {
    const kernels::TreeLayout all = layout();
    for (std::int64_t tree = 0; tree < all.trees; ++tree)
      for (std::int64_t q = (subset ? query_begin : begin)[index(tree)];
           q < (subset ? query_begin : begin)[index(tree + 1)]; ++q) {
        const std::int64_t token = subset ? query[index(q)] : q, place = token - begin[index(tree)];
        const std::size_t t = index(token);
        for (std::int64_t j = 0; j <= place; ++j)
          if (j < start[t] || (j >= middle[t] && j < middle_end[t]) || j >= own[t])
            each(q, begin[index(tree)] + j);
      }
  }

 private:
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
  struct Seen {
    int start, middle, middle_end, own;
  };
  void add_token(const Seen& seen) {
    if (start.size() % 3 != 1) query.push_back(static_cast<std::int32_t>(start.size()));
    start.push_back(seen.start);
    middle.push_back(seen.middle);
    middle_end.push_back(seen.middle_end);
    own.push_back(seen.own);
  }
  void finish() {
    begin.push_back(static_cast<std::int32_t>(start.size()));
    query_begin.push_back(static_cast<std::int32_t>(query.size()));
  }
};

/// One lane and head: rows of D numbers.
struct Head {
  std::vector<Row> queries, keys, values;
};
struct Attended {
  std::vector<Row> outputs;
  Row lse;
};
inline Attended attend(const Trees& trees, const Head& head) {
  const std::size_t width = head.keys[0].size();
  std::vector<Row> scores(head.queries.size());
  std::vector<std::vector<std::size_t>> seen(head.queries.size());
  trees.for_pairs([&](std::int64_t query, std::int64_t token) {
    const auto q = static_cast<std::size_t>(query), t = static_cast<std::size_t>(token);
    seen[q].push_back(t);
    scores[q].push_back(dot(head.queries[q], head.keys[t]) / std::sqrt(static_cast<double>(width)));
  });
  Attended result;
  for (std::size_t q = 0; q < scores.size(); ++q) {
    result.lse.push_back(log_sum_exp(scores[q]));
    const Row weights = softmax(scores[q]);
    Row output(width, 0);
    for (std::size_t i = 0; i < weights.size(); ++i)
      output = sum(output, head.values[seen[q][i]], weights[i]);
    result.outputs.push_back(output);
  }
  return result;
}

/// The gradients of queries, keys and values, from what the forward gave.
inline Head attend_gradient(const Trees& trees, const Head& head, const Attended& forward,
                            const std::vector<Row>& doutputs) {
  const std::size_t width = head.keys[0].size();
  const double factor = 1 / std::sqrt(static_cast<double>(width));
  Head gradient{std::vector<Row>(head.queries.size(), Row(width, 0)),
                std::vector<Row>(head.keys.size(), Row(width, 0)),
                std::vector<Row>(head.keys.size(), Row(width, 0))};
  trees.for_pairs([&](std::int64_t query, std::int64_t token) {
    const auto q = static_cast<std::size_t>(query), t = static_cast<std::size_t>(token);
    const double weight = std::exp(factor * dot(head.queries[q], head.keys[t]) - forward.lse[q]);
    const double dscore =
        factor * weight * (dot(doutputs[q], head.values[t]) - dot(doutputs[q], forward.outputs[q]));
    gradient.values[t] = sum(gradient.values[t], doutputs[q], weight);
    gradient.queries[q] = sum(gradient.queries[q], head.keys[t], dscore);
    gradient.keys[t] = sum(gradient.keys[t], head.queries[q], dscore);
  });
  return gradient;
}

}  // namespace headsweep::plain
