// sweep: what a job would do, from its files' headers alone.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <headsweep/sweep.hpp>
#include <set>
#include <string_view>

#include "sweep/ground.hpp"

namespace headsweep {
namespace {

void count_tested(const Texts& texts, Outline& outline) {
  std::set<std::string_view> groups;
  for (const Split& split : texts.splits)
    for (const int question : split.questions(SplitPart::test)) {
      ++outline.tested_questions;
      groups.insert(texts.behaviour.questions.at(static_cast<std::size_t>(question)).group);
    }
  outline.tested_groups = static_cast<int>(groups.size());
}

}  // namespace

Outline outline_of(const JobSpec& job) {
  check_plan(job);
  const Texts texts = read_texts(job, NoTokenizer::estimated);
  const ModelShape shape = shape_of(texts.config);
  Outline outline;
  outline.data = size_of_data(job, texts);
  outline.plan = make_plan(job, shape, outline.data, nullptr);
  outline.tuning = plan_tuning(job, outline.plan, outline.data, {});
  for (const Block& block : outline.plan.blocks) outline.flops += block.cost;
  for (const Block& block : outline.tuning.plan.blocks) outline.tuning_flops += block.cost;
  outline.memory = account_memory(job, shape, outline.data, texts.config.tied);
  outline.disk = account_disk(job, outline.data, outline.plan);
  outline.questions = static_cast<int>(texts.behaviour.questions.size());
  count_tested(texts, outline);
  outline.train_pairs = static_cast<int>(outline.data.train_pairs);
  outline.estimated = texts.estimated;
  return outline;
}

double measure_flops(int threads) {
  constexpr std::int64_t rows = 384, width = 768;  // about one lane block's rows
  at::set_num_threads(threads);
  const at::Tensor a = at::ones({rows, width}), b = at::ones({width, width});
  at::matmul(a, b);
  const double begin = now_seconds();
  int products = 0;
  while (now_seconds() - begin < 0.2) {
    at::matmul(a, b);
    ++products;
  }
  return 2.0 * rows * width * width * products / (now_seconds() - begin);
}

}  // namespace headsweep
