"""The batch scripts on a real Slurm: whatever stops a job, the sweep goes on where it was and ends with the same bits."""
import os
import shutil

import h5py
import pytest

from batch_job import submit, submit_and_wait_for_parts
from launch import BUILD, ROOT
from small_sweep import differing, parts, wait_until, write_job

long = pytest.mark.skipif(os.environ.get("HEADSWEEP_LONG") != "1", reason="half a minute each: HEADSWEEP_LONG=1")
TWO_RANKS = {"one_node": ("--ntasks=2",), "many_nodes": ("--nodes=2", "--ntasks-per-node=1")}


def expect_whole(batch, whole, runs):
    assert batch.wait_for_end() == "COMPLETED", batch.log
    assert differing(whole[1], runs / "results.h5") == []


@pytest.mark.parametrize("script, launcher", [
    ("one_node", "srun"),
    pytest.param("many_nodes", "mpirun", marks=long),
    pytest.param("many_nodes", "srun --mpi=pmix_v4", marks=long),
])
def test_notice_then_requeue_then_the_rest(slurm, whole, tmp_path, script, launcher):
    runs = tmp_path / "runs"
    batch = submit_and_wait_for_parts(slurm, script, whole[0], runs, "--set", "run.seeds=[ 0 ]", sbatch=TWO_RANKS[script],
                                      LAUNCHER=launcher)
    batch.signal("--signal=USR2", "--batch")
    batch.wait_for_requeue()
    assert "--deadline 1" in batch.log and "stopped early: requeued" in batch.log
    with h5py.File(runs / "results.h5") as results:
        assert results.attrs["complete"] == 0
    finished = parts(runs)
    times = [part.stat().st_mtime_ns for part in finished]
    batch.start_now()
    expect_whole(batch, whole, runs)
    assert times == [part.stat().st_mtime_ns for part in finished], "a finished block was computed again"
    assert batch.log.count("--resume") > 1, "the second run's log took the place of the first's"


def test_scancel_is_final_and_the_same_line_goes_on(slurm, whole, tmp_path):
    runs = tmp_path / "runs"
    batch = submit_and_wait_for_parts(slurm, "one_node", whole[0], runs)
    batch.signal()
    assert batch.wait_for_end() == "CANCELLED"
    assert batch.restarts == 0 and "requeued" not in batch.log
    assert 0 < len(parts(runs)) < 18 and list(runs.rglob("*.tmp*")) == []
    expect_whole(submit(slurm, "one_node", whole[0], runs), whole, runs)


def test_a_run_that_finishes_no_block_is_not_requeued(slurm, whole, tmp_path):
    """By scripts in another place, where slurm/site.sh says what the environment does not."""
    scripts = tmp_path / "a checkout" / "slurm"
    shutil.copytree(ROOT / "slurm", scripts)
    (scripts / "site.sh").write_text(f'HEADSWEEP="{BUILD}/headsweep"\n')
    batch = submit(slurm, "one_node", whole[0], tmp_path / "runs", "--max-hours", "1e-9", scripts=scripts, HEADSWEEP="")
    assert batch.wait_for_end() == "FAILED"
    assert batch.shown("ExitCode") == "5:0" and batch.restarts == 0
    assert "finished no block" in batch.log


def test_bad_input_ends_the_job_with_its_code(slurm, tmp_path):
    job = write_job(tmp_path, **{"batch: 8": "batch: 0"})
    batch = submit(slurm, "one_node", job, tmp_path / "runs")
    assert batch.wait_for_end() == "FAILED"
    assert batch.shown("ExitCode") == "3:0" and "job.yaml" in batch.log
    assert not (tmp_path / "runs").exists()


def test_srun_without_pmix_is_refused_with_the_line_that_works(slurm, whole, tmp_path):
    done = slurm.run("srun", "-n", "2", BUILD / "headsweep", "run", whole[0], "-o", tmp_path / "runs", check=False)
    assert done.returncode == 2
    assert done.stderr.count("srun --mpi=pmix headsweep run") == 1, done.stderr
    assert not (tmp_path / "runs").exists()


