// A signal may arrive at any instruction, also inside a compiled product.
#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <headsweep/sweep.hpp>
#include <thread>
#include <vector>

#include "model/ops.hpp"

namespace headsweep {
namespace {

TEST(Stop, SignalsDuringProductsRaiseTheFlagAndTouchNothingElse) {
  at::manual_seed(1);
  const std::array<std::array<std::int64_t, 3>, 4> shapes{
      {{256, 128, 384}, {320, 384, 128}, {448, 128, 512}, {64, 128, 351}}};
  std::vector<std::array<at::Tensor, 3>> operands;  // x, matrix, their product in peace
  for (const auto& [rows, inner, outer] : shapes) {
    const at::Tensor x = at::randn({rows, inner}), matrix = at::randn({outer, inner});
    operands.push_back({x, matrix, ops::product(x, matrix)});
  }
  Stop::install();
  std::atomic<bool> done{false};
  std::thread storm([&done, here = pthread_self()] {
    for (int sent = 0; sent < 2000; ++sent) {
      pthread_kill(here, SIGUSR2);
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
    done = true;
  });
  int wrong = 0;
  while (!done)
    for (const auto& [x, matrix, expected] : operands)
      wrong += ops::product(x, matrix).equal(expected) ? 0 : 1;
  storm.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(Stop::level(), Stop::Level::after_block);
}

}  // namespace
}  // namespace headsweep
