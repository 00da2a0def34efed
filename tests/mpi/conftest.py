"""What several files of tests compare with."""
import pytest

from small_sweep import sweep, write_job


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The job and the folder of a sweep that one rank has done in one go."""
    base = tmp_path_factory.mktemp("whole")
    job = write_job(base)
    done = sweep(job, base / "runs")
    assert done.returncode == 0, done.stderr
    return job, base / "runs"
