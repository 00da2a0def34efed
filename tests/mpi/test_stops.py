"""Stops in good order: signals, limits, deadlines; and who may go on where."""
import os
import re
import signal
import time

import h5py
import pytest

from small_sweep import differing, events, headsweep, parts, ranks_of, start, starts, sweep, wait_until, write_job


def statuses(runs):
    with h5py.File(runs / "results.h5") as results:
        return results.attrs["complete"], list(results["trials/status"][()])


@pytest.mark.parametrize("notice", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_notice_ends_after_the_block_with_exit_code_5(whole, tmp_path, notice):
    job, _ = whole
    runs = tmp_path / "runs"
    process = start(job, runs, ranks=2)
    wait_until(lambda: len(parts(runs)) >= 1)
    process.send_signal(notice)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 5, output
    complete, trials = statuses(runs)
    assert complete == 0 and 0 < trials.count(b"done") < len(trials)
    started, ended = ({event["block"] for event in events(runs) if event["event"] == kind} for kind in ("start", "done"))
    assert started == ended


def test_a_notice_that_one_rank_hears_stops_all(whole, tmp_path):
    job, _ = whole
    process = start(job, tmp_path / "runs", ranks=2)
    wait_until(lambda: len(parts(tmp_path / "runs")) >= 1)
    os.kill(ranks_of(tmp_path / "runs")[-1], signal.SIGUSR2)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 5, output


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_an_end_gives_the_block_up_and_leaves_nothing_half(whole, tmp_path, ranks, end):
    job, folder = whole
    runs = tmp_path / "runs"
    process = start(job, runs, ranks=ranks)
    wait_until(lambda: len(parts(runs)) >= 1)
    process.send_signal(end)
    process.communicate(timeout=60)
    assert process.returncode != 0  # the launcher's own code
    assert list(runs.rglob("*.tmp*")) == []
    assert headsweep("gather", runs).returncode == 0
    done = sweep(job, runs, "--resume")
    assert done.returncode == 0, done.stderr
    assert differing(folder / "results.h5", runs / "results.h5") == []


def test_terminate_without_a_launcher_is_exit_code_5(tmp_path):
    runs = tmp_path / "runs"
    process = start(write_job(tmp_path, **{"epochs: 1": "epochs: 8"}), runs, launched=False)
    wait_until(lambda: starts(runs) > 1)  # the second block is in hand
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 5, output
    assert events(runs)[-1]["event"] == "given_up" and not (runs / "lock").exists()


def test_no_block_begins_that_cannot_end_before_the_deadline(whole, tmp_path):
    job, folder = whole
    runs = tmp_path / "runs"
    assert sweep(job, runs, "--limit", "3").returncode == 5
    log = runs / "state" / "rank-00000.log"
    honest = log.read_text()
    log.write_text(re.sub(r'"seconds":[0-9.e-]+', '"seconds":600.0', honest))  # as if a block took ten minutes
    for words in (["--deadline", time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 300))],
                  ["--deadline", str(int(time.time()) + 300)], ["--max-hours", "0.08"]):
        soon = sweep(job, runs, "--resume", *words)
        assert soon.returncode == 5, soon.stderr
        assert "8 to do" in soon.stderr and len(parts(runs)) == 3
    log.write_text(honest)
    done = sweep(job, runs, "--resume", "--deadline", str(int(time.time()) + 300), ranks=2)
    assert done.returncode == 0, done.stderr
    assert differing(folder / "results.h5", runs / "results.h5") == []


def test_a_block_in_hand_is_given_up_at_the_deadline_and_nothing_begins_after_it(tmp_path):
    runs = tmp_path / "runs"
    job = write_job(tmp_path, **{"epochs: 1": "epochs: 400"})
    end = time.time() + 25
    stopped = sweep(job, runs, "--deadline", str(end))
    assert stopped.returncode == 5, stopped.stderr
    assert time.time() < end + 5
    if (runs / "state" / "rank-00000.log").exists():  # the machine was fast enough to begin
        assert events(runs)[-1]["event"] == "given_up" and events(runs)[-1]["time"] < end
    past = sweep(job, tmp_path / "other", "--deadline", str(int(time.time()) - 5))
    assert past.returncode == 5 and not (tmp_path / "other" / "sweep.yaml").exists()


@pytest.mark.parametrize("words, expected", [
    (["--deadline", "tomorrow"], "--deadline tomorrow: write a local time such as"),
    (["--shard", "0/3"], "--shard 0/3: write I/N, with I from 1 to N"),
    (["--shard", "4/3"], "--shard 4/3"),
    (["--shard", "2"], "--shard 2"),
])
def test_wrong_words_are_refused(whole, tmp_path, words, expected):
    refused = sweep(whole[0], tmp_path / "runs", *words)
    assert refused.returncode == 2 and expected in refused.stderr and not (tmp_path / "runs").exists()


def test_limit_stops_early_and_partial_results_are_gathered(whole, tmp_path):
    job, _ = whole
    runs = tmp_path / "runs"
    assert sweep(job, runs, "--limit", "2").returncode == 5
    assert len(parts(runs)) == 2
    assert headsweep("status", runs).stdout.startswith("2 of ")
    os.remove(runs / "results.h5")
    gathered = headsweep("gather", runs)
    assert gathered.returncode == 0 and (runs / "results.h5").exists(), gathered.stderr


def test_a_second_sweep_on_a_folder_at_work_is_told_who_works_there(whole, tmp_path):
    job, folder = whole
    runs = tmp_path / "runs"
    process = start(job, runs)
    wait_until(lambda: (runs / "sweep.yaml").exists())
    pid, = ranks_of(runs)
    os.kill(pid, signal.SIGSTOP)  # it shall not end before it was seen
    second = sweep(job, runs, "--resume")
    assert second.returncode == 3
    assert f"a sweep with pid {pid} on host " in second.stderr and len(second.stderr.strip().splitlines()) == 1
    status = headsweep("status", runs)
    assert f"at work: pid {pid} on host " in status.stdout
    os.kill(pid, signal.SIGCONT)
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert differing(folder / "results.h5", runs / "results.h5") == []


def test_refusals_of_a_folder(whole, tmp_path):
    job, folder = whole
    again = sweep(job, folder)
    assert again.returncode == 3 and "--resume" in again.stderr
    other = write_job(tmp_path, **{"batch: 8": "batch: 4"})
    changed = sweep(other, folder, "--resume", ranks=2)
    assert changed.returncode == 3
    assert "training.batch" in changed.stderr
    assert len(changed.stderr.strip().splitlines()) == 1
