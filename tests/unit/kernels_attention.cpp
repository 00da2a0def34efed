// kernels: the fused attention over token trees, forward and backward, against its twin: trees of many
// shapes, grouped heads, widths, subsets of queries, lanes, strides.
#include "reference/kernels_attention.hpp"

#include "unit/kernels_support.hpp"

namespace headsweep::kernels_test {
namespace {

using plain::Attended;
using plain::Head;
using plain::Trees;

constexpr std::int64_t lanes = 2;
std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

struct Shape {
  std::int64_t heads, kv_heads, width;
};
/// A buffer of rows; the heads' numbers begin at `offset` of each row.
struct Place {
  Numbers* numbers;
  std::int64_t offset, stride, heads;
  Number number;
  [[nodiscard]] void* data() const {
    return static_cast<std::byte*>(numbers->data()) + offset * (number == Number::f32 ? 4 : 2);
  }
};

std::vector<Row> rows_of(const Place& place, std::int64_t first, std::int64_t count, std::int64_t head,
                         std::int64_t width) {
  const Row values = place.numbers->values();
  std::vector<Row> rows;
  for (std::int64_t i = first; i < first + count; ++i) {
    const auto from = values.begin() + i * place.stride + place.offset + head * width;
    rows.emplace_back(from, from + width);
  }
  return rows;
}
Row joined(const std::vector<Row>& rows) {
  Row all;
  for (const Row& row : rows) append(all, row);
  return all;
}

/// Everything that one attention reads and writes. Queries, keys and values share their rows where all tokens
/// ask, as one product makes them; rows of a subset lie apart.
class Case {
 public:
  Case(const Trees& trees, const Shape& shape, Number number)
      : trees_(trees),
        layout_(trees_.layout()),
        shape_(shape),
        number_(number),
        own_((shape.heads + 2 * shape.kv_heads) * shape.width),
        asked_(trees.subset ? shape.heads * shape.width + 3 : own_),
        rows_(number, draw(lanes * layout_.tokens * own_, 3, "rows", shape.width)),
        queries_(number, draw(trees.subset ? lanes * layout_.queries * asked_ : 0, 3, "queries")),
        drows_(number, Row(at(lanes * layout_.tokens * own_), 7)),
        dqueries_(number, Row(at(trees.subset ? lanes * layout_.queries * asked_ : 0), 7)),
        outputs_(number, Row(at(lanes * layout_.queries * shape.heads * shape.width))),
        doutputs_(number, draw(lanes * layout_.queries * shape.heads * shape.width, 2, "doutputs")),
        lse_(at(lanes * layout_.queries * shape.heads)) {}

  void run(Isa isa) {
    const auto split = [&](const auto& operation) {
      // Uneven cuts, last rows first.
      const std::int64_t cut = operation.rows() / 3;
      kernels::run(operation, number_, cut, operation.rows(), isa);
      kernels::run(operation, number_, 0, cut, isa);
    };
    split(forward());
    split(kernels::AttentionBackward{.forward = forward(),
                                     .doutputs = doutputs_.data(),
                                     .dqueries = queries(true).data(),
                                     .dkeys = keys(true).data(),
                                     .dvalues = values(true).data(),
                                     .dquery_stride = asked_,
                                     .dstride = own_});
  }
  void check() {
    for (std::int64_t lane = 0; lane < lanes; ++lane)
      for (std::int64_t kv = 0; kv < shape_.kv_heads; ++kv) check_group(lane, kv);
  }
  /// What lies between the gradients stays as it was.
  void check_gaps() {
    const Row values = dqueries_.values();
    for (std::size_t i = 0; i < values.size(); ++i)
      if (static_cast<std::int64_t>(i) % asked_ >= shape_.heads * shape_.width) {
        ASSERT_EQ(values[i], 7);
      }
    if (!trees_.subset) return;
    const Row rows = drows_.values();
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (static_cast<std::int64_t>(i) % own_ < shape_.heads * shape_.width) {
        ASSERT_EQ(rows[i], 7);
      }
  }
  /// One key of lane 0, head 0 is NaN: so are the outputs of those who see it, and of nobody else; so are
  /// their gradients, and at most others of that lane and head.
  void spoil_key(std::int64_t token) {
    keys(false).numbers->set(at(token * own_ + keys(false).offset), std::numeric_limits<double>::quiet_NaN());
  }
  void check_spoiled(std::int64_t token) {
    std::vector<bool> sees(at(layout_.queries));
    trees_.for_pairs(
        [&](std::int64_t query, std::int64_t seen) { sees[at(query)] = sees[at(query)] || seen == token; });
    const Place outputs{&outputs_, 0, shape_.heads * shape_.width, shape_.heads, number_};
    for (std::int64_t head = 0; head < shape_.heads; ++head) {
      const std::vector<Row> found = rows_of(outputs, 0, lanes * layout_.queries, head, shape_.width);
      const std::vector<Row> gradients =
          rows_of(queries(true), 0, lanes * layout_.queries, head, shape_.width);
      for (std::int64_t row = 0; row < lanes * layout_.queries; ++row) {
        const bool near = row < layout_.queries && head < shape_.heads / shape_.kv_heads,
                   reads = near && sees[at(row)];
        const auto is_finite = [](const Row& values) { return std::isfinite(plain::dot(values, values)); };
        ASSERT_EQ(is_finite(found[at(row)]), !reads) << "row " << row << ", head " << head;
        if (reads || !near) {
          ASSERT_EQ(is_finite(gradients[at(row)]), !reads) << "row " << row << ", head " << head;
        }
      }
    }
  }
  /// Without lse, as where no gradient is wanted.
  void run_forward(Isa isa) {
    kernels::AttentionForward operation = forward();
    operation.lse = nullptr;
    kernels::run(operation, number_, 0, operation.rows(), isa);
  }
  Row results() { return joined({outputs_.values(), doubles(lse_), drows_.values(), dqueries_.values()}); }

