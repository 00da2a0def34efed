"""The report as a user runs it: whole, partial and odd sweeps; files, text and exit codes."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from made_up import Design
from matplotlib.figure import Figure

from analysis import figures
from analysis.report import main
from analysis.results import LINEAR

Write = Callable[[Design], Path]


def run(path: Path, *options: str) -> int:
    """The command with its report beside the results."""
    return main([str(path), *options])


def test_report_is_one_page_with_figures_and_tables(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(Design(draws=20))
    assert run(path) == 0
    text = capsys.readouterr().out
    assert "Model little (4 layers of 4 heads), behaviour truthfulness: 38 locations" in text
    assert text.splitlines()[-1] == f"report: {path.parent / 'report' / 'index.html'}"
    for label in (
        "unedited model",
        "ITI, top2",
        "ITI, random2: mean",
        "Optimal, singles: best on validation",
        "LoRA, everywhere",
    ):
        assert re.search(rf"^{re.escape(label)}.* 0\.\d\d\d ", text, re.MULTILINE)
    assert "of 20 random sets (random2, as many heads in each layer) reach as much: p = " in text
    page = (path.parent / "report" / "index.html").read_text(encoding="utf-8")
    pictures = sorted(file.stem for file in (path.parent / "report" / "figures").glob("*.png"))
    assert pictures == ["heads_optimal", "histogram_top2_random2", "probe_optimal", "training", "truth_info"]
    assert page.count("data:image/png;base64,") == len(pictures)
    assert not re.search(r'(src|href)="(https?:|/)', page)
    for link in re.findall(r'href="([^"]+)"', page):
        assert (path.parent / "report" / link).exists()
    comparisons = pd.read_csv(path.parent / "report" / "tables" / "comparisons.csv")
    assert comparisons["rank_p"].tolist() == pytest.approx(
        (comparisons["at_least_as_good"] + 1) / 21, rel=1e-5
    )
    table = pd.read_csv(path.parent / "report" / "tables" / "summary.csv")
    assert table["label"].iloc[0] == "unedited model"
    inside = table[table["locations"] < 2]
    assert ((inside["low"] <= inside["truth_info"]) & (inside["truth_info"] <= inside["high"])).all()


def test_report_tells_lora_apart(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {}

    def keep(figure: Figure, folder: Path, name: str) -> Path:
        drawn[name] = figure
        return draw_only(figure, folder, name)

    monkeypatch.setattr(figures, "save", keep)
    wide = {"wide": (16, " ".join(LINEAR), 0.001), "some": (4, "q_proj v_proj", 0.0)}
    edits = {"optimal": [0.1, 0.2], "lora": [0.1], "wide": [0.1, 0.3], "some": [0.1]}
    path = write(Design(sets=("top2", "random2", "everywhere"), edits=edits, wide=wide))
    assert run(path) == 0
    text = capsys.readouterr().out
    labels = ("LoRA", "LoRA rank 16, all linear", "LoRA rank 4, q_proj v_proj")
    for label in labels:
        assert re.search(rf"^{label}, everywhere +1  0\.\d\d\d", text, re.MULTILINE)
    legend = [text.get_text() for text in drawn["truth_info"].axes[0].get_legend().get_texts()]
    assert {"plain LoRA", *labels[1:]} <= set(legend)
    lines = [text.get_text() for text in drawn["training"].axes[0].get_legend().get_texts()]
    assert {"plain LoRA (2 trials)", *(f"{label} (2 trials)" for label in labels[1:])} <= set(lines)


def test_same_results_give_the_same_files(write: Write) -> None:
    path = write(Design(sets=("random2", "top2")))
    run(path, "-o", str(path.parent / "one"))
    run(path, "-o", str(path.parent / "two"))
    for file in sorted((path.parent / "one").rglob("*.*")):
        assert (
            file.read_bytes() == (path.parent / "two" / file.relative_to(path.parent / "one")).read_bytes()
        ), file.name


def test_text_writes_nothing(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(Design())
    assert run(path, "--text") == 0
    assert "report:" not in capsys.readouterr().out
    assert list(path.parent.iterdir()) == [path]


ODD_SWEEPS = {
    "nothing done": (
        Design(missing=lambda trial: True),
        ["224 of 224 trials without an outcome yet", "--resume"],
    ),
    "half done": (
        Design(missing=lambda trial: hash_of(trial) % 2 == 0),
        ["trials without an outcome yet", "are left out"],
    ),
    "some failed": (
        Design(failed=lambda trial: trial["strength"] == 0.5),
        ["60 trials failed in training: loss is not a number", "Optimal: not chosen from strength 0.5"],
    ),
    "no ITI": (Design(edits={"optimal": [0.1, 0.2]}), ["not part of this sweep: ITI and LoRA"]),
    "no optimal edits": (
        Design(edits={"iti": [1.0]}),
        ["not part of this sweep: Optimal, LoRA and single heads"],
    ),
    "no random sets": (
        Design(sets=("singles", "top2", "everywhere")),
        ["not part of this sweep: random sets"],
    ),
    "one random set": (Design(draws=1), []),
    "single heads only": (
        Design(sets=("singles",), edits={"optimal": [0.1]}),
        ["all heads and a claimed set"],
    ),
    "not judged": (Design(judged=False), ["unedited model's test answers were not judged"]),
    "folds": (Design(folds=3), []),
    "folds, some missing": (
        Design(folds=2, missing=lambda trial: trial["fold"] == 1 and trial["kind"] != "top"),
        [
            "Optimal: 12 of 12 locations of random2 are left out",
            "not ranked among random2, for random2 is not complete",
        ],
    ),
}


def hash_of(trial: dict) -> int:
    """A fixed number for a trial, unlike Python's own hash."""
    return sum(f"{trial['name']}{trial['edit']}{trial['strength']}{trial['seed']}".encode())


def draw_only(figure: Figure, folder: Path, name: str) -> Path:
    """Lays a figure out without the cost of writing it."""
    figure.draw_without_rendering()
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.png").touch()
    return folder / f"{name}.png"


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("name", ODD_SWEEPS)
def test_odd_sweeps_are_reported_and_say_what_is_missing(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(figures, "save", draw_only)
    design, words = ODD_SWEEPS[name]
    path = write(design)
    assert run(path) == 0
    text = capsys.readouterr().out
    assert re.search("^unedited model", text, re.MULTILINE)
    assert "nan" not in text
    page = (path.parent / "report" / "index.html").read_text(encoding="utf-8")
    assert ">nan<" not in page
    for word in words:
        assert word in text
        assert word.replace("'", "&#x27;") in page


def test_bad_input_is_one_line_and_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "results.h5") == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1 and "no such file" in captured.err
