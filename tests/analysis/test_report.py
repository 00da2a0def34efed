"""The report as a user runs it: whole, partial and odd sweeps, several at once; files, text and exit codes."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
from made_up import COMPARISON, Design, write_results
from matplotlib.figure import Figure

from analysis import report
from analysis.report import main
from analysis.results import LINEAR, Results
from analysis.statement import TOPICS
from analysis.stats.resample import resample_weights, score_interval
from analysis.sweep import Sweep

Write = Callable[[Design], Path]


def run(path: Path, *options: str) -> int:
    """The command with its report beside the results."""
    return main([str(path), *options])


def page_of(path: Path, name: str = "index.html") -> str:
    """The page of a report beside its results, or another file of it."""
    return (path.parent / "report" / name).read_text(encoding="utf-8")


def words_of(page: str) -> str:
    """What a reader sees, more or less."""
    return unescape(re.sub(r"<script.*?</script>|<style.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a whole sweep with everything in it, its report beside."""
    design = Design(draws=20, controls=("swapped",), rechecked=4, tuned=2, subspaces=2, teacher=True)
    path = write_results(tmp_path_factory.mktemp("whole") / "results.h5", design)
    assert run(path) == 0
    return path


def test_report_is_one_page_with_figures_statements_and_tables(whole: Path) -> None:
    page, folder = page_of(whole), whole.parent / "report"
    pictures = sorted(file.stem for file in (folder / "figures").glob("*.png"))
    assert pictures == [
        "forest",
        "heads_optimal",
        "histogram_top2_random2",
        "kl_mc2",
        "power",
        "probe_optimal",
        "training",
        "truth_info",
    ]
    for form in ("svg", "pdf"):
        assert sorted(file.stem for file in (folder / "figures").glob(f"*.{form}")) == pictures
    assert page.count("<figure") == len(pictures) == page.count("<figcaption>")
    assert not re.search(r"""(src|href|srcset)=["']?(https?:|//|/)|url\(|@import""", page)
    assert "default-src 'none'" in page
    for link in re.findall(r'href="([^"#]+)"', page):
        assert (folder / link).exists(), link
    for anchor in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{anchor}"' in page


def test_verdict_comes_first_then_figures_then_every_statement(whole: Path) -> None:
    page = page_of(whole)
    places = [page.index(mark) for mark in ("<h1>", 'class="verdict"', 'id="figures"', 'id="statements"', 'id="tables"')]
    assert places == sorted(places)
    statements = pd.read_csv(whole.parent / "report" / "tables" / "statements.csv", keep_default_na=False)
    assert set(statements["topic"]) <= set(TOPICS) and (statements["role"] == "primary").sum() == 1
    words = re.sub(r"\s+", " ", words_of(page))
    for _, each in statements.iterrows():
        assert re.search(rf'<li class="{each["role"]}" id="{re.escape(each["key"])}">', page)
        for name in ("sentence", "assumption", "n"):
            assert re.sub(r"\s+", " ", each[name]) in words


def test_tables_agree_with_the_statistics(whole: Path) -> None:
    tables = whole.parent / "report" / "tables"
    comparisons = pd.read_csv(tables / "comparisons.csv")
    assert comparisons["rank_p"].tolist() == pytest.approx((comparisons["at_least_as_good"] + 1) / 21, rel=1e-5)
    summary = pd.read_csv(tables / "summary.csv")
    assert summary["label"].iloc[0] == "unedited model"
    inside = summary[summary["locations"] < 2]
    assert ((inside["low"] <= inside["truth_info"]) & (inside["truth_info"] <= inside["high"])).all()
    trials = pd.read_csv(tables / "trials.csv")
    assert set(trials["labels"]) == {"true", "swapped"} and trials["recheck"].sum() == 4


