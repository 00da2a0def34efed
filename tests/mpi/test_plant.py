"""`headsweep plant`: folders with a known edit, its answers and a job; a sweep of one finds the teacher at KL 0."""
import json
import shutil
from pathlib import Path

import h5py
import numpy
import pytest

from small_sweep import WORLD, datasets, headsweep, sweep, write_job

GAIN = 0.6
OPTIONS = ("--plants", 2, "--size", 2, "--edit", "random", "--gain", GAIN, "--draws", 3)


def plant(job, folder, *options):
    return headsweep("plant", job, "-o", folder, *(options or OPTIONS))


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The job, the folder of two plants made of it, and what the command printed."""
    base = tmp_path_factory.mktemp("planted")
    job = write_job(base)
    done = plant(job, base / "plants")
    assert done.returncode == 0, done.stderr
    return job, base / "plants", done.stdout


@pytest.fixture(scope="module")
def swept(planted):
    _, folder, _ = planted
    done = sweep(folder / "plant-00" / "job.yaml", folder / "sweep", ranks=2)
    assert done.returncode == 0, done.stderr
    return folder / "sweep"


def questions_of(file: Path) -> dict[str, dict]:
    return {row["id"]: row for row in map(json.loads, file.read_text().splitlines())}


def mask_of(teacher: Path) -> numpy.ndarray:
    return datasets(teacher)["locations/mask"][0]


def test_folders_are_as_said(planted):
    job, folder, printed = planted
    asked = questions_of(job.parent / "questions.jsonl")
    assert sorted(path.name for path in folder.iterdir()) == ["plant-00", "plant-01"]
    assert len(printed.splitlines()) == 2
    for line, one in zip(printed.splitlines(), sorted(folder.iterdir())):
        assert sorted(path.name for path in one.iterdir()) == ["behaviour.jsonl", "job.yaml", "teacher.h5"]
        rows = questions_of(one / "behaviour.jsonl")
        assert 20 <= len(rows) <= 40 and f"{len(rows)} of 40 answers changed" in line
        assert list(rows) == [name for name in asked if name in rows]
        for name, row in rows.items():
            assert row["group"] == asked[name]["group"] and row["question"] == asked[name]["question"]
            assert len(row["correct"]) == len(row["incorrect"]) == 1 and row["best"] == row["correct"][0]
        plan = headsweep("plan", one / "job.yaml")
        assert plan.returncode == 0, plan.stderr
        for words in ("planted: 1 x 2 heads (list)", "matched: 3 x 2 heads (random)", "random: 3 x 2 heads (random)",
                      "all: 1 x 64 heads (all)", "trials: 8"):
            assert words in plan.stdout, plan.stdout
    assert (mask_of(folder / "plant-00/teacher.h5") != mask_of(folder / "plant-01/teacher.h5")).any()


def test_answers_are_the_teachers(planted):
    job, folder, _ = planted
    asked, rows = questions_of(job.parent / "questions.jsonl"), questions_of(folder / "plant-00/behaviour.jsonl")
    same = [name for name in asked if name not in rows]
    for name in [*list(rows)[:3], *same[:2]]:
        done = headsweep("ask", WORLD, asked[name]["question"], "--edit", f"{folder}/plant-00/teacher.h5:0")
        unedited, edited = (line.split(":", 1)[1].strip() for line in done.stdout.splitlines())
        if name in rows:
            assert [edited] == rows[name]["correct"] and [unedited] == rows[name]["incorrect"]
        else:
            assert edited == unedited


def test_the_edit_is_at_the_planted_heads_alone_and_as_strong_as_asked_for(planted):
    _, folder, _ = planted
    for one in sorted(folder.glob("plant-*")):
        found = datasets(one / "teacher.h5")
        mask = found["locations/mask"][0].reshape(8, 8)
        assert mask.sum() == 2 and len(found["trial"]) == 1
        b = found["edits/b"].reshape(-1, 8, 16)
        assert (found["edits/layer"] == numpy.flatnonzero(mask.any(1))).all()
        assert ((numpy.abs(b).max(2) > 0) == mask[mask.any(1)].astype(bool)).all()
        # Each layer has the size asked for, so their mean has.
        numpy.testing.assert_allclose(found["trials/relative_size_answer"], GAIN, rtol=1e-5)


def test_a_trained_edit_is_at_the_planted_heads_and_has_learnt(tmp_path):
    """It is what the job's own training makes there: its answers are the job's correct ones more often than the model's."""
    job = write_job(tmp_path, **{"batch: 8, epochs: 1": "batch: 2, epochs: 12", "2: 0.02": "2: 0.05"})
    done = plant(job, tmp_path / "plants", "--plants", 1, "--size", 2, "--draws", 3)
    assert done.returncode == 0, done.stderr
    one = tmp_path / "plants" / "plant-00"
    found = datasets(one / "teacher.h5")
    mask = found["locations/mask"][0].reshape(8, 8)
    assert ((numpy.abs(found["edits/b"].reshape(-1, 8, 16)).max(2) > 0) == mask[mask.any(1)].astype(bool)).all()
    asked, rows = questions_of(job.parent / "questions.jsonl"), questions_of(one / "behaviour.jsonl")
    right = {side: sum(row[side][0].replace(" .", ".") in asked[name]["correct"] for name, row in rows.items())
             for side in ("correct", "incorrect")}
    assert right["correct"] > right["incorrect"], right


