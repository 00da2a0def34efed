"""SIGKILL at any moment to anyone: what is finished stays, the rest is computed once, the results have the same bits."""
import collections
import io
import json
import os
import random
import signal
import time

import h5py

from small_sweep import differing, events, kill_everything, parts, ranks_of, start, starts, sweep, wait_until, write_job

KILLS = 30 if os.environ.get("HEADSWEEP_LONG") == "1" else 4


def kill_a_rank(process, runs, dice):
    os.kill(dice.choice(ranks_of(runs) or [process.pid]), signal.SIGKILL)


def kill_the_launcher(process, runs, dice):
    process.kill()


def kill_all(process, runs, dice):
    kill_everything(process, runs)


def kill_a_writer(process, runs, dice):
    """The moment a part is being written, or half of it stands under its temporary name."""
    end = time.monotonic() + 5
    while time.monotonic() < end and process.poll() is None:
        if any(".tmp-" in name for name in os.listdir(runs / "parts")):
            break
    kill_everything(process, runs)


WAYS = [kill_a_rank, kill_a_writer, kill_the_launcher, kill_all]


def compare(job, runs, folder, ranks):
    done = sweep(job, runs, "--resume", ranks=ranks)
    assert done.returncode == 0, done.stderr
    assert differing(folder / "results.h5", runs / "results.h5") == []
    computed = collections.Counter(event["block"] for event in events(runs) if event["event"] == "done")
    assert set(computed) == {part.stem for part in parts(runs)}
    assert max(computed.values()) == 1, "a finished block was computed again"


def test_kills_at_random_moments_with_other_ranks_each_time(whole, tmp_path):
    job, folder = whole
    dice, killed, runs = random.Random(5), 0, tmp_path / "runs0"
    for kill in range(KILLS):
        begun = starts(runs)
        process = start(job, runs, "--resume", ranks=1 + dice.randrange(3))
        wait_until(lambda: starts(runs) > begun or process.poll() is not None)
        time.sleep(dice.uniform(0, 1.5))
        if process.poll() is None:
            WAYS[kill % len(WAYS)](process, runs, dice)
            killed += 1
        process.wait(timeout=60)
        # Ranks that outlive their launcher keep the folder's lock until they notice.
        wait_until(lambda: not ranks_of(runs), seconds=60)
        if len(parts(runs)) == len(parts(folder)):
            compare(job, runs, folder, ranks=1)
            runs = tmp_path / f"runs{kill + 1}"
    compare(job, runs, folder, ranks=2)
    assert killed > KILLS / 2


def crash(job, runs, *options):
    """A run that dies of a segmentation fault in its first block, whose name is returned."""
    begun = starts(runs)
    process = start(job, runs, "--resume", *options)
    wait_until(lambda: starts(runs) > begun)
    os.kill(ranks_of(runs)[0], signal.SIGSEGV)
    process.communicate(timeout=60)
    last = events(runs)[-1]
    assert last["event"] == "crashed" and last["message"] == "segmentation fault"
    return last["block"]


def plant_crashes(runs, block, times):
    with (runs / "state" / "rank-00000.log").open("a") as log:
        log.writelines(json.dumps(dict(event="crashed", time=time.time(), rank=0, block=block, message="bus error")) + "\n"
                       for _ in range(times))


def test_a_block_that_crashes_the_program_three_times_is_set_aside(tmp_path):
    job, runs = write_job(tmp_path, **{"epochs: 1": "epochs: 6"}), tmp_path / "runs"
    block = crash(job, runs)
    plant_crashes(runs, block, 2)
    done = sweep(job, runs, "--resume")
    assert done.returncode == 4, done.stderr
    assert f"block {block} crashed the program 3 times: bus error; its trials are set aside as failed" in done.stderr
    with h5py.File(runs / "results.h5") as results:
        failed = results["trials/status"][()] == b"failed"
        assert (failed == (results["trials/block"][()] == block.encode())).all() and failed.sum() == 2
        assert set(results["trials/stage"][failed]) == {b"crash"}
    # Asked for again, it is computed; and what it has by then stays if it crashes again.
    again = sweep(job, runs, "--resume", "--retry-failed")
    assert again.returncode == 0, again.stderr
    with h5py.File(runs / "results.h5") as results:
        assert (results["trials/status"][()] == b"done").all()


def test_results_stay_where_their_retry_crashes(tmp_path):
    job, runs = write_job(tmp_path, **{"2: 0.02": "2: 1.0e+30"}), tmp_path / "runs"
    assert sweep(job, runs).returncode == 4
    before = (runs / "results.h5").read_bytes()
    block = next(event["block"] for event in events(runs) if event.get("failed_trials"))
    plant_crashes(runs, block, 3)
    retried = sweep(job, runs, "--resume", "--retry-failed", "--limit", "1")
    assert retried.returncode == 5, "blocks with failed trials are left to be tried"
    assert f"block {block} crashed the program 3 times: bus error; its earlier results stay" in retried.stderr
    with h5py.File(runs / "results.h5") as results, h5py.File(io.BytesIO(before)) as earlier:
        ours = earlier["trials/block"][()] == block.encode()
        for name in ("trials/status", "trials/attempt", "trials/message"):
            assert (results[name][ours] == earlier[name][ours]).all()


def test_a_kill_from_outside_sets_nothing_aside(whole, tmp_path):
    job, folder = whole
    for _ in range(4):
        begun = starts(tmp_path / "runs")
        process = start(job, tmp_path / "runs", "--resume")
        wait_until(lambda: starts(tmp_path / "runs") > begun)
        kill_everything(process, tmp_path / "runs")
    compare(job, tmp_path / "runs", folder, ranks=1)
