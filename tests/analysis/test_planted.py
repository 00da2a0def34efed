"""The study of planted behaviours: rank of the true set, power with its exact interval, what chance would give."""

import re
from pathlib import Path

import h5py
import made_up
import numpy as np
import pytest
from made_up import COMPARISON, Design, write_results
from scipy import stats as scipy_stats

from analysis.planted import chance, main, plant_row

PRIMARY = {"edit": "optimal", "claimed": "planted", "among": "matched"}
DRAWS = 19


@pytest.fixture(autouse=True)
def planted_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up claimed set becomes the listed set `planted`, its random sets become `matched`."""
    plain, names = made_up.make_locations, {"top2": "planted", "random2": "matched"}

    def renamed(design: Design) -> list[dict]:
        return [
            row
            | {"set": names[row["set"]], "name": row["name"].replace(row["set"], names[row["set"]])}
            | {"kind": {"top": "list"}.get(row["kind"], row["kind"]), "matched_to": "planted" if row["draw"] >= 0 else ""}
            for row in plain(design)
        ]

    monkeypatch.setattr(made_up, "make_locations", renamed)


def write_plant(path: Path, better: int, score: str = "kl_teacher") -> Path:
    """A plant whose true set has a KL of 0.5 nats/token, with so many random sets below it and the others above."""
    comparison = COMPARISON | {"primary": PRIMARY, "score": score}
    design = Design(
        sets=("random2", "top2"), draws=DRAWS, seeds=(0,), edits={"optimal": [0.1]}, teacher=True, comparison=comparison
    )
    write_results(path, design)
    with h5py.File(path, "r+") as file:
        draw = file["locations/draw"][:][file["trials/location"][:]]
        kl = np.where(draw < 0, 0.5, np.where(draw < better, 0.1, 0.6 + 0.01 * draw)).astype(np.float32)
        for part in ("validation", "test"):
            file[f"metrics/{part}/kl_teacher"][:] = kl
    return path


def test_the_true_set_is_ranked_by_kl_to_the_teacher(tmp_path: Path) -> None:
    row = plant_row(write_plant(tmp_path / "results.h5", better=3))
    assert (row["draws"], row["at_least_as_good"], row["rank_p"]) == (DRAWS, 3, 4 / 20)
    assert (row["kl"], row["best_random_kl"]) == (pytest.approx(0.5), pytest.approx(0.1))
    assert row["percentile"] == pytest.approx(100 * 16 / 19)


def test_power_counts_plants_with_an_exact_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(write_plant(tmp_path / str(better) / "results.h5", better)) for better in (0, 0, 0, 5)]
    assert main([*files, "-o", str(tmp_path / "plants.csv")]) == 0
    exact = scipy_stats.binomtest(3, 4).proportion_ci(0.95, method="exact")
    text = capsys.readouterr().out
    assert (
        f"3 of 4 plants have p <= 0.05: 75 % (95 % interval {100 * exact.low:.0f} to {100 * exact.high:.0f} %); "
        "if nothing were planted, 5.0 % would"
    ) in text
    assert "at the 50th percentile of random sets or above: 100 %" in text
    assert len((tmp_path / "plants.csv").read_text().splitlines()) == 5


def test_chance_follows_from_the_number_of_draws() -> None:
    """p takes 1/(m+1), ..., 1 equally often: 18 draws give no p of 0.05 or less, 39 give two."""
    assert chance([18], 0.05) == 0.0 and chance([19], 0.05) == pytest.approx(1 / 20)
    assert chance([39, 18], 0.05) == pytest.approx((2 / 40 + 0) / 2)


def test_other_sweeps_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_plant(tmp_path / "results.h5", better=0, score="mc1")
    assert main([str(path)]) == 3
    assert "comparison.score is mc1, kl_teacher is due" in capsys.readouterr().err


def test_the_table_that_is_told_says_what_its_rows_do() -> None:
    """analysis/PLANTED.md: p of each row from its count, found plants and their share from the p."""
    text = (Path(__file__).parents[2] / "analysis" / "PLANTED.md").read_text(encoding="utf-8")
    for part in text.split("\n## ")[1:3]:
        rows = [line.strip("| ").split(" | ") for line in part.splitlines() if re.match(r"\| \d", line)]
        assert [int(row[0]) for row in rows] == list(range(20))
        assert all(float(row[8]) == round((int(row[7]) + 1) / 40, 3) for row in rows)
        assert all((float(row[4]) < float(row[5])) == (row[7] == "0") for row in rows if row[4] != row[5])
        found = sum(float(row[8]) <= 0.05 for row in rows)
        exact = scipy_stats.binomtest(found, 20).proportion_ci(0.95, method="exact")
        told = " ".join(part.split())
        assert f"{found} of 20 plants: {5 * found} % (exact 95 % interval {100 * exact.low:.0f} to {100 * exact.high:.0f} %)" in told
