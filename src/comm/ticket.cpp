// comm: the shared counter: one number in a window of rank 0, drawn by fetch-and-add.
#include <headsweep/comm.hpp>

#include "comm/mpi.hpp"

namespace headsweep {

struct Ticket::Window {
  MPI_Win handle = MPI_WIN_NULL;
};

Ticket::Ticket(const World& world) : window_(std::make_shared<Window>()) {
  std::int64_t* counter = nullptr;
  const MPI_Aint bytes = world.rank() == 0 ? sizeof *counter : 0;
  MPI_Win& window = window_->handle;
  mpi_ok(MPI_Win_allocate(bytes, sizeof *counter, MPI_INFO_NULL, MPI_COMM_WORLD, &counter, &window),
         "MPI_Win_allocate");
  mpi_ok(MPI_Win_set_errhandler(window, MPI_ERRORS_RETURN), "MPI_Win_set_errhandler");
  mpi_ok(MPI_Win_lock_all(0, window), "MPI_Win_lock_all");
  if (world.rank() == 0) *counter = 0;
  mpi_ok(MPI_Win_sync(window), "MPI_Win_sync");  // the zero is seen before anyone passes the barrier
  world.barrier();
}

std::int64_t Ticket::add(std::int64_t amount) {
  std::int64_t before = 0;
  mpi_ok(MPI_Fetch_and_op(&amount, &before, MPI_INT64_T, 0, 0, MPI_SUM, window_->handle), "MPI_Fetch_and_op");
  mpi_ok(MPI_Win_flush(0, window_->handle), "MPI_Win_flush");
  return before;
}

std::int64_t Ticket::next() { return add(1); }
void Ticket::exhaust() { add(std::int64_t{1} << 40); }

void Ticket::close() {
  mpi_ok(MPI_Win_unlock_all(window_->handle), "MPI_Win_unlock_all");
  mpi_ok(MPI_Win_free(&window_->handle), "MPI_Win_free");
}

}  // namespace headsweep
