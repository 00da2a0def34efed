"""Chooses what each figure of the report shows. In: `Findings`. Out: figures with captions that say how to read them."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..compare.claimed import Comparison
from ..findings import Findings
from ..scores import SCORE, edit_kind, edit_name, takes_part
from ..statement import ENOUGH, count, join
from ..stats import Interval, count_groups
from ..stats.power import POWER, detectable_difference, power_curve, rank_power
from ..summary import UNEDITED
from . import figures
from .figures_sets import Draws, Level, Plane, Row, Trace, draw_forest, draw_histogram, draw_traces
from .figures_training import Power, draw_power, draw_training_curves
from .illustrate_heads import illustrate_heads

PANEL_ORDER = ("optimal", "iti", "lora")
MOST_FAINT = 60  # so many single locations of a kind are drawn
TRUTH_INFO = Plane("truth (share of test answers)", "info (share of test answers)", products=True)
COST = Plane("KL to the unedited model on running text, nats/token", "MC2 on test questions", log_x=True)


@dataclass(frozen=True)
class Illustration:
    """A figure, the name of its files and how to read it; `draw(narrow=True)` is for a phone."""

    name: str
    caption: str
    draw: Callable[..., Figure]


def illustrate(findings: Findings) -> Iterator[Illustration]:
    """Every figure that the findings allow."""
    yield from _histograms(findings)
    yield from _forest(findings)
    yield from _planes(findings)
    for name, caption, draw in illustrate_heads(findings):
        yield Illustration(name, caption, draw)
    yield from _curves(findings)
    yield from _power(findings)


def _histograms(findings: Findings) -> Iterator[Illustration]:
    """One figure for each claimed set and kind of random sets, one panel an edit."""
    score_name = findings.settings.score_name
    for claimed, random in dict.fromkeys((each.claimed, each.random) for each in findings.comparisons):
        those = [each for each in findings.comparisons if (each.claimed, each.random) == (claimed, random)]
        those.sort(key=lambda each: _panel_place(each.edit))
        groups = [
            Draws(_histogram_title(each), each.draws.to_numpy(dtype=np.float64), _levels(findings, each)) for each in those
        ]
        yield Illustration(
            re.sub(r"[^\w.-]", "_", f"histogram_{claimed}_{random}"),
            f"Is the claimed set special? Columns: how many of the random sets ({random}) reach each {score_name} on test "
            f"questions. Lines: the claimed set ({claimed}), all heads and the unedited model, with "
            f"{findings.settings.interval_name}s over questions as bars. {_matching(those)} {_roles(those)} If the claimed set "
            "lies among the columns, edits at some random heads succeed as well as one there; p counts them, for the column that "
            "its line stands in can hold sets on either side. The strength of each location was chosen on validation questions.",
            partial(draw_histogram, groups, score_name),
        )


def _histogram_title(each: Comparison) -> str:
    return f"{_edits(each.edit)}: rank p = {each.rank.p_value:.2g} (least possible {each.rank.smallest_p:.2g})"


def _matching(those: list[Comparison]) -> str:
    if all(each.matched for each in those):
        return "Each random set has as many heads in each layer as the claimed one."
    return "Random sets have as many heads as the claimed one, in any layers, so layers may explain its place."


def _roles(those: list[Comparison]) -> str:
    """Which panel is the primary test, if one is."""
    named = [_edits(each.edit) for each in those if each.role == "primary"]
    if named:
        return f"The panel of {join(named)} is the primary test{'; the others are secondary' * (len(those) > 1)}."
    return f"{'This comparison is' if len(those) == 1 else 'These comparisons are'} {those[0].role}, not the primary test."


def _levels(findings: Findings, comparison: Comparison) -> list[Level]:
    """Claimed set, all heads and unedited model, with their intervals."""
    edit = edit_name(comparison.edit)
    everywhere = (findings.scores["edit"] == comparison.edit) & (findings.scores["kind"] == "all")
    rows = [(f"{edit}, {name}", f"{name} (all heads)", "all") for name in findings.scores.loc[everywhere, "set"]]
    rows.append((UNEDITED, UNEDITED, "unedited"))
    summary = findings.summary.set_index("label")[[SCORE, "low", "high"]].astype(float)
    levels = [Level(f"{comparison.claimed} (claimed)", "top", comparison.score)]
    levels += [Level(name, kind, Interval(*summary.loc[label])) for label, name, kind in rows if label in summary.index]
    return [level for level in levels if np.isfinite(level.score.value)]


def _forest(findings: Findings) -> Iterator[Illustration]:
    rows = forest_rows(findings)
    score_name = findings.settings.score_name
    if rows:
        yield Illustration(
            "forest",
            f"{score_name} by edit and kind of location. Mark: the location, or the mean over locations; thick line: "
            f"{findings.settings.interval_name} over questions; thin grey line: from the lowest to the highest location. The "
            "numbers repeat mark and interval. Rows whose thick lines overlap much are not told apart by so many questions; the paired "
            "differences below are sharper.",
            partial(draw_forest, rows, score_name, float(findings.summary[SCORE].iloc[0])),
        )


def forest_rows(findings: Findings, heading: str = "") -> list[Row]:
    """The rows of the summary that have a score; `heading` stands above the first, else each edit above its own."""
    kinds = {f"{edit_name(edit)}, {name}": kind for edit, name, kind in _sets(findings.scores)}
    rows: list[Row] = []
    last = ""
    for _, each in findings.summary.iterrows():
        label, edit = str(each["label"]), str(each["edit"])
        if not edit or not np.isfinite(each[SCORE]):
            continue
        kind = "lora" if edit_kind(edit) == "lora" else kinds.get(label.split(": ")[0], "single")
        spread = (each["minimum"], each["maximum"]) if each["locations"] > 1 else None
        above = (heading if not rows else "") if heading else edit_name(edit) if edit != last else ""
        text = label if heading else label.removeprefix(f"{edit_name(edit)}, ")
        rows.append(Row(text, kind, Interval(each[SCORE], each["low"], each["high"]), spread, above))
        last = edit
    return rows


def _sets(scores: pd.DataFrame) -> Iterable[tuple[str, str, str]]:
    return scores[["edit", "set", "kind"]].drop_duplicates().itertuples(index=False, name=None)


def _planes(findings: Findings) -> Iterator[Illustration]:
    """Truth against information, and drift against multiple choice, over strengths."""
    table = _by_strength(findings)
    unedited = findings.summary.iloc[0]
    groups = _traces(table, "truth", "info")
    if groups:
        yield Illustration(
            "truth_info",
            "Shares of true and of informative test answers over the strengths; marks grow from the weakest edit to the "
            "strongest (a small tau and a large alpha are strong). Up and to the right is better; grey curves join equal Truth*Info. Bold: "
            f"single locations and means over locations; pale: up to {MOST_FAINT} locations of a kind.",
            partial(draw_traces, groups, TRUTH_INFO, (float(unedited["truth"]), float(unedited["info"]))),
        )
    groups = _traces(table[table["kl_text"] > 0], "kl_text", "mc2")
    if groups:
        yield Illustration(
            "kl_mc2",
            "What success costs: multiple choice (MC2) against how far the edit moves the model on unrelated running text, over "
            "the strengths. Up and to the left is better: a set that is special reaches more at the same KL.",
            partial(draw_traces, groups, COST, (np.nan, float(unedited["mc2"]))),
        )


def _by_strength(findings: Findings) -> pd.DataFrame:
    """Test metrics of each (edit, unit, strength) whose folds and seeds are all done: means over both."""
    names = ["truth", "info", "mc2", "kl_text"]
    trials = findings.results.trials
    trials = trials[takes_part(trials)]
    keys = ["edit", "kind", "unit", "strength"]
    values = trials[[*keys]].assign(**{name: trials[f"test_{name}"] for name in names})
    return values.groupby(keys, sort=False)[names].agg(lambda column: column.mean(skipna=False)).reset_index()


def _traces(table: pd.DataFrame, x: str, y: str) -> dict[str, list[Trace]]:
    """One panel an edit; LoRA stands with the optimal edits, whose upper reference it is."""
    known = table[table[[x, y]].notna().all(axis=1)]
    push = known["strength"].where(known["edit"].map(edit_kind) == "iti", -known["strength"])  # a small tau is a strong edit
    known = known.assign(push=push).sort_values("push", kind="stable")
    marks = lora_marks(known["edit"])
    panels: dict[str, list[Trace]] = {}
    for edit in sorted(known["edit"].unique(), key=_panel_place):
        rows = known[known["edit"] == edit]
        if edit in marks and "optimal" in set(known["edit"]):
            panels[_edits("optimal")].append(_trace(marks[edit], rows, x, y, edit_name(edit)))
            continue
        kinds = [kind for kind in ("single", "random", "all", "list", "top") if kind in set(rows["kind"])]
        panels[_edits(edit)] = [trace for kind in kinds for trace in _of_kind(kind, rows[rows["kind"] == kind], x, y)]
    return panels


def _of_kind(kind: str, rows: pd.DataFrame, x: str, y: str) -> Iterator[Trace]:
    """Its locations, pale, and their mean."""
    units = [unit for _, unit in rows.groupby("unit", sort=False)]
    if len(units) == 1:
        yield _trace(kind, units[0], x, y, figures.NAMES[kind])
        return
    for unit in units[:MOST_FAINT]:
        yield _trace(kind, unit, x, y, "", faint=True)
    mean = rows.groupby("push")[[x, y]].mean().reset_index()
    yield _trace(kind, mean, x, y, f"{figures.NAMES[kind]}: mean of {len(units)}")


def _trace(kind: str, rows: pd.DataFrame, x: str, y: str, label: str, faint: bool = False) -> Trace:
    return Trace(kind, rows[x].to_numpy(np.float64), rows[y].to_numpy(np.float64), label, faint)


def _curves(findings: Findings) -> Iterator[Illustration]:
    curves: dict[str, list[np.ndarray]] = {}
    names: dict[str, str] = {}
    trained = findings.choice.trials
    marks = lora_marks(trained["edit"])
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
            "Did the edits train? Loss at the chosen strengths, smoothed over a twentieth of the steps and divided by its "
            "start, for strengths have losses of different size; bands hold the middle 80 % of trials. A line that still "
            "falls at the end is not converged: its score may be too low.",
            partial(draw_training_curves, curves, names),
        )


def _power(findings: Findings) -> Iterator[Illustration]:
    """For the first comparison: the primary one, if the job named it."""
    found = [each for each in findings.statements if each.topic == ENOUGH and each.key.startswith("questions-")]
    settings, groups = findings.settings, []
    if found and found[0].estimate > 0:
        units = count_groups(findings.results.test_groups)
        spread = found[0].estimate / detectable_difference(units, 1.0, settings.level)
        sizes = np.linspace(0.0, 2.5 * found[0].estimate, 100)
        counts = {units: f"this sweep: {findings.results.n_test_questions}", 4 * units: "four times as many"}
        lines = {text: power_curve(sizes, number, spread, settings.level) for number, text in counts.items()}
        groups.append(Power("Two locations, paired", f"true difference in {settings.score_name}", sizes, lines))
    draws = len(findings.comparisons[0].draws) if findings.comparisons else 0
    if draws:
        shares = np.linspace(0.0, 0.2, 100)
        lines = {
            f"{text}{count(number, 'random set')}": rank_power(shares, number, settings.level)
            for text, number in (("this sweep: ", draws), ("", 10 * draws))
        }
        groups.append(Power("Claimed set, rank test", "share of all random sets that reach it", shares, lines))
    if groups:
        yield Illustration(
            "power",
            "Was the sweep large enough? The chance to find an effect, against its true size: first, a difference between two "
            "locations on the same questions; then, a claimed set that only this share of all random sets reach. Where "
            "this sweep's line lies below the dotted one, a missing difference proves little.",
            partial(draw_power, groups, POWER),
        )


def lora_marks(edits: Iterable[str]) -> dict[str, str]:
    """The mark of each lora: plain LoRA has its own, the others take turns."""
    wide = [edit for edit in dict.fromkeys(edits) if edit_kind(edit) == "lora" and edit != "lora"]
    marks = {edit: figures.WIDE[place % len(figures.WIDE)] for place, edit in enumerate(wide)}
    return {"lora": "lora"} | marks


def _panel_place(edit: str) -> int:
    return PANEL_ORDER.index(edit_kind(edit))


def _edits(edit: str) -> str:
    return f"{edit_name(edit)} edits"
