"""Reading results: joined tables, items and curves; refusals name the file, the finding and the way out."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from made_up import ITEMS, VALIDATION, Design, write_results

from analysis.results import LINEAR, METRICS, BadResults, Results
from analysis.sweeps import join_trials, open_many

Write = Callable[[Design], Path]


def test_trials_are_joined_with_their_locations(write: Write) -> None:
    results = Results(write(Design()))
    assert (results.layers, results.heads, results.folds) == (4, 4, 1)
    singles = results.trials[results.trials["set"] == "singles"]
    assert len(singles) == 16 * 3 * 2
    assert set(singles["edit"]) == {"optimal"} and set(singles["size"]) == {1}
    assert (singles["first_layer"] == singles["name"].str[9].astype(int)).all()
    assert {f"test_{name}" for name in METRICS} <= set(results.trials.columns)


def test_metrics_agree_with_items(write: Write) -> None:
    results = Results(write(Design(failed=lambda trial: trial["strength"] == 0.5)))
    for trial, row in results.trials.iterrows():
        items = results.trial_items("truth", trial)
        assert items.shape == (ITEMS,)
        assert items.mean() == pytest.approx(row["test_truth"], nan_ok=True, abs=1e-6)
        validating = results.trial_items("truth", trial, "validation")
        assert validating.shape == (VALIDATION,)
        assert validating.mean() == pytest.approx(row["validation_truth"], nan_ok=True, abs=1e-6)
        assert np.isnan(items).all() == (row["status"] != "done")
    assert results.baseline_items("info", 0).mean() == pytest.approx(
        results.baseline.at[0, "test_info"], abs=1e-6
    )


def test_folds_have_units_curves_have_lengths_answers_have_texts(write: Write) -> None:
    results = Results(write(Design(folds=3)))
    assert set(results.trials.query("kind == 'top'")["name"]) == {"top2@fold0", "top2@fold1", "top2@fold2"}
    assert set(results.trials.query("kind == 'top'")["unit"]) == {"top2"}
    assert results.test_questions.tolist() == [ITEMS] * 3
    trained = results.trials.index[results.trials["edit"] == "optimal"][0]
    untrained = results.trials.index[results.trials["edit"] == "iti"][0]
    assert (results.curve(trained).size, results.curve(untrained).size) == (30, 0)
    assert results.answers(2)[3] == f"Antwort {2 * (VALIDATION + ITEMS) + VALIDATION + 3}, größer"
    assert results.baseline_answers(1)[3] == f"Antwort {VALIDATION + ITEMS + VALIDATION + 3}, größer"


def test_lora_is_told_apart_by_rank_targets_and_rate(write: Write) -> None:
    everywhere = " ".join(LINEAR)
    wide = {
        "a": (16, everywhere, 0.0),
        "b": (1, "q_proj v_proj", 0.0),
        "c": (4, "o_proj", 0.1),
        "d": (4, "o_proj", 0.0),
    }
    results = Results(write(Design(edits={name: [0.1] for name in ("optimal", "lora", *wide)}, wide=wide)))
    assert set(results.trials["edit"]) == {
        "optimal",
        "lora",
        "lora rank 16, all linear",
        "lora rank 1, q_proj v_proj",
        "lora rank 4, o_proj, rate 0.1",
        "lora rank 4, o_proj, usual rate",
    }


def test_what_enters_no_test_is_told(write: Write) -> None:
    design = Design(controls=("swapped", "shuffled"), rechecked=3, tuned=2, subspaces=2, teacher=True, seeds=(0,))
    results = Results(write(design))
    trials = results.trials
    assert trials["labels"].value_counts().to_dict() == {"true": len(trials) - 6, "swapped": 3, "shuffled": 3}
    assert trials.loc[trials["recheck"], "epochs"].tolist() == [4, 4, 4]
    assert set(trials.loc[trials["tuning"], "set"]) == {"tuning2"}
    assert (trials["kind"] == "subspace").sum() == 2 * 2 * 3
    assert results.tuning.loc[results.tuning["chosen"], "learning_rate"].tolist() == [0.05]
    assert trials["test_kl_teacher"].notna().all() and results.baseline["test_kl_teacher"].notna().all()
    assert results.job["comparison"]["primary"]["claimed"] == "top2"
    assert results.job_value("training", "learning_rate") == {2: [0.02, 0.05], 16: 0.02}


def test_several_sweeps_have_names_that_tell_them_apart(tmp_path: Path) -> None:
    def write_many(*designs: Design) -> list[Path]:
        return [write_results(tmp_path / f"run{row}" / "results.h5", design) for row, design in enumerate(designs)]

    small = {"sets": ("top2",), "seeds": (0,)}
    assert list(open_many(write_many(Design(model="Qwen2.5-7B", **small), Design(model="Qwen2.5-14B", **small)))) == [
        "Qwen2.5-7B",
        "Qwen2.5-14B",
    ]
    other = Design(name="other", behaviour="tone", **small)
    sweeps = open_many(write_many(Design(**small), other))
    assert list(sweeps) == ["made up, truthfulness", "other, tone"]
    joined = join_trials(sweeps)
    assert joined["sweep"].tolist() == ["made up, truthfulness"] * 6 + ["other, tone"] * 6
    assert joined["trial"].tolist() == [*range(6), *range(6)]
    paths = write_many(Design(**small), Design(**small))
    assert list(open_many(paths)) == ["run0", "run1"]
    with pytest.raises(BadResults, match="named twice"):
        open_many([paths[0], paths[0]])


def test_dataset_has_the_same_numbers_with_coordinates(write: Write) -> None:
    results = Results(write(Design(folds=2, missing=lambda trial: trial["seed"] == 1)))
    dataset = results.to_xarray()
    chosen = dataset.sel(trial=(dataset["edit"] == "optimal") & (dataset["unit"] == "top2"))
    expected = results.trials.query("edit == 'optimal' and unit == 'top2'")
    assert chosen["test_truth"].groupby("strength").mean().to_series().to_dict() == pytest.approx(
        expected.groupby("strength")["test_truth"].mean().to_dict()
    )
    trial = int(expected.index[0])
    items = dataset["item_truth"].sel(trial=trial)[results.places(int(expected.at[trial, "fold"]))]
    assert np.array_equal(items, results.trial_items("truth", trial))
    assert dataset["mask"].sum("head_row").to_series().tolist() == results.locations["size"].tolist()
    asked = dataset["question_text"][dataset["item_question"].sel(fold=1)[results.places(1)]]
    assert asked.to_numpy().tolist() == results.questions["text"][results.item_questions(1)].tolist()


def change(path: Path, name: str, value: str) -> Path:
    """Sets one root attribute."""
    with h5py.File(path, "r+") as file:
        file.attrs[name] = value
    return path


def test_refusals_say_what_and_what_to_do(write: Write, tmp_path: Path) -> None:
    def refuse(path: Path, words: str) -> None:
        with pytest.raises(BadResults, match=re.escape(words)):
            Results(path)

    refuse(tmp_path / "absent.h5", f"no such file. `headsweep gather {tmp_path}`")
    (tmp_path / "text.h5").write_text("not HDF5")
    refuse(tmp_path / "text.h5", "not a whole HDF5 file. `headsweep gather")
    refuse(
        change(write(Design()), "format", "headsweep-part"),
        "format 'headsweep-part', 'headsweep-results' is due",
    )
    refuse(
        change(write(Design()), "version", "2.0"), "version 2.0, this report reads 1.2 and later 1.x."
    )
    for old in ("1.0", "1.1"):
        refuse(change(write(Design()), "version", old), f"version {old}, this report reads 1.2 and later 1.x. Use")
    path = write(Design())
    with h5py.File(path, "r+") as file:
        file["trials/edit"][0] = b"causal"
    refuse(path, "trials/edit: 'causal', this report knows optimal, iti, lora.")
    with h5py.File(path, "r+") as file:
        del file["metrics/test/truth"]
    refuse(path, "dataset /metrics/test/truth is missing")


def test_newer_minor_version_is_read(write: Write) -> None:
    assert len(Results(change(write(Design()), "version", "1.10")).trials) > 0


def test_made_up_columns_are_those_of_the_store(write: Write, tmp_path: Path) -> None:
    """The file that these tests are made with has the store's names, and the store's own file can be read."""
    program = Path(os.environ.get("HEADSWEEP_BUILD", "build")).resolve() / "tests" / "test_store"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    stored = tmp_path / "stored.h5"
    command = [program, "--gtest_filter=StoreExample.*"]
    subprocess.run(command, env={**os.environ, "HEADSWEEP_EXAMPLE": str(stored)}, check=True, cwd=tmp_path)
    columns = column_names(stored)
    assert columns >= column_names(write(Design()))
    assert {f"metrics/test/{name}" for name in METRICS} == {
        name for name in columns if name.startswith("metrics/test/")
    }
    results = Results(stored)
    done = results.trials.index[results.trials["status"] == "done"][0]
    for part in ("validation", "test"):
        assert results.trial_items("truth", done, part).mean() == pytest.approx(
            results.trials.at[done, f"{part}_truth"], abs=1e-6
        )


def column_names(path: Path) -> set[str]:
    """Paths of all datasets of a file."""
    names = set()
    with h5py.File(path) as file:
        file.visititems(lambda name, item: names.add(name) if isinstance(item, h5py.Dataset) else None)
    return names
