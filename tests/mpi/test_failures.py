"""The world fails: disks, files, ranks that see different things. One clear line, and nothing finished is lost."""
import os
import shutil
import subprocess

import h5py
import numpy as np
import pytest

from launch import BUILD, environment, launch_line
from small_sweep import differing, headsweep, parts, start, starts, sweep, wait_until, write_job

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk as root")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 400 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no tmpfs can be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


@needs_root
def test_a_disk_that_is_too_small_is_refused_before_the_model_is_read(whole, small_disk):
    refused = sweep(whole[0], small_disk / "runs")
    assert refused.returncode == 3
    assert "bytes are free, the sweep needs about" in refused.stderr and len(refused.stderr.strip().splitlines()) == 1


@needs_root
def test_a_disk_that_fills_up_ends_the_run_and_the_rest_is_computed_elsewhere(whole, tmp_path, small_disk):
    job, folder = whole
    assert sweep(job, tmp_path / "begun", "--limit", "1").returncode == 5
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    shutil.copytree(tmp_path / "begun", small_disk / "runs")
    fill = small_disk / "fill"
    process = start(job, small_disk / "runs", "--resume", ranks=2)
    # The check of the start has seen much room; then someone else takes it.
    wait_until(lambda: starts(small_disk / "runs") > 1)
    free, part = os.statvfs(small_disk), parts(tmp_path / "begun")[0].stat().st_size
    fill.write_bytes(b"x" * (free.f_bavail * free.f_frsize - part * 3 // 2))
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 3, told
    assert "No space left on device" in told
    fill.unlink()
    assert not list(small_disk.rglob("*.tmp-*"))
    shutil.copytree(small_disk / "runs", tmp_path / "moved")
    done = sweep(job, tmp_path / "moved", "--resume")
    assert done.returncode == 0, done.stderr
    assert differing(folder / "results.h5", tmp_path / "moved" / "results.h5") == []


@needs_root
def test_a_read_only_folder_is_refused(whole, small_disk):
    (small_disk / "runs").mkdir()
    subprocess.run(["mount", "-o", "remount,size=64m,ro", small_disk], check=True)
    refused = sweep(whole[0], small_disk / "runs", ranks=2)
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert refused.returncode == 3
    assert "Read-only file system" in refused.stderr and len(refused.stderr.strip().splitlines()) == 1


def test_trials_that_are_not_finite_fail_alone_and_are_tried_again_where_asked(whole, tmp_path):
    job = write_job(tmp_path, **{"2: 0.02": "2: 1.0e+30"})
    runs = tmp_path / "runs"
    stopped = sweep(job, runs, "--max-failed", "0")
    assert stopped.returncode == 5 and "more than --max-failed 0: stopping" in stopped.stderr
    count = len(parts(runs))
    assert sweep(job, runs, "--resume", "--max-failed", "0").returncode == 5
    assert len(parts(runs)) == count, "a resume that has failed too often does no more"
    done = sweep(job, runs, "--resume")
    assert done.returncode == 4, done.stderr
    again = sweep(job, runs, "--resume", "--retry-failed", ranks=2)
    assert again.returncode == 4, again.stderr
    with h5py.File(runs / "results.h5") as results, h5py.File(whole[1] / "results.h5") as sound:
        failed = results["trials/status"][()] == b"failed"
        assert (results["trials/attempt"][()] == np.where(failed, 2, 1)).all() and 0 < failed.sum() < len(failed)
        assert set(results["trials/stage"][failed]) == {b"training"}
        assert all(b"gradient norm" in message for message in results["trials/message"][failed])
        assert (results["trials/lanes"][()] == 2).any()
        for name in ("metrics/test/truth_info", "metrics/test/mc2"):
            assert results[name][~failed].tobytes() == sound[name][~failed].tobytes()
    status = headsweep("status", runs)
    assert f"{failed.sum()} failed" in status.stdout and "error: trial " in status.stdout


def test_a_spoilt_part_is_computed_again(whole, tmp_path):
    job, folder = whole
    runs = tmp_path / "runs"
    assert sweep(job, runs, "--limit", "3").returncode == 5
    spoilt, cut = parts(runs)[:2]
    content = bytearray(spoilt.read_bytes())
    content[len(content) // 2] ^= 4
    spoilt.write_bytes(content)
    cut.write_bytes(cut.read_bytes()[:1000])
    done = sweep(job, runs, "--resume")
    assert done.returncode == 0, done.stderr
    assert spoilt.stem in done.stderr and cut.stem in done.stderr
    assert differing(folder / "results.h5", runs / "results.h5") == []


def two_jobs(first, second, folder):
    """The command line of two ranks that are given different jobs."""
    line = launch_line(1, "headsweep", "run", first, "-o", folder)
    return [*line, ":", "-n", "1", *map(str, [BUILD / "headsweep", "run", second, "-o", folder])]


def test_ranks_that_read_different_questions_are_refused(whole, tmp_path):
    job, _ = whole
    other = write_job(tmp_path, questions=41)
    done = subprocess.run(two_jobs(job, other, tmp_path / "runs"), env=environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    line, = done.stderr.strip().splitlines()
    assert "rank 1 on " in line and "rank 0 on " in line and "all ranks need the same" in line
    assert not (tmp_path / "runs").exists()


def test_one_rank_that_meets_a_mistake_alone_ends_all(whole, tmp_path):
    job, _ = whole
    done = subprocess.run(two_jobs(job, tmp_path / "nowhere.yaml", tmp_path / "runs"), env=environment(), capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 3
    assert done.stderr.strip() == f"headsweep: {tmp_path}/nowhere.yaml: no such file"


@pytest.mark.parametrize("task, words", [(0, "srun --mpi=pmix headsweep run"), (1, "")])
def test_tasks_that_do_not_see_each_other_are_refused_by_the_first(whole, tmp_path, task, words):
    variables = {**environment(), "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": str(task)}
    done = subprocess.run([BUILD / "headsweep", "run", whole[0], "-o", tmp_path / "runs"], env=variables, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 2
    assert words in done.stderr and len(done.stderr.strip().splitlines()) == (1 if words else 0)


def test_a_folder_of_another_machine_or_program_is_refused_unless_allowed(whole, tmp_path):
    job, _ = whole
    runs = tmp_path / "runs"
    assert sweep(job, runs, "--limit", "1").returncode == 5
    least = {**environment(), "HEADSWEEP_ISA": "base"}
    line = [BUILD / "headsweep", "run", job, "-o", runs, "--resume", "--limit", "1"]
    refused = subprocess.run(line, env=least, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 3 and "cpu base" in refused.stderr and "--allow-other-build" in refused.stderr
    allowed = subprocess.run([*line, "--allow-other-build"], env=least, capture_output=True, text=True, timeout=120)
    assert allowed.returncode == 5, allowed.stderr
    assert len(parts(runs)) == 2
