"""The sweep over real ranks: the same bits for any number of them, after kills and resumes; stops; refusals."""
import json
import os
import random
import shutil
import signal
import subprocess
import time

import h5py
import pytest

from launch import OVER_TCP, environment, launch_line
from small_sweep import (WORLD, differing, events, headsweep, kill_everything, parts, start, sweep, wait_until, write_job)

LONG = os.environ.get("HEADSWEEP_LONG") == "1"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The job and the folder of a sweep that one rank has done in one go."""
    base = tmp_path_factory.mktemp("whole")
    job = write_job(base)
    done = sweep(job, base / "runs")
    assert done.returncode == 0, done.stderr
    return job, base / "runs"


def test_everything_asked_for_is_there(whole):
    job, folder = whole
    with h5py.File(folder / "results.h5") as results:
        assert results.attrs["complete"] == 1
        statuses = results["trials/status"][()]
        assert len(statuses) == 2 * (1 + 4 + 1 + 1) + 3 + 1
        truth_info = results["metrics/test/truth_info"][()]
        assert ((truth_info >= 0) & (truth_info <= 1)).all()
    assert {event["block"] for event in events(folder) if event["event"] == "done"} == {part.stem for part in parts(folder)}


@pytest.mark.parametrize("ranks, launcher", [(2, ()), (4, ()), (2, OVER_TCP)], ids=["2", "4", "2 over TCP"])
def test_same_bits_for_any_number_of_ranks(whole, tmp_path, ranks, launcher):
    job, folder = whole
    done = sweep(job, tmp_path / "runs", ranks=ranks, launcher=launcher)
    assert done.returncode == 0, done.stderr
    assert differing(folder / "results.h5", tmp_path / "runs" / "results.h5") == []


def test_other_numbers_and_batches_are_another_sweep_with_the_same_promises(whole, tmp_path):
    """bf16, batches of questions, states recomputed, lanes chosen by measurement: the bits of the folder's choice."""
    job, folder = whole
    other = write_job(tmp_path, **{"device: cpu}": "device: cpu, precision: bf16}", "batch: 8,": "batch: 2, batches: questions,",
                                   "lanes: 2,": "lanes: 0, prefixes: recomputed,"})
    first = sweep(other, tmp_path / "one", "--limit", "2")
    if "bfloat16" in first.stderr:
        pytest.skip(first.stderr.strip())
    assert first.returncode == 5, first.stderr
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    for name, ranks in (("one", 1), ("two", 2)):
        done = sweep(other, tmp_path / name, "--resume", ranks=ranks)
        assert done.returncode == 0, done.stderr
    assert differing(tmp_path / "one" / "results.h5", tmp_path / "two" / "results.h5") == []
    exact, rounded = (h5py.File(file / "results.h5") for file in (folder, tmp_path / "one"))
    with exact, rounded:
        names = ("baseline/test/mc2", "baseline/test/truth_info")
        difference = [abs(exact[name][()] - rounded[name][()]).max() for name in names]
        assert 0 < difference[0] < 0.02 and difference[1] < 0.2


def test_killed_at_random_moments_and_resumed_with_other_ranks(whole, tmp_path):
    job, folder = whole
    moments, killed = random.Random(5), 0
    for kill in range(30 if LONG else 3):
        runs = tmp_path / f"runs{kill}" if LONG else tmp_path / "runs"
        process = start(job, runs, "--resume", ranks=1 + kill % 2)
        wait_until(lambda: len(parts(runs)) >= min(kill, 5) or process.poll() is not None)
        time.sleep(moments.uniform(0, 0.5))
        killed += process.poll() is None
        kill_everything(process, runs)
        if LONG:
            finish_and_compare(job, runs, folder, ranks=2 - kill % 2)
    assert killed > 0
    if not LONG:
        finish_and_compare(job, runs, folder, ranks=2)


def finish_and_compare(job, runs, folder, ranks):
    finished_before = {part.stem for part in parts(runs)}
    done_before = [event["block"] for event in events(runs) if event["event"] == "done"] if finished_before else []
    done = sweep(job, runs, "--resume", ranks=ranks)
    assert done.returncode == 0, done.stderr
    assert differing(folder / "results.h5", runs / "results.h5") == []
    computed = [event["block"] for event in events(runs) if event["event"] == "done"]
    again = [block for block in set(computed) if computed.count(block) > 1]
    assert not set(again) & set(done_before), "a finished block was computed again"