def test_shards_of_an_array_share_a_folder(slurm, whole, tmp_path):
    runs = tmp_path / "runs"
    batch = submit(slurm, "array", whole[0], runs, sbatch=("--array=1-2",))
    for task in (1, 2):
        assert batch.task(task).wait_for_end() == "COMPLETED", batch.task(task).log
        assert f"--shard {task}/2" in batch.task(task).log
    assert differing(whole[1], runs / "results.h5") == []


@long
@pytest.mark.parametrize("stopped, other", [(1, 2), (2, 1)], ids=["first", "last"])
def test_one_task_of_an_array_requeues_alone(slurm, whole, tmp_path, stopped, other):
    """The last task's number is the whole array's as well."""
    runs = tmp_path / "runs"
    batch = submit(slurm, "array", whole[0], runs, sbatch=("--array=1-2",))
    stopped, other = batch.task(stopped), batch.task(other)
    wait_until(lambda: len(parts(runs)) >= 4)
    stopped.signal("--signal=USR2", "--batch")
    stopped.wait_for_requeue()
    assert other.wait_for_end() == "COMPLETED", other.log
    stopped.start_now()
    expect_whole(stopped, whole, runs)
    assert (stopped.restarts, other.restarts) == (1, 0)


@long
@pytest.mark.parametrize("partition", ["main", "warned"])
@pytest.mark.parametrize("launcher", ["srun", "mpirun"])
def test_preempted_jobs_go_on_later(slurm, tmp_path, whole, partition, launcher):
    runs = tmp_path / "runs"
    sbatch = (f"--partition={partition}", "--ntasks=2")
    batch = submit_and_wait_for_parts(slurm, "one_node", whole[0], runs, sbatch=sbatch, LAUNCHER=launcher)
    slurm.run("sbatch", "--partition=urgent", "--nodes=2", "--exclusive", "--time=1", "--output=/dev/null", "--wrap=sleep 3")
    if partition == "warned" and launcher == "mpirun":  # Slurm warns steps, and mpirun on one node is none
        batch.signal("--signal=TERM", "--batch")
    batch.wait_for_requeue()
    assert list(runs.rglob("*.tmp*")) == []
    batch.start_now()
    expect_whole(batch, whole, runs)


@long
@pytest.mark.parametrize("launcher", ["srun", "mpirun"])
@pytest.mark.parametrize("words", [("--signal=TERM", "--batch"), ("--signal=TERM", "--full")], ids=["shell", "all"])
def test_terminate_without_an_end_of_the_job_requeues(slurm, whole, tmp_path, launcher, words):
    batch = submit_and_wait_for_parts(slurm, "one_node", whole[0], tmp_path / "runs", LAUNCHER=launcher)
    batch.signal(*words)
    batch.wait_for_requeue()
    batch.signal()


@long
def test_stops_before_the_time_limit_by_itself(slurm, tmp_path):
    runs = tmp_path / "runs"
    job = write_job(tmp_path, lanes=1, **{"epochs: 1,": "epochs: 20,", "size: 2, draws: 4": "size: 2, draws: 100"})
    batch = submit(slurm, "one_node", job, runs, sbatch=("--ntasks=2", "--time=1", "--signal=B:USR2@1"))
    batch.wait_for_requeue()
    assert len(parts(runs)) > 0 and "stopped early: requeued" in batch.log
    batch.signal()


@long
@pytest.mark.parametrize("launcher", ["srun", "mpirun"])
def test_a_killed_rank_costs_its_block_and_no_more(slurm, whole, tmp_path, launcher):
    batch = submit_and_wait_for_parts(slurm, "one_node", whole[0], tmp_path / "runs", LAUNCHER=launcher)
    ranks = slurm.run("pgrep", "-f", f"^{BUILD}/headsweep run {whole[0]} -o runs").stdout.split()
    slurm.run("kill", "-KILL", ranks[-1])
    expect_whole(batch, whole, tmp_path / "runs")
    assert batch.restarts == 0 and batch.log.count("started again") == 1
