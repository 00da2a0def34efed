"""SIGKILL at any moment to anyone: what is finished stays, the rest is computed once, the results have the same bits."""
import collections
import os
import random
import signal
import subprocess
import time

import pytest

from small_sweep import differing, events, kill_everything, parts, ranks_of, start, starts, sweep, wait_until

KILLS = 30 if os.environ.get("HEADSWEEP_LONG") == "1" else 3


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


def test_a_block_that_crashes_the_program_three_times_is_set_aside(whole, tmp_path):
    job, folder = whole
    runs, victims = tmp_path / "runs", []
    for _ in range(3):
        begun = starts(runs)
        process = start(job, runs, "--resume")
        wait_until(lambda: starts(runs) > begun)
        os.kill(ranks_of(runs)[0], signal.SIGSEGV)
        process.communicate(timeout=60)
        victims += [event["block"] for event in events(runs) if event["event"] == "crashed"][len(victims):]
    if len(set(victims)) > 1:
        pytest.skip("the machine was too slow to hit one block three times")
    assert len(victims) == 3
    done = sweep(job, runs, "--resume")
    assert done.returncode == 4, done.stderr
    assert f"block {victims[0]} crashed the program 3 times: segmentation fault" in done.stderr
    again = sweep(job, runs, "--resume", "--retry-failed")
    assert again.returncode == 0, again.stderr
    assert differing(folder / "results.h5", runs / "results.h5") == []


def test_a_kill_from_outside_sets_nothing_aside(whole, tmp_path):
    job, folder = whole
    for _ in range(4):
        begun = starts(tmp_path / "runs")
        process = start(job, tmp_path / "runs", "--resume")
        wait_until(lambda: starts(tmp_path / "runs") > begun)
        kill_everything(process, tmp_path / "runs")
    compare(job, tmp_path / "runs", folder, ranks=1)
