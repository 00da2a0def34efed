// A program for tests/mpi: what comm promises, tried out on the ranks it is started with. Each mode prints
// one line per fact, whole lines only; test_comm.py reads them.
#include <chrono>
#include <cstdio>
#include <headsweep/base.hpp>
#include <headsweep/comm.hpp>
#include <map>
#include <thread>

namespace {

using namespace headsweep;
using Arguments = std::vector<std::string>;

void say(const std::string& line) {
  const std::string text = line + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void wait_ms(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

/// Bytes that differ at every place and for every seed.
std::string pattern(std::size_t size, std::uint64_t seed) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 2654435761U + seed * 97) >> 8);
  return bytes;
}

/// draw N: all ranks draw until the counter passes N; rank 0 prints who drew what.
int draw(const World& world, const Arguments& arguments) {
  const std::int64_t most = std::stoll(arguments.at(0));
  Ticket ticket(world);
  std::vector<std::string> mine;
  for (std::int64_t n = ticket.next(); n < most; n = ticket.next()) mine.push_back(cat(n));
  ticket.close();
  for (const auto& numbers : world.all_gather(join(mine, " ")))
    if (world.rank() == 0) say(numbers);
  return 0;
}

/// busy SECONDS TICK_MS: rank 0 keeps away from MPI, but for a tick every TICK_MS (0: none), while the others
/// draw one number each; prints the longest wait.
int busy(const World& world, const Arguments& arguments) {
  const double seconds = std::stod(arguments.at(0));
  const int tick_ms = std::stoi(arguments.at(1));
  Ticket ticket(world);
  const double begin = now_seconds();
  if (world.rank() == 0) {
    while (now_seconds() < begin + seconds) {
      wait_ms(tick_ms > 0 ? tick_ms : 50);
      if (tick_ms > 0) world.tick();
    }
  } else {
    wait_ms(200);  // rank 0 is busy by now
  }
  const double asked = now_seconds();
  if (world.rank() != 0) ticket.next();
  const std::int64_t waited_ms = world.max(static_cast<std::int64_t>((now_seconds() - asked) * 1000));
  if (world.rank() == 0) say(cat(waited_ms));
  ticket.close();
  return 0;
}

/// collectives BYTES: broadcast and all_gather of BYTES (longer than a piece: in pieces), sum, max.
int collectives(const World& world, const Arguments& arguments) {
  const std::size_t bytes = std::stoull(arguments.at(0));
  const auto rank = static_cast<std::uint64_t>(world.rank());
  const bool broadcast_ok = world.broadcast(pattern(rank == 0 ? bytes : 3, rank)) == pattern(bytes, 0);
  const bool empty_ok = world.broadcast(rank == 0 ? "" : "x").empty();
  const auto all = world.all_gather(pattern(rank * 1000, rank));
  bool gather_ok = all.size() == static_cast<std::size_t>(world.size());
  for (std::size_t i = 0; i < all.size(); ++i) gather_ok = gather_ok && all[i] == pattern(i * 1000, i);
  int taken = 0;
  world.gather(pattern(bytes + rank, rank), [&](int from, const std::string& sent) {
    const auto sender = static_cast<std::uint64_t>(from);
    gather_ok = gather_ok && from == taken++ && sent == pattern(bytes + sender, sender);
  });
  gather_ok = gather_ok && taken == (world.rank() == 0 ? world.size() : 0);
  const std::int64_t large = std::int64_t{1} << 40;
  const std::int64_t sum = world.sum(large + world.rank()), max = world.max(large + world.rank());
  world.barrier();
  say(cat(world.rank(), " ", broadcast_ok, empty_ok, gather_ok, " ", sum - large * world.size(), " ",
          max - large));
  return 0;
}

/// group DEVICE BYTES: the path a GpuGroup takes, and whether rank 0's bytes arrive in host memory.
int group(const World& world, const Arguments& arguments) {
  GpuGroup gpus(world, std::stoi(arguments.at(0)));
  const std::size_t bytes = std::stoull(arguments.at(1));
  std::string buffer = pattern(bytes, static_cast<std::uint64_t>(world.rank()));
  if (gpus.path() != GpuGroup::Path::nccl) gpus.broadcast(buffer.data(), bytes);
  const std::map<GpuGroup::Path, std::string> names{
      {GpuGroup::Path::alone, "alone"}, {GpuGroup::Path::host, "host"}, {GpuGroup::Path::nccl, "nccl"}};
  say(cat(names.at(gpus.path()), " ", buffer == pattern(bytes, 0)));
  return 0;
}

/// memory BYTES: whether the bytes that a host's first rank writes into shared memory are seen by all its
/// ranks.
int memory(const World& world, const Arguments& arguments) {
  const std::size_t bytes = std::stoull(arguments.at(0));
  try {
    const NodeMemory shared(world, bytes);
    auto* data = static_cast<char*>(shared.data());
    if (world.node_rank() == 0) pattern(bytes, 7).copy(data, bytes);
    world.node_barrier();
    say(cat("seen ", std::string_view(data, bytes) == pattern(bytes, 7)));
    world.node_barrier();
  } catch (const BadInput& refusal) {
    say(refusal.what());
  }
  return 0;
}

/// node: places of this rank, and how many GPUs it sees.
int node(const World& world, const Arguments&) {
  say(cat(world.rank(), " ", world.size(), " ", world.node_rank(), " ", world.node_size(), " ",
          GpuGroup::visible_devices()));
  return 0;
}

/// end CODE: all ranks close, then rank 0 alone returns CODE.
int end(const World& world, const Arguments& arguments) {
  return world.rank() == 0 ? std::stoi(arguments.at(0)) : 0;
}

/// abort RANK CODE: one rank gives up while the others wait for it.
int abort(const World& world, const Arguments& arguments) {
  if (world.rank() == std::stoi(arguments.at(0))) world.abort(std::stoi(arguments.at(1)));
  world.barrier();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  World world(&argc, &argv);
  const std::map<std::string, int (*)(const World&, const Arguments&)> modes{
      {"draw", draw},   {"busy", busy},  {"collectives", collectives},
      {"group", group}, {"node", node},  {"memory", memory},
      {"end", end},     {"abort", abort}};
  const int code = modes.at(argv[1])(world, Arguments(argv + 2, argv + argc));
  world.close();
  return code;
}