GRID = {"2: 0.02, 64: 0.005, lora: 0.005": "2: [0.05, 0.02], 64: [0.005, 0.01], lora: [0.005, 0.01]"}


def test_of_several_rates_a_teacher_takes_the_first(tmp_path):
    longer = {"batch: 8, epochs: 1": "batch: 2, epochs: 12"}
    for name, rates in (("one", {"2: 0.02": "2: 0.05"}), ("grid", GRID)):
        (tmp_path / name).mkdir()
        job = write_job(tmp_path / name, **longer, **rates)
        done = plant(job, tmp_path / name / "plants", "--plants", 1, "--size", 2, "--draws", 3)
        assert done.returncode == 0, done.stderr
    one, grid = (datasets(tmp_path / name / "plants" / "plant-00" / "teacher.h5") for name in ("one", "grid"))
    assert one["edits/b"].tobytes() == grid["edits/b"].tobytes()
    assert one["trials/learning_rate"] == grid["trials/learning_rate"] == numpy.float32(0.05)
    assert "it is trained at the first" in " ".join(headsweep("plant", "--help").stdout.split())


def test_a_sweep_of_a_plant_chooses_among_several_rates(tmp_path):
    job = write_job(tmp_path, **GRID)
    assert plant(job, tmp_path / "plants").returncode == 0
    done = sweep(tmp_path / "plants/plant-00/job.yaml", tmp_path / "sweep", "--set", "training.tuning_locations=2", ranks=2)
    assert done.returncode == 0, done.stderr
    found = datasets(tmp_path / "sweep" / "results.h5")
    assert sorted(zip(found["tuning/size"], found["tuning/learning_rate"])) == [(2, 0.02), (2, 0.05), (64, 0.005), (64, 0.01)]
    chosen = {size: rate for size, rate, one in zip(found["tuning/size"], found["tuning/learning_rate"], found["tuning/chosen"]) if one}
    size = found["locations/size"][found["trials/location"]]
    numpy.testing.assert_allclose(found["trials/learning_rate"], [chosen[one] for one in size], rtol=1e-6)
    assert (found["trials/status"] == b"done").all()


def test_the_same_seed_makes_the_same_plants(planted, tmp_path):
    job, folder, _ = planted
    again = tmp_path / "again"
    assert plant(job, again).returncode == 0
    for one in ("plant-00", "plant-01"):
        assert (again / one / "behaviour.jsonl").read_bytes() == (folder / one / "behaviour.jsonl").read_bytes()
        first, second = datasets(folder / one / "teacher.h5"), datasets(again / one / "teacher.h5")
        for name in ("edits/a", "edits/b", "locations/mask"):
            assert first[name].tobytes() == second[name].tobytes()