def test_terminate_gives_up_and_leaves_nothing_half(whole, tmp_path):
    job, folder = whole
    runs = tmp_path / "runs"
    process = start(job, runs, ranks=2)
    wait_until(lambda: len(parts(runs)) >= 1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert list(runs.rglob("*.tmp*")) == []
    assert "stopped" in headsweep("gather", runs).stdout or headsweep("gather", runs).returncode == 0
    done = sweep(job, runs, "--resume")
    assert done.returncode == 0, done.stderr
    assert differing(folder / "results.h5", runs / "results.h5") == []


def test_notice_signal_ends_after_the_block_with_exit_code_5(whole, tmp_path):
    job, _ = whole
    runs = tmp_path / "runs"
    process = start(job, runs, ranks=2)
    wait_until(lambda: len(parts(runs)) >= 1)
    process.send_signal(signal.SIGUSR2)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 5, output
    with h5py.File(runs / "results.h5") as results:
        assert results.attrs["complete"] == 0
        assert 0 < (results["trials/status"][()] == b"done").sum() < len(results["trials/status"])


def test_limit_stops_early_and_partial_results_are_gathered(whole, tmp_path):
    job, folder = whole
    done = sweep(job, tmp_path / "runs", "--limit", "2")
    assert done.returncode == 5
    assert len(parts(tmp_path / "runs")) == 2
    status = headsweep("status", tmp_path / "runs")
    assert status.stdout.startswith("2 of ")
    os.remove(tmp_path / "runs" / "results.h5")
    gathered = headsweep("gather", tmp_path / "runs")
    assert gathered.returncode == 0 and (tmp_path / "runs" / "results.h5").exists(), gathered.stderr


def test_a_choice_of_lanes_without_a_sweep_is_made_anew(whole, tmp_path):
    job, folder = whole
    (tmp_path / "runs" / "tune").mkdir(parents=True)
    engine = json.loads((folder / "tune" / "engine.json").read_text())
    (tmp_path / "runs" / "tune" / "engine.json").write_text(json.dumps(engine | dict(lanes=64, keeps_prefixes=False)))
    assert sweep(job, tmp_path / "runs", "--limit", "1").returncode == 5
    chosen = json.loads((tmp_path / "runs" / "tune" / "engine.json").read_text())
    assert (chosen["lanes"], chosen["keeps_prefixes"]) == (2, True) == (engine["lanes"], engine["keeps_prefixes"])


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


def test_refusals_of_a_folder(whole, tmp_path):
    job, folder = whole
    again = sweep(job, folder)
    assert again.returncode == 3 and "--resume" in again.stderr
    other = write_job(tmp_path, **{"batch: 8": "batch: 4"})
    changed = sweep(other, folder, "--resume", ranks=2)
    assert changed.returncode == 3
    assert "training.batch" in changed.stderr
    assert len(changed.stderr.strip().splitlines()) == 1


def test_all_ranks_finish_on_bad_input_with_one_line(tmp_path):
    job = write_job(tmp_path, **{"size: 2, draws: 4": "size: 2, draws: 4000"})
    refused = sweep(job, tmp_path / "runs", ranks=3)
    assert refused.returncode == 3
    assert "2016" in refused.stderr and len(refused.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "runs" / "parts").exists() or parts(tmp_path / "runs") == []


def test_one_rank_that_meets_a_mistake_alone_ends_all(whole, tmp_path):
    job, _ = whole
    line = launch_line(1, "headsweep", "run", job, "-o", tmp_path / "runs")
    line += [":", "-n", "1", *line[line.index("-n") + 2:]]
    line[line.index(str(job), line.index(":"))] = str(tmp_path / "nowhere.yaml")
    done = subprocess.run(line, env=environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert done.stderr.strip() == f"headsweep: {tmp_path}/nowhere.yaml: no such file"


def broken_model(tmp_path, **config):
    """A copy of the built-in model with changed settings, and a job on it."""
    model = tmp_path / "model"
    shutil.copytree(WORLD, model, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    settings = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(settings | config))
    return model, write_job(tmp_path, **{f"folder: {WORLD}": f"folder: {model}"})


def test_a_broken_model_leaves_no_folder_behind(tmp_path):
    model, job = broken_model(tmp_path)
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    refused = sweep(job, tmp_path / "runs", ranks=2)
    assert refused.returncode == 3
    assert "model.safetensors" in refused.stderr and len(refused.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_texts_longer_than_the_model_reads_are_refused_before_the_weights(tmp_path):
    _, job = broken_model(tmp_path, max_position_embeddings=24)
    refused = sweep(job, tmp_path / "runs")
    assert refused.returncode == 3
    assert "the model reads at most 24" in refused.stderr and len(refused.stderr.strip().splitlines()) == 1