def test_methods_say_what_decides_the_numbers(whole: Path) -> None:
    text = (whole.parent / "report" / "methods.md").read_text(encoding="utf-8")
    shown = words_of(page_of(whole))
    for words in (
        "hash of its weights 0123456789abcdef",
        "0.05 (validation loss 20, chosen, an end of the grid)",
        "sensitivity 1.000 (20 references)",
        "Primary test: top2 among random2 under optimal edits",
        "margin of equivalence 0.05",
        "Seeds of training: 0, 1",
        "unusual only if the rank p of both is at most 0.05",
        "headsweep 0.1.0 (made up)",
        "numpy ",
    ):
        assert words in text and words in shown
    assert "max_new_tokens: 12" in text


def test_intervals_follow_the_level_of_the_job(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "save", draw_only)
    path = write(Design(sets=("singles", "random2", "top2", "everywhere"), comparison=COMPARISON | {"level": 0.1}))
    assert run(path) == 0
    text, shown = capsys.readouterr().out, words_of(page_of(path) + page_of(path, "methods.md"))
    assert "90 % interval" in text and "90 % interval over questions" in shown and "Intervals are 90 %" in shown
    assert "95 %" not in text + shown
    sweep = Sweep(Results(path))
    summary = pd.read_csv(path.parent / "report" / "tables" / "summary.csv").set_index("label")
    weights = resample_weights(sweep.questions, groups=sweep.groups, level=0.9)
    by_hand = score_interval(sweep.unedited_answers, weights, level=0.9)
    assert summary.loc["unedited model", ["low", "high"]].tolist() == pytest.approx([by_hand.low, by_hand.high], rel=1e-5)
    usual = score_interval(sweep.unedited_answers, resample_weights(sweep.questions, groups=sweep.groups))
    assert by_hand.high - by_hand.low < 0.9 * (usual.high - usual.low)


