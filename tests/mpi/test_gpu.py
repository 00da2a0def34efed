"""A sweep on a GPU, where there is one: the CPU's numbers, its own bits again, ranks that share it."""
import numpy as np
import pytest

from small_sweep import datasets, differing, kill_everything, parts, start, sweep, wait_until, write_job

NOT_HERE = ("no GPU is visible", "this build has no CUDA kernels")
# Largest differences from the CPU, of float32 products that sum in another order, after a training of a few steps.
NEAR = {"baseline/test/mc2": 1e-4, "heads/probe/score": 0.03, "trials/train_loss": 0.05,
        "metrics/validation/margin": 0.05}


@pytest.fixture(scope="module")
def on_gpu(tmp_path_factory):
    """The job and the folder of a sweep that one rank has done in one go on the GPU."""
    base = tmp_path_factory.mktemp("gpu")
    job = write_job(base, **{"device: cpu": "device: cuda"})
    done = sweep(job, base / "runs")
    if any(words in done.stderr for words in NOT_HERE):
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return job, base / "runs"


def test_numbers_are_the_cpus(on_gpu, whole):
    ours, cpus = (datasets(folder / "results.h5") for _, folder in (on_gpu, whole))
    for name, near in NEAR.items():
        assert np.nanmax(np.abs(ours[name] - cpus[name])) < near, name
    answers = np.mean(ours["baseline/items/truth"] == cpus["baseline/items/truth"])
    assert answers > 0.9, "a near tie may fall to the other side"


def test_killed_and_resumed_gives_the_same_bits(on_gpu, tmp_path):
    job, folder = on_gpu
    process = start(job, tmp_path / "runs")
    wait_until(lambda: len(parts(tmp_path / "runs")) >= 2 or process.poll() is not None)
    kill_everything(process, tmp_path / "runs")
    done = sweep(job, tmp_path / "runs", "--resume")
    assert done.returncode == 0, done.stderr
    assert differing(folder / "results.h5", tmp_path / "runs" / "results.h5") == []


def test_ranks_share_a_gpu_only_if_told_to(on_gpu, tmp_path):
    """The weights go through host memory: NCCL refuses two ranks on one GPU."""
    job, folder = on_gpu
    refused = sweep(job, tmp_path / "runs", ranks=17)
    assert refused.returncode == 3
    assert "start one rank a GPU" in refused.stderr and len(refused.stderr.strip().splitlines()) == 1
    done = sweep(job, tmp_path / "runs", "--share-gpus", ranks=2)
    assert done.returncode == 0, done.stderr
    assert differing(folder / "results.h5", tmp_path / "runs" / "results.h5") == []
