// comm, private: MPI called through one checked function, and bytes of any length.
#pragma once

#include <cstddef>
#define OMPI_SKIP_MPICXX  // the C interface alone; the C++ one would want another library
#include <mpi.h>

namespace headsweep {

/// Throws Error(internal) with MPI's own words unless `code` is success; `call` names the function.
void mpi_ok(int code, const char* call);

/// Rank 0's bytes into everyone's buffer of the same length, also beyond 2^31. Collective.
void broadcast_bytes(void* data, std::size_t bytes);

}  // namespace headsweep
