// comm: launch and small collectives over MPI_COMM_WORLD.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <headsweep/base.hpp>
#include <headsweep/comm.hpp>

#include "comm/launch.hpp"
#include "comm/mpi.hpp"

namespace headsweep {
namespace {

/// MPI counts in int; pieces of this size also keep its buffers small.
constexpr std::size_t piece_bytes = std::size_t{64} << 20;

std::int64_t reduce(std::int64_t value, MPI_Op how) {
  std::int64_t result = 0;
  mpi_ok(MPI_Allreduce(&value, &result, 1, MPI_INT64_T, how, MPI_COMM_WORLD), "MPI_Allreduce");
  return result;
}

void broadcast_from(int root, void* data, std::size_t bytes, MPI_Comm ranks = MPI_COMM_WORLD) {
  char* next = static_cast<char*>(data);
  for (std::size_t left = bytes; left > 0;) {
    const std::size_t piece = std::min(left, piece_bytes);
    mpi_ok(MPI_Bcast(next, static_cast<int>(piece), MPI_BYTE, root, ranks), "MPI_Bcast");
    next += piece;
    left -= piece;
  }
}

/// The first rank's bytes on every rank of a group.
std::string broadcast_text(std::string bytes, MPI_Comm ranks) {
  std::uint64_t size = bytes.size();
  broadcast_from(0, &size, sizeof size, ranks);
  bytes.resize(size);
  broadcast_from(0, bytes.data(), size, ranks);
  return bytes;
}

}  // namespace

void mpi_ok(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> words{};
  int length = 0;
  MPI_Error_string(code, words.data(), &length);
  throw Error(ExitCode::internal, cat(call, ": ", words.data()));
}

void broadcast_bytes(void* data, std::size_t bytes) { broadcast_from(0, data, bytes); }

struct World::Node {
  MPI_Comm ranks = MPI_COMM_NULL;
};

namespace {

/// Where Open MPI's settings leave no window between hosts, all but the one that failed there are let in
/// again; whoever has chosen by OMPI_MCA_osc keeps that.
void let_windows_in() {
  const std::filesystem::path settings = "/etc/openmpi/openmpi-mca-params.conf";
  std::error_code error;
  if (std::filesystem::is_regular_file(settings, error) && rules_out_windows_over_tcp(read_file(settings)))
    ::setenv("OMPI_MCA_osc", "^ucx", 0);
}

}  // namespace

World::World(int* argc, char*** argv) : node_(std::make_shared<Node>()) {
  const Launch launch = launch_of([](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  });
  if (!launch.joins) require_one_world(launch, 1);  // MPI_Init would end the process with words of its own
  let_windows_in();
  int provided = MPI_THREAD_SINGLE;
  mpi_ok(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
  mpi_ok(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  mpi_ok(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "MPI_Comm_rank");
  mpi_ok(MPI_Comm_size(MPI_COMM_WORLD, &size_), "MPI_Comm_size");
  require_one_world(launch, size_);
  require(provided >= MPI_THREAD_FUNNELED, "MPI: thread level ", provided,
          " found, MPI_THREAD_FUNNELED is due");
  mpi_ok(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &node_->ranks),
         "MPI_Comm_split_type");
  mpi_ok(MPI_Comm_rank(node_->ranks, &node_rank_), "MPI_Comm_rank");
  mpi_ok(MPI_Comm_size(node_->ranks, &node_size_), "MPI_Comm_size");
}

void World::tick() const {
  int waiting = 0;
  mpi_ok(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &waiting, MPI_STATUS_IGNORE), "MPI_Iprobe");
}

void World::barrier() const { mpi_ok(MPI_Barrier(MPI_COMM_WORLD), "MPI_Barrier"); }

std::string World::broadcast(std::string bytes) const {
  return broadcast_text(std::move(bytes), MPI_COMM_WORLD);
}

std::string World::node_broadcast(std::string bytes) const {
  return broadcast_text(std::move(bytes), node_->ranks);
}

void World::node_barrier() const { mpi_ok(MPI_Barrier(node_->ranks), "MPI_Barrier"); }

std::vector<std::string> World::all_gather(const std::string& bytes) const {
  const std::uint64_t size = bytes.size();
  std::vector<std::uint64_t> sizes(static_cast<std::size_t>(size_));
  mpi_ok(MPI_Allgather(&size, 1, MPI_UINT64_T, sizes.data(), 1, MPI_UINT64_T, MPI_COMM_WORLD),
         "MPI_Allgather");
  std::vector<std::string> all(sizes.size());
  // A broadcast per rank, not MPI_Allgatherv, whose offsets are int: the sum of all ranks' bytes may pass
  // 2^31.
  for (int root = 0; root < size_; ++root) {
    std::string& part = all[static_cast<std::size_t>(root)];
    if (root == rank_) part = bytes;
    part.resize(sizes[static_cast<std::size_t>(root)]);
    broadcast_from(root, part.data(), part.size());
  }
  return all;
}

void World::gather(const std::string& bytes,
                   const std::function<void(int rank, const std::string&)>& take) const {
  constexpr int tag = 1;
  const std::uint64_t size = bytes.size();
  std::vector<std::uint64_t> sizes(static_cast<std::size_t>(size_));
  mpi_ok(MPI_Gather(&size, 1, MPI_UINT64_T, sizes.data(), 1, MPI_UINT64_T, 0, MPI_COMM_WORLD), "MPI_Gather");
  if (rank_ == 0) take(0, bytes);
  for (int root = 1; root < size_; ++root) {
    if (rank_ != 0 && rank_ != root) continue;
    std::string received(rank_ == 0 ? sizes[static_cast<std::size_t>(root)] : 0, '\0');
    const std::size_t whole = rank_ == 0 ? received.size() : bytes.size();
    for (std::size_t done = 0; done < whole; done += piece_bytes) {
      const auto piece = static_cast<int>(std::min(whole - done, piece_bytes));
      if (rank_ == 0)
        mpi_ok(
            MPI_Recv(received.data() + done, piece, MPI_BYTE, root, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE),
            "MPI_Recv");
      else
        mpi_ok(MPI_Send(bytes.data() + done, piece, MPI_BYTE, 0, tag, MPI_COMM_WORLD), "MPI_Send");
    }
    if (rank_ == 0) take(root, received);
  }
}

std::int64_t World::sum(std::int64_t value) const { return reduce(value, MPI_SUM); }
std::int64_t World::max(std::int64_t value) const { return reduce(value, MPI_MAX); }

void World::close() {
  mpi_ok(MPI_Comm_free(&node_->ranks), "MPI_Comm_free");
  mpi_ok(MPI_Finalize(), "MPI_Finalize");
}

void World::abort(int exit_code) const {
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::_Exit(exit_code);
}

}  // namespace headsweep
