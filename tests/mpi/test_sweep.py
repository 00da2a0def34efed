"""The sweep over real ranks: the same bits for any number of them; refusals."""
import json
import re
import shutil

import h5py
import pytest

from launch import OVER_TCP
from small_sweep import WORLD, differing, events, headsweep, parts, sweep, write_job


def test_everything_asked_for_is_there(whole):
    job, folder = whole
    with h5py.File(folder / "results.h5") as results:
        assert results.attrs["complete"] == 1
        statuses = results["trials/status"][()]
        assert len(statuses) == 2 * (1 + 4 + 1 + 1) + 3 + 2
        truth_info = results["metrics/test/truth_info"][()]
        assert ((truth_info >= 0) & (truth_info <= 1)).all()
    assert {event["block"] for event in events(folder) if event["event"] == "done"} == {part.stem for part in parts(folder)}


def test_plan_knows_what_the_disk_must_hold(whole):
    job, folder = whole
    line = re.search(r"disk: parts ([\d.]+) MB, results.h5 ([\d.]+) MB", headsweep("plan", job).stdout)
    for planned, real in zip(map(float, line.groups()), [sum(part.stat().st_size for part in parts(folder)),
                                                         (folder / "results.h5").stat().st_size]):
        assert 0.3 * planned < real / 1e6 < planned


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


def test_a_choice_of_lanes_without_a_sweep_is_made_anew(whole, tmp_path):
    job, folder = whole
    (tmp_path / "runs" / "tune").mkdir(parents=True)
    engine = json.loads((folder / "tune" / "engine.json").read_text())
    (tmp_path / "runs" / "tune" / "engine.json").write_text(json.dumps(engine | dict(lanes=64, keeps_prefixes=False)))
    assert sweep(job, tmp_path / "runs", "--limit", "1").returncode == 5
    chosen = json.loads((tmp_path / "runs" / "tune" / "engine.json").read_text())
    assert (chosen["lanes"], chosen["keeps_prefixes"]) == (2, True) == (engine["lanes"], engine["keeps_prefixes"])


def test_all_ranks_finish_on_bad_input_with_one_line(tmp_path):
    job = write_job(tmp_path, **{"size: 2, draws: 4": "size: 2, draws: 4000"})
    refused = sweep(job, tmp_path / "runs", ranks=3)
    assert refused.returncode == 3
    assert "2016" in refused.stderr and len(refused.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "runs" / "parts").exists() or parts(tmp_path / "runs") == []


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
