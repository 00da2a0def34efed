"""Fixtures of the cluster tests: one Slurm for all of them, and the sweep they disturb done undisturbed."""
import contextlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "mpi"))

from small_sweep import sweep, write_job
from two_nodes import CannotRun, TwoNodes


@pytest.fixture(scope="session")
def slurm():
    with contextlib.ExitStack() as stack:
        try:
            nodes = stack.enter_context(TwoNodes())
        except CannotRun as why:
            pytest.skip(str(why))
        yield nodes


@pytest.fixture(scope="session")
def whole(slurm, tmp_path_factory):
    """A job whose blocks last long enough to be hit by a signal, and its undisturbed results."""
    base = tmp_path_factory.mktemp("whole")
    job = write_job(base, lanes=1, **{"epochs: 1,": "epochs: 4,"})
    done = sweep(job, base / "runs", ranks=2)
    assert done.returncode == 0, done.stderr
    return job, base / "runs" / "results.h5"
