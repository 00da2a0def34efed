// comm: ranks: launch, small collectives, the shared counter of blocks, weights between GPUs. Level 1. The
// only module that knows MPI and NCCL. One process is a group of one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace headsweep {

/// All ranks of a launch. MPI is initialised (FUNNELED) by the constructor and finalised by `close`, never by
/// the destructor: nothing collective sits where an exception can reach.
class World {
 public:
  World(int* argc, char*** argv);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }
  [[nodiscard]] int node_rank() const { return node_rank_; }  ///< among the ranks of this host
  [[nodiscard]] int node_size() const { return node_size_; }

  /// Makes MPI progress, so that a counter owned by this rank answers. Called between steps; a few
  /// microseconds.
  void tick() const;
  // Among the ranks of this host, called by all of them in the same order.
  /// The first rank's bytes on every rank.
  [[nodiscard]] std::string node_broadcast(std::string bytes) const;
  void node_barrier() const;
  // Collectives: called by all ranks in the same order.
  void barrier() const;
  /// Rank 0's bytes on every rank.
  [[nodiscard]] std::string broadcast(std::string bytes) const;
  /// Every rank's bytes, in the order of ranks, on every rank.
  [[nodiscard]] std::vector<std::string> all_gather(const std::string& bytes) const;
  /// Every rank's bytes to rank 0, which alone calls `take`, rank by rank.
  void gather(const std::string& bytes, const std::function<void(int rank, const std::string&)>& take) const;
  [[nodiscard]] std::int64_t sum(std::int64_t value) const;
  [[nodiscard]] std::int64_t max(std::int64_t value) const;
  /// MPI_Finalize; collective.
  void close();
  /// Ends all ranks at once with this exit code.
  [[noreturn]] void abort(int exit_code) const;

 private:
  struct Node;
  int rank_ = 0, size_ = 1, node_rank_ = 0, node_size_ = 1;
  std::shared_ptr<Node> node_;  ///< this host's ranks
};

/// Memory that the ranks of a host share: the first of them fills it, the others read. It goes with the last
/// of them, also when they are killed.
class NodeMemory {
 public:
  /// Collective. BadInput on every rank of a host that has no room for it.
  NodeMemory(const World& world, std::size_t bytes);
  ~NodeMemory();
  NodeMemory(const NodeMemory&) = delete;
  NodeMemory& operator=(const NodeMemory&) = delete;
  [[nodiscard]] void* data() const { return data_; }

 private:
  /// Collective among the ranks of a host, and alike on all of them.
  bool lies_in(const std::filesystem::path& folder, const World& world);
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A counter that all ranks draw from: one-sided fetch-and-add at rank 0, no idle master. Over TCP it answers
/// while rank 0 is inside MPI, hence World::tick.
class Ticket {
 public:
  explicit Ticket(const World& world);  ///< collective
  /// The next number: 0, 1, 2, ..., each given to one rank.
  std::int64_t next();
  /// From now on all ranks draw numbers beyond any that a sweep counts to.
  void exhaust();
  void close();  ///< collective; frees the window

 private:
  std::int64_t add(std::int64_t amount);  ///< returns what was there before
  struct Window;
  std::shared_ptr<Window> window_;
};

class NcclLink;

/// Shares tensors' bytes between the ranks that hold one GPU each (NCCL), or through host memory (MPI) where
/// there is no GPU or two ranks share one. A group of one does nothing.
class GpuGroup {
 public:
  enum class Path { alone, host, nccl };
  /// Collective. `device`: CUDA device of this rank, -1 for CPU. `want_nccl`: false forces the host path.
  GpuGroup(const World& world, int device, bool want_nccl = true);
  ~GpuGroup();
  GpuGroup(const GpuGroup&) = delete;
  GpuGroup& operator=(const GpuGroup&) = delete;
  [[nodiscard]] Path path() const { return path_; }
  /// Rank 0's bytes into everyone's buffer; `data` lies on the device on path nccl, in host memory else.
  /// Collective.
  void broadcast(void* data, std::size_t bytes);
  /// How many GPUs this machine shows to CUDA; 0 without CUDA.
  static int visible_devices();
  /// A device's place on this host's bus: tells GPUs apart; "" without NCCL.
  static std::string place_of(int device);
  /// A device's product name; "" without CUDA.
  static std::string name_of(int device);
  /// Bytes that a device has free; 0 without CUDA.
  static double free_bytes(int device);

 private:
  Path path_ = Path::alone;
  std::unique_ptr<NcclLink> nccl_;
};

}  // namespace headsweep
