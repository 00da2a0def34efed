"""Chooses what each figure of the report shows. In: `Findings`. Out: figures with their captions."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis import figures
from analysis.compare import CLAIMED_KINDS, Comparison
from analysis.findings import Findings, HeadScores
from analysis.scores import SCORE, edit_kind, edit_name
from analysis.stats import Interval
from analysis.summary import UNEDITED

PANEL_ORDER = ("optimal", "iti", "lora")


@dataclass(frozen=True)
class Illustration:
    """A figure, the name of its files and what one sees."""

    name: str
    caption: str
    figure: Figure


def illustrate(findings: Findings) -> Iterator[Illustration]:
    """Every figure that the findings allow."""
    yield from _histograms(findings)
    for head_scores in findings.head_scores:
        yield from _head_figures(findings, head_scores)
    yield from _truth_info(findings)
    yield from _curves(findings)


def _histograms(findings: Findings) -> Iterator[Illustration]:
    """One figure for each claimed set and kind of random sets, one panel an edit."""
    pairs = dict.fromkeys((each.claimed, each.random) for each in findings.comparisons)
    for claimed, random in pairs:
        those = [each for each in findings.comparisons if (each.claimed, each.random) == (claimed, random)]
        those.sort(key=lambda each: _panel_place(each.edit))
        panels = [
            figures.Draws(
                _histogram_title(each), each.draws.to_numpy(dtype=np.float64), _levels(findings, each)
            )
            for each in those
        ]
        yield Illustration(
            re.sub(r"[^\w.-]", "_", f"histogram_{claimed}_{random}"),
            f"Test Truth*Info of the random sets {random} (columns) and of the claimed set {claimed}, all "
            "heads and the unedited model (marks, with 95 % intervals over questions), each at the strength "
            "chosen on validation.",
            figures.draw_histogram(panels),
        )


def _histogram_title(comparison: Comparison) -> str:
    rank = comparison.rank
    return f"{_edits(comparison.edit)}: rank p = {rank.p_value:.2g} (smallest possible {rank.smallest_p:.2g})"


def _panel_place(edit: str) -> int:
    return PANEL_ORDER.index(edit_kind(edit))


def _lora_marks(edits: Iterable[str]) -> dict[str, str]:
    """The mark of each lora: plain LoRA has its own, the others take turns."""
    wide = [edit for edit in dict.fromkeys(edits) if edit_kind(edit) == "lora" and edit != "lora"]
    marks = {edit: figures.WIDE[place % len(figures.WIDE)] for place, edit in enumerate(wide)}
    return {"lora": "lora"} | marks


def _edits(edit: str) -> str:
    return f"{edit_name(edit)} edits"


def _levels(findings: Findings, comparison: Comparison) -> list[figures.Level]:
    """Claimed set, all heads and unedited model, with their intervals."""
    edit = edit_name(comparison.edit)
    everywhere = (findings.scores["edit"] == comparison.edit) & (findings.scores["kind"] == "all")
    rows = [(f"{edit}, {name}", name, "all") for name in findings.scores.loc[everywhere, "set"]]
    rows.append((UNEDITED, UNEDITED, "unedited"))
    summary = findings.summary.set_index("label")[[SCORE, "low", "high"]].astype(float)
    levels = [figures.Level(f"{comparison.claimed} (claimed)", "top", comparison.score)]
    levels += [figures.Level(name, kind, Interval(*summary.loc[label])) for label, name, kind in rows]
    return [level for level in levels if np.isfinite(level.score.value)]


def _head_figures(findings: Findings, scores: HeadScores) -> Iterator[Illustration]:
    results = findings.results
    shape = (results.layers, results.heads)
    if np.isfinite(scores.probe).any():
        yield Illustration(
            f"heads_{scores.edit}",
            f"Left: what an edit ({edit_name(scores.edit)}) at one head alone reaches on test questions. "
            "Right: how well a probe reads the behaviour there on validation questions. If the probe "
            "localised what can be edited, both maps would look alike.",
            figures.draw_head_maps(
                scores.edited.reshape(shape),
                scores.probe.reshape(shape),
                f"{_edits(scores.edit)} at one head",
            ),
        )
    if scores.correlation is not None and np.isfinite(scores.correlation.value):
        both = np.isfinite(scores.edited) & np.isfinite(scores.probe)
        layer = results.head_table["layer"].to_numpy()[both]
        unedited = float(findings.summary[SCORE].iloc[0])
        yield Illustration(
            f"probe_{scores.edit}",
            f"Each mark is a head: test Truth*Info of an edit ({edit_name(scores.edit)}) there against the "
            "probe's accuracy there.",
            figures.draw_probe_scatter(
                scores.probe[both], scores.edited[both], layer, scores.correlation, unedited
            ),
        )


def _truth_info(findings: Findings) -> Iterator[Illustration]:
    scores = findings.scores[findings.scores[SCORE].notna()]
    panels: dict[str, list[figures.Points]] = {}
    marks = _lora_marks(scores["edit"])
    for edit in sorted(scores["edit"].unique(), key=_panel_place):
        rows = scores[scores["edit"] == edit]
        if edit in marks and "optimal" in set(scores["edit"]):
            panels[_edits("optimal")].append(_points(marks[edit], rows, edit))
        else:
            kinds = [
                kind for kind in ("single", "random", "all", *CLAIMED_KINDS) if kind in set(rows["kind"])
            ]
            panels[_edits(edit)] = [_points(kind, rows[rows["kind"] == kind]) for kind in kinds]
    if panels:
        unedited = findings.summary.iloc[0]
        yield Illustration(
            "truth_info",
            "Share of true and of informative test answers of every location at its chosen strength; grey: "
            "equal Truth*Info.",
            figures.draw_truth_info(panels, (float(unedited["truth"]), float(unedited["info"]))),
        )


def _points(kind: str, rows: pd.DataFrame, edit: str = "") -> figures.Points:
    return figures.Points(
        kind,
        rows["truth"].to_numpy(dtype=np.float64),
        rows["info"].to_numpy(dtype=np.float64),
        edit_name(edit) if kind in figures.WIDE else "",
    )


def _curves(findings: Findings) -> Iterator[Illustration]:
    curves: dict[str, list[np.ndarray]] = {}
    names: dict[str, str] = {}
    trained = findings.choice.trials
    marks = _lora_marks(trained["edit"])
    for trial, row in trained[trained["steps"] > 0].iterrows() if len(trained) else ():
        loss = findings.results.curve(trial)
        if loss.size and np.isfinite(loss).all() and loss[0] > 0:
            line = marks.get(row["edit"], row["kind"])
            curves.setdefault(line, []).append(loss)
            if line in figures.WIDE:
                names[line] = edit_name(row["edit"])
    if curves:
        yield Illustration(
            "training",
            "Training loss of the edits at their chosen strengths, smoothed over a twentieth of the steps "
            "and divided by its start, for strengths have losses of different size. Lines that still fall "
            "at the end are not converged.",
            figures.draw_training_curves(curves, names),
        )
