"""The jobs of the paper on a small model of LLaMA-2's form with judges of the same form, on two ranks: from the CSV to the
report. This is the pipeline; what random weights answer says nothing. HEADSWEEP_TRUTHFULQA=FILE runs the real questions."""
import json
import os
import subprocess
import sys

import h5py
import numpy
import pytest

from launch import ROOT, environment, run_ranks
from small_sweep import headsweep
from small_world import make_world

JOBS = {"paper_iti": "[{iti: {at: [top16, random16], alpha: [5, 15]}}]",
        "paper_top16_random16": "[{optimal: {at: [top16, random16], tau: [0.1, 0.5]}}]",
        "paper_single_heads": "[{optimal: {at: [single24], tau: [0.1]}}]",
        "paper_all_heads": None, "paper_seeds": None, "thousands": None}
# The model has 4 layers of 8 heads: fewer sets to draw, fewer pairs, short answers.
CUT = {"model.device": "cpu", "model.precision": "f32", "training.pairs_per_question": "1", "training.epochs": "1",
       "training.batch": "8", "training.learning_rate.1024": "", "probe.answers": "2",
       "training.learning_rate": "{1: 0.01, 16: 0.01, 32: 0.01, lora: 0.01}",
       "evaluation.max_new_tokens": "6", "evaluation.questions": "16"}
SETS = {"paper_iti": {"locations.random16.random.draws": "3"}, "paper_top16_random16": {"locations.random16.random.draws": "3"},
        "paper_single_heads": {"locations.single24.random.draws": "4"},
        "paper_seeds": {f"locations.{name}.random.draws": "2" for name in ("single20", "random16", "matched16")},
        "thousands": {"split.folds": "3", "locations.singles": "", "locations.one": "{heads: [L1.H2]}",
                      "locations.random16.random.draws": "2", "locations.matched16.random.draws": "2",
                      "edits": "[{optimal: {at: [one, top16, random16, matched16, all], tau: [0.1]}}, {lora: {at: [all], tau: [0.1]}}, "
                               "{iti: {at: [top16, matched16], alpha: [15]}}]"}}
TRIALS = {"paper_iti": 8, "paper_top16_random16": 8 + 4, "paper_single_heads": 4 + 1, "paper_all_heads": 15 + 15,
          "paper_seeds": 3 * (7 + 4),
          "thousands": 3 * (11 + 6)}  # with rechecks


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"), questions=60)


def words_of(job: str, world: dict) -> list[str]:
    settings = {**world, **CUT, **SETS.get(job, {})}
    if JOBS[job]:
        settings["edits"] = JOBS[job]
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


def run(job: str, world: dict, folder, log_prob: str) -> None:
    name = job if log_prob == "mean" else f"{job}_{log_prob}"
    done = run_ranks(2, "headsweep", "run", ROOT / "jobs" / f"{name}.yaml", "-o", folder, *words_of(job, world), timeout=1500)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("job", JOBS)
def test_from_the_csv_to_the_report(job, world, tmp_path):
    run(job, world, tmp_path / "runs", "mean")
    with h5py.File(tmp_path / "runs" / "results.h5") as results:
        status = results["trials/status"].asstr()[()]
        assert len(status) == TRIALS[job] and set(status) == {"done"}
        for part in ("validation", "test"):
            metrics = {name: results[f"metrics/{part}/{name}"][()] for name in ("truth", "info", "mc1", "mc2", "mc3")}
            assert all(numpy.isfinite(values).all() for values in metrics.values())
        assert numpy.isfinite(results["metrics/test/kl_answer"][()]).all()
        assert results.attrs["judged_by"] == b"model" and len(results["judge/question"]) > 0
        texts = results["questions/text"].asstr()[()]
    assert len(texts) == (817 if "HEADSWEEP_TRUTHFULQA" in os.environ else 60)
    report = subprocess.run([sys.executable, "-m", "analysis.report", str(tmp_path / "runs" / "results.h5")], cwd=ROOT,
                            env=environment(), capture_output=True, text=True)
    assert report.returncode == 0, report.stderr
    assert (tmp_path / "runs" / "report" / "index.html").stat().st_size > 10_000


def test_variants_take_the_sum(world, tmp_path):
    run("paper_single_heads", world, tmp_path / "runs", "sum")
    with h5py.File(tmp_path / "runs" / "results.h5") as results:
        assert b"log_prob: sum" in results.attrs["resolved_job"]


@pytest.mark.parametrize("job", [*JOBS, *(f"{job}_sum" for job in JOBS)])
def test_plans_need_no_weights(job, world, tmp_path):
    """The real jobs, uncut, on the shapes of LLaMA-7B: config.json alone."""
    shapes = dict(model_type="llama", hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32,
                  vocab_size=32000, max_position_embeddings=2048, rms_norm_eps=1e-6, hidden_act="silu")
    (tmp_path / "config.json").write_text(json.dumps(shapes))
    folders = {key: (tmp_path if "judge" in key or key == "model.folder" else value) for key, value in world.items()}
    words = [word for key, value in folders.items() for word in ("--set", f"{key}={value}")]
    done = headsweep("plan", ROOT / "jobs" / f"{job}.yaml", *words, "--ranks", "8")
    assert done.returncode == 0, done.stderr
    assert "efficiency" in done.stdout and "judges" in done.stdout