 private:
  Place queries(bool gradient) {
    if (trees_.subset) return {gradient ? &dqueries_ : &queries_, 0, asked_, shape_.heads, number_};
    return {gradient ? &drows_ : &rows_, 0, own_, shape_.heads, number_};
  }
  Place keys(bool gradient) {
    return {gradient ? &drows_ : &rows_, shape_.heads * shape_.width, own_, shape_.kv_heads, number_};
  }
  Place values(bool gradient) {
    return {gradient ? &drows_ : &rows_, (shape_.heads + shape_.kv_heads) * shape_.width, own_,
            shape_.kv_heads, number_};
  }
  kernels::AttentionForward forward() {
    return {.layout = layout_,
            .queries = queries(false).data(),
            .keys = keys(false).data(),
            .values = values(false).data(),
            .outputs = outputs_.data(),
            .lse = lse_.data(),
            .lanes = lanes,
            .heads = shape_.heads,
            .kv_heads = shape_.kv_heads,
            .width = shape_.width,
            .query_stride = asked_,
            .stride = own_};
  }
  /// The heads that read one key-value head of a lane.
  void check_group(std::int64_t lane, std::int64_t kv) {
    const std::int64_t group = shape_.heads / shape_.kv_heads, width = shape_.width;
    const std::int64_t first = lane * layout_.tokens, first_query = lane * layout_.queries;
    Row dkeys(at(layout_.tokens * width), 0), dvalues = dkeys;
    double size = 1;
    for (std::int64_t head = kv * group; head < (kv + 1) * group; ++head) {
      const Head operands{rows_of(queries(false), first_query, layout_.queries, head, width),
                          rows_of(keys(false), first, layout_.tokens, kv, width),
                          rows_of(values(false), first, layout_.tokens, kv, width)};
      const Attended wanted = plain::attend(trees_, operands);
      const Place outputs{&outputs_, 0, shape_.heads * width, shape_.heads, number_};
      const Place doutputs{&doutputs_, 0, shape_.heads * width, shape_.heads, number_};
      Attended found{rows_of(outputs, first_query, layout_.queries, head, width), {}};
      for (std::int64_t q = 0; q < layout_.queries; ++q)
        found.lse.push_back(lse_[at((first_query + q) * shape_.heads + head)]);
      expect_close(joined(found.outputs), joined(wanted.outputs), tolerance(number_, 10),
                   cat("outputs of head ", head));
      expect_close(found.lse, wanted.lse, {1e-6, 4e-6}, cat("lse of head ", head));
      const Head gradient = plain::attend_gradient(
          trees_, operands, found, rows_of(doutputs, first_query, layout_.queries, head, width));
      expect_close(joined(rows_of(queries(true), first_query, layout_.queries, head, width)),
                   joined(gradient.queries), tolerance(number_, 100),
                   cat("gradient of queries of head ", head));
      dkeys = plain::sum(dkeys, joined(gradient.keys));
      dvalues = plain::sum(dvalues, joined(gradient.values));
      size += 100;
    }
    expect_close(joined(rows_of(keys(true), first, layout_.tokens, kv, width)), dkeys,
                 tolerance(number_, size), "keys");
    expect_close(joined(rows_of(values(true), first, layout_.tokens, kv, width)), dvalues,
                 tolerance(number_, size), "values");
  }

