"""Starts programs of the build folder on several ranks."""
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("HEADSWEEP_BUILD", "build")
# Like a cluster's network on one machine: no shared memory, so that a counter answers only while its owner is inside MPI.
OVER_TCP = ["--mca", "osc", "^sm", "--mca", "pml", "ob1", "--mca", "btl", "tcp,self"]


def environment():
    """OMP_NUM_THREADS=1 and leave to run as root, where the tests do."""
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"} if os.geteuid() == 0 else {}
    return {**os.environ, "OMP_NUM_THREADS": "1", **allowed}


def launch_line(ranks, program, *arguments, options=()):
    """The mpirun command line; `program` is a path in the build folder."""
    return ["mpirun", "-q", "--bind-to", "none", "--oversubscribe", "-n", str(ranks), *options,
            str(BUILD / program), *map(str, arguments)]


def run_ranks(ranks, program, *arguments, options=(), timeout=120):
    """Runs to the end; returns the completed process with its text."""
    return subprocess.run(launch_line(ranks, program, *arguments, options=options), env=environment(),
                          capture_output=True, text=True, timeout=timeout)
