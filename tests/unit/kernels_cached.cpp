// kernels: attention of one new token a row against a prompt's keys and those generated since, against the
// plain twin.
#include "reference/kernels_attention.hpp"
#include "unit/kernels_support.hpp"

namespace headsweep::kernels_test {
namespace {

class Cached : public testing::TestWithParam<std::tuple<Driver, Number>> {};
std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

/// Rows that read prompts of two trees: of their own lane, or of all; behind a start of `shared` tokens, if
/// there is one; slots of the generated keys in any order.
struct World {
  std::int64_t heads, kv_heads, width, generated, shared;
  Number number;
  std::int64_t tokens = 31, room = 9, n = 5, kept = kv_heads * width;
  std::int64_t prompt_stride = (heads + 2 * kv_heads) * width, query_stride = heads * width + 3;
  Array<std::int32_t> start{0, 5, 31, 31, 40}, first{0, 12, 31, 43, 31}, length{12, 19, 12, 19, 1},
      slot{4, 2, 0, 1, 6};
  Numbers queries{number, draw(n* query_stride, 3, "queries")};
  Numbers prompt{number, draw(2 * tokens * prompt_stride, 3, "prompt")};
  Numbers keys{number, draw(7 * room * kept, 3, "keys")}, values{number, draw(7 * room * kept, 3, "values")};
  Numbers outputs{number, Row(at(n* heads* width), 7)};

  void run(Driver driver) {
    const std::int64_t size = number == Number::f32 ? 4 : 2;
    const auto part = [&](std::int64_t offset) {
      return static_cast<std::byte*>(prompt.data()) + offset * size;
    };
    const kernels::CachedAttention operation{.queries = queries.data(),
                                             .prompt_keys = part(heads * width),
                                             .prompt_values = part((heads + kv_heads) * width),
                                             .keys = keys.data(),
                                             .values = values.data(),
                                             .outputs = outputs.data(),
                                             .start = start.data(),
                                             .first = first.data(),
                                             .length = length.data(),
                                             .slot = slot.data(),
                                             .shared = shared,
                                             .n = n,
                                             .longest = 19 + shared,
                                             .generated = generated,
                                             .room = room,
                                             .heads = heads,
                                             .kv_heads = kv_heads,
                                             .width = width,
                                             .query_stride = query_stride,
                                             .prompt_stride = prompt_stride};
    if (driver == Driver::cuda) return launch_and_wait(operation, number);
    kernels::run(operation, number, 2, n, static_cast<Isa>(driver));
    kernels::run(operation, number, 0, 2, static_cast<Isa>(driver));
  }
  /// What a row and head should give: all keys are seen.
  [[nodiscard]] Row wanted(std::int64_t row, std::int64_t head) const {
    const std::int64_t kv = head / (heads / kv_heads), seen = shared + length[at(row)] + generated;
    plain::Head operands;
    const auto take = [&](const Numbers& from, std::int64_t begin) {
      const Row all = from.values();
      return Row(all.begin() + begin, all.begin() + begin + width);
    };
    const auto take_prompt = [&](std::int64_t token) {
      const std::int64_t begin = token * prompt_stride + (heads + kv) * width;
      operands.keys.push_back(take(prompt, begin));
      operands.values.push_back(take(prompt, begin + kept));
    };
    for (std::int64_t i = 0; i < shared; ++i) take_prompt(start[at(row)] + i);
    for (std::int64_t i = 0; i < length[at(row)]; ++i) take_prompt(first[at(row)] + i);
    for (std::int64_t i = 0; i < generated; ++i) {
      const std::int64_t begin = (slot[at(row)] * room + i) * kept + kv * width;
      operands.keys.push_back(take(keys, begin));
      operands.values.push_back(take(values, begin));
    }
    plain::Trees one;
    one.add(static_cast<int>(seen), {});
    one.subset = true;
    one.query = {static_cast<std::int32_t>(seen - 1)};
    one.query_begin = {0, 1};
    operands.queries.push_back(take(queries, row * query_stride + head * width));
    return plain::attend(one, operands).outputs[0];
  }
};

TEST_P(Cached, AttentionIsThatOfThePlainTwin) {
  const auto [driver, number] = GetParam();
  for (const auto& [heads, kv_heads, width] :
       {std::tuple{4, 4, 16}, {4, 2, 8}, {4, 1, 24}, {2, 1, 64}, {2, 2, 128}, {3, 3, 1}})
    for (const auto& [generated, shared] : {std::pair{0, 0}, {1, 0}, {9, 0}, {0, 1}, {3, 11}}) {
      World world{.heads = heads,
                  .kv_heads = kv_heads,
                  .width = width,
                  .generated = generated,
                  .shared = shared,
                  .number = number};
      world.run(driver);
      for (std::int64_t row = 0; row < world.n; ++row)
        for (std::int64_t head = 0; head < heads; ++head)
          expect_close(row_of(world.outputs.values(), row * heads + head, width), world.wanted(row, head),
                       tolerance(number, 10), cat("row ", row, ", head ", head, ", width ", width));
    }
}

std::vector<Driver> without_workers() {
  std::vector<Driver> drivers = drivers_here();
  std::erase(drivers, Driver::workers);
  return drivers;
}
INSTANTIATE_TEST_SUITE_P(Kernels, Cached,
                         testing::Combine(testing::ValuesIn(without_workers()),
                                          testing::Values(Number::f32, Number::bf16)),
                         name_of);

}  // namespace
}  // namespace headsweep::kernels_test