  Trees trees_;
  kernels::TreeLayout layout_;
  Shape shape_;
  Number number_;
  std::int64_t own_, asked_;
  Numbers rows_, queries_, drows_, dqueries_, outputs_, doutputs_;
  Array<float> lse_;
};

using Shapes = std::vector<std::pair<int, std::vector<int>>>;
Trees trees_of(const Shapes& shapes, bool subset) {
  Trees trees;
  trees.subset = subset;
  for (const auto& [prompt, answers] : shapes) trees.add(prompt, answers);
  return trees;
}
/// A tree whose prompts share a start, and one beside it.
Trees clump_of(int shared, const Shapes& prompts, bool subset) {
  Trees trees;
  trees.subset = subset;
  trees.add_shared(shared, prompts);
  trees.add(3, {2, 1});
  return trees;
}

class Attention : public testing::TestWithParam<std::tuple<Isa, Number>> {};

TEST_P(Attention, IsThatOfThePlainTwin) {
  const std::vector<std::vector<std::pair<int, std::vector<int>>>> forests = {
      {{1, {}}},
      {{9, {}}, {1, {1}}, {5, {3, 4}}},
      {{25, {11, 11}}, {13, {7, 20}}},
      {{1, {5, 1, 9, 2}}, {40, {}}, {3, {2, 2, 2, 2, 2, 2, 2, 2, 2, 2}}},
      {{70, {17, 1, 30}}, {2, {16, 33, 16}}}};
  const auto [isa, number] = GetParam();
  for (std::size_t i = 0; i < forests.size(); ++i)
    for (const bool subset : {false, true})
      for (const Shape shape :
           {Shape{4, 4, 16}, {4, 2, 8}, {4, 1, 24}, {2, 1, 64}, {1, 1, 128}, {2, 2, 1}, {3, 3, 40}}) {
        SCOPED_TRACE(cat("forest ", i, subset ? ", a subset asks" : "", ", heads ", shape.heads, ", width ",
                         shape.width));
        Case attention(trees_of(forests[i], subset), shape, number);
        attention.run(isa);
        attention.check();
        attention.check_gaps();
        if (HasFatalFailure()) return;
      }
}

TEST_P(Attention, OfPromptsThatShareTheirStart) {
  const auto [isa, number] = GetParam();
  const std::vector<std::pair<int, Shapes>> clumps = {{16, {{1, {}}, {2, {}}, {1, {}}}},
                                                      {40, {{5, {3, 9}}, {30, {1, 20, 2}}, {1, {4}}}},
                                                      {17, {{2, {1, 1, 1}}, {3, {70}}, {60, {2, 8}}}}};
  for (const auto& [shared, prompts] : clumps)
    for (const bool subset : {false, true})
      for (const Shape shape : {Shape{4, 2, 16}, {2, 1, 64}, {3, 3, 40}}) {
        SCOPED_TRACE(cat("start of ", shared, subset ? ", a subset asks" : "", ", width ", shape.width));
        Case attention(clump_of(shared, prompts, subset), shape, number);
        attention.run(isa);
        attention.check();
        attention.check_gaps();
        if (HasFatalFailure()) return;
      }
}

TEST_P(Attention, GivesTheSameBitsAgainAndWithoutLse) {
  const auto [isa, number] = GetParam();
  Case twice(trees_of({{25, {11, 11}}, {13, {7, 20}}}, false), {4, 2, 16}, number);
  twice.run(isa);
  const Row first = twice.results();
  twice.run(isa);
  EXPECT_EQ(twice.results(), first);
  twice.run_forward(isa);
  EXPECT_EQ(twice.results(), first);
}

TEST_P(Attention, NanReachesThoseWhoSeeIt) {
  const auto [isa, number] = GetParam();
  for (const std::int64_t token : {0, 19, 22, 40}) {
    Case spoiled(trees_of({{20, {11, 11}}, {5, {3}}}, true), {4, 2, 16}, number);
    spoiled.spoil_key(token);
    spoiled.run(isa);
    spoiled.check_spoiled(token);
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, Attention,
                         testing::Combine(testing::ValuesIn(isas_here()),
                                          testing::Values(Number::f32, Number::bf16)),
                         name_of_isa);

TEST(PlainAttention, GradientsAreThoseOfFiniteDifferences) {
  Trees trees = trees_of({{3, {2, 1}}, {1, {2}}}, true);
  const std::int64_t width = 3, tokens = trees.layout().tokens, queries = trees.layout().queries;
  const auto split = [&](const Row& values, std::int64_t count) {
    std::vector<Row> rows;
    for (std::int64_t i = 0; i < count; ++i) rows.push_back(row_of(values, i, width));
    return rows;
  };
  const auto head_of = [&](const Row& all) {
    const Row later(all.begin() + queries * width, all.end());
    return Head{split(all, queries), split(later, tokens),
                split(Row(later.begin() + tokens * width, later.end()), tokens)};
  };
  const Row all = draw((queries + 2 * tokens) * width, 2, "all"),
            doutputs = draw(queries * width, 2, "doutputs");
  const auto loss = [&](const Row& x) {
    return plain::dot(joined(plain::attend(trees, head_of(x)).outputs), doutputs);
  };
  const Head found = plain::attend_gradient(trees, head_of(all), plain::attend(trees, head_of(all)),
                                            split(doutputs, queries));
  expect_close(joined({joined(found.queries), joined(found.keys), joined(found.values)}),
               plain::differences(loss, all), {1e-8, 1e-8}, "gradient");
}

}  // namespace
}  // namespace headsweep::kernels_test