def test_a_sweep_of_a_plant(planted, swept):
    _, folder, _ = planted
    found = datasets(swept / "results.h5")
    assert len(found["trial"]) == 8
    for part in ("validation", "test"):
        kl = found[f"metrics/{part}/kl_teacher"]
        assert (kl > 1e-3).all() and numpy.isfinite(kl).all()
        assert found[f"baseline/{part}/kl_teacher"][0] > 0.1
        assert found[f"baseline/{part}/truth"][0] == 0
    tested = found["questions/part"][0][found["items/question"][0]] == 2
    numpy.testing.assert_allclose(found["items/kl_teacher"][:, tested].mean(1), found["metrics/test/kl_teacher"], rtol=1e-5)
    with h5py.File(swept / "results.h5") as file:
        resolved = bytes(file.attrs["resolved_job"]).decode()
    assert 'claimed: "planted"' in resolved and "score: kl_teacher" in resolved and f"{folder}/plant-00/teacher.h5" in resolved


def test_the_teacher_is_at_no_distance_from_itself(planted, tmp_path):
    _, folder, _ = planted
    one = folder / "plant-00"
    done = headsweep("eval", f"{one / 'teacher.h5'}:0", one / "job.yaml", "-o", tmp_path / "own.h5")
    assert done.returncode == 0, done.stderr
    found = datasets(tmp_path / "own.h5")
    items = found["items/kl_teacher"][0]
    assert numpy.isfinite(items).all() and numpy.abs(items).max() < 1e-6
    assert found["metrics/test/truth"][0] == 1 and found["metrics/validation/truth"][0] == 1
    other = headsweep("eval", f"{folder / 'plant-01/teacher.h5'}:0", one / "job.yaml", "-o", tmp_path / "other.h5")
    assert other.returncode == 0 and datasets(tmp_path / "other.h5")["metrics/test/kl_teacher"][0] > 0.1


def test_a_sweep_is_bound_to_its_teacher(planted, swept, tmp_path):
    _, folder, _ = planted
    job = folder / "plant-00" / "job.yaml"
    assert sweep(job, swept, "--resume").returncode == 0
    other = sweep(job, swept, "--resume", "--set", f"evaluation.teacher={folder / 'plant-01/teacher.h5'}", ranks=2)
    assert other.returncode == 3 and "evaluation.teacher.hash is" in other.stderr, other.stderr
    model = tmp_path / "model"
    shutil.copytree(WORLD, model, ignore=shutil.ignore_patterns("__pycache__"))
    (model / "config.json").write_bytes((WORLD / "config.json").read_bytes() + b"\n")
    for ranks in (1, 2):
        done = sweep(job, tmp_path / "x", "--set", f"model.folder={model}", ranks=ranks)
        assert done.returncode == 3 and "teacher.h5: its edits were made for another model" in done.stderr, done.stderr
    for file, words in ((folder / "absent.h5", "absent.h5"), (job, "job.yaml")):
        done = sweep(job, tmp_path / "x", "--set", f"evaluation.teacher={file}")
        assert done.returncode == 3 and words in done.stderr, done.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("options, code, expected", [
    (("--size", 65), 3, "--size 65: the model has 64 heads"),
    (("--size", 3), 3, "training.learning_rate has no rate for 3"),
    (("--size", 2, "--draws", 60), 3, "distinct sets are possible"),
    (("--size", 2, "--draws", 3, "--edit", "random", "--gain", 1e-4), 3, "a stronger edit changes more"),
    (("--edit", "random", "--gain", 0), 2, "--gain 0: a number above 0 is due"),
    (("--gain", 1), 2, "--gain belongs to --edit random"),
    (("--edit", "optimal"), 2, "--edit optimal: trained or random is due"),
    (("--plants", 0), 2, "--plants 0: 1 to 1000 is due"),
    (("--draw", 3), 2, "is --draws meant?"),
])
def test_refusals(planted, tmp_path, options, code, expected):
    job, _, _ = planted
    done = plant(job, tmp_path / "plants", *options)
    assert done.returncode == code and expected in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1 or code == 2
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays(planted, tmp_path):
    job, folder, _ = planted
    before = sorted(path.name for path in folder.iterdir())
    done = plant(job, folder)
    assert done.returncode == 3 and "is there already" in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == before
    taken = write_job(tmp_path, **{"pairs: {random": "matched: {random", "[claimed, pairs": "[claimed, matched", "[top2, pairs]": "[top2, matched]"})
    done = plant(taken, tmp_path / "plants")
    assert done.returncode == 3 and "'matched' is the name of a set of the plants" in done.stderr, done.stderr
    assert not (tmp_path / "plants").exists()