def test_print_holds_verdict_and_table(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(Design(draws=5, sets=("random2", "top2", "everywhere"), comparison={}))
    assert run(path, "--text") == 0
    text = capsys.readouterr().out
    assert text.startswith("No primary test was named")
    assert "Model little (4 layers of 4 heads), behaviour truthfulness: 7 locations" in text
    for label in ("unedited model", "ITI, top2", "ITI, random2: mean", "LoRA, everywhere"):
        assert re.search(rf"^{re.escape(label)}.* 0\.\d\d\d ", text, re.MULTILINE)
    assert "report:" not in text and list(path.parent.iterdir()) == [path]


def test_a_partial_sweep_says_so_at_the_very_top(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    lost = Design(
        sets=("random2", "top2"),
        missing=lambda trial: trial["name"] == "random2[3]",
        failed=lambda trial: trial["name"] == "random2[4]" and trial["strength"] == 0.5,
    )
    path = write(lost)
    assert run(path) == 0
    assert "partial" in capsys.readouterr().out.splitlines()[0]
    page = page_of(path)
    top = "<p>This sweep is partial: of 117 trials 9 have no outcome yet and 2 failed.</p>"
    assert f'<body>\n<div class="partial" role="alert">{top}' in page
    assert "<title>PARTIAL: " in page
    assert "loss is not a number" in page


def test_lora_is_told_apart(write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, Figure] = {}

    def keep(figure: Figure, folder: Path, name: str, formats: tuple[str, ...] = ("svg",)) -> list[Path]:
        drawn.setdefault(name, figure)
        return draw_only(figure, folder, name, formats)

    monkeypatch.setattr(report, "save", keep)
    wide = {"wide": (16, " ".join(LINEAR), 0.001), "some": (4, "q_proj v_proj", 0.0)}
    edits = {"optimal": [0.1, 0.2], "lora": [0.1], "wide": [0.1, 0.3], "some": [0.1]}
    path = write(Design(sets=("top2", "random2", "everywhere"), edits=edits, wide=wide))
    assert run(path) == 0
    text = capsys.readouterr().out
    labels = ("LoRA", "LoRA rank 16, all linear", "LoRA rank 4, q_proj v_proj")
    for label in labels:
        assert re.search(rf"^{label}, everywhere +1  0\.\d\d\d", text, re.MULTILINE)
    legend = [text.get_text() for text in drawn["truth_info"].axes[0].get_legend().get_texts()]
    assert set(labels) <= set(legend)
    lines = [text.get_text() for text in drawn["training"].axes[0].get_legend().get_texts()]
    assert {"plain LoRA (2 trials)", *(f"{label} (2 trials)" for label in labels[1:])} <= set(lines)


def test_same_results_give_the_same_files(write: Write) -> None:
    path = write(Design(sets=("random2", "top2"), draws=5, edits={"optimal": [0.1]}, seeds=(0,)))
    for name in ("one", "two"):
        run(path, "-o", str(path.parent / name))
    files = sorted(file for file in (path.parent / "one").rglob("*") if file.is_file())
    assert len(files) > 15
    for file in files:
        assert (
            file.read_bytes() == (path.parent / "two" / file.relative_to(path.parent / "one")).read_bytes()
        ), file.name


def quick(**choice: object) -> Design:
    """One seed is enough for what is told of a sweep."""
    return Design(**{"seeds": (0,)} | choice)


ODD_SWEEPS = {
    "nothing done": (
        quick(missing=lambda trial: True),
        ["133 of 133 trials without an outcome yet", "--resume"],
    ),
    "half done": (
        quick(missing=lambda trial: hash_of(trial) % 2 == 0),
        ["trials without an outcome yet", "are left out"],
    ),
    "some failed": (
        quick(failed=lambda trial: trial["strength"] == 0.5),
        ["30 trials failed in training: loss is not a number", "Optimal: not chosen from strength 0.5"],
    ),
    "no ITI": (quick(edits={"optimal": [0.1, 0.2]}), ["not part of this sweep: ITI and LoRA"]),
    "no optimal edits": (
        quick(edits={"iti": [1.0]}),
        ["not part of this sweep: Optimal, LoRA and single heads"],
    ),
    "no random sets": (
        quick(sets=("singles", "top2", "everywhere")),
        ["not part of this sweep: random sets"],
    ),
    "one random set": (quick(draws=1), []),
    "single heads only": (
        quick(sets=("singles",), edits={"optimal": [0.1]}),
        ["all heads and a claimed set"],
    ),
    "not judged": (quick(judged=False), ["unedited model's test answers were not judged"]),
    "by MC1": (quick(comparison={"score": "mc1"}), []),
    "folds": (quick(folds=3), []),
    "folds, some missing": (
        quick(folds=2, missing=lambda trial: trial["fold"] == 1 and trial["kind"] != "top"),
        ["Optimal: 12 of 12 locations of random2 are left out"],
    ),
}


def hash_of(trial: dict) -> int:
    """A fixed number for a trial, unlike Python's own hash."""
    return sum(f"{trial['name']}{trial['edit']}{trial['strength']}{trial['seed']}".encode())


def draw_only(figure: Figure, folder: Path, name: str, formats: tuple[str, ...] = ("svg",)) -> list[Path]:
    """Lays a figure out without the cost of writing it."""
    figure.draw_without_rendering()
    folder.mkdir(exist_ok=True, parents=True)
    (folder / f"{name}.svg").touch()
    return [folder / f"{name}.svg"]


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("name", ODD_SWEEPS)
def test_odd_sweeps_are_reported_and_say_what_is_missing(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(report, "save", draw_only)
    design, words = ODD_SWEEPS[name]
    path = write(design)
    assert run(path) == 0
    text, shown = capsys.readouterr().out, words_of(page_of(path))
    assert re.search("^unedited model", text, re.MULTILINE)
    assert not re.search(r"\bnan\b", text + shown)
    for word in words:
        assert word in text and word in shown


def test_bad_input_is_one_line_and_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "results.h5") == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1 and "no such file" in captured.err


def test_every_file_has_a_report_of_its_own(whole: Path) -> None:
    judged = whole.with_name("judged.h5")
    judged.write_bytes(whole.read_bytes())
    before = page_of(whole)
    assert run(judged) == 0
    assert (whole.parent / "report-judged" / "index.html").is_file() and page_of(whole) == before
