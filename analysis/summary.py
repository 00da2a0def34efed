"""The summary table: one row for the unedited model and for each set of locations under each edit.

In: scored locations.  Out: a pandas table, and the same as short lines of text.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import stats
from analysis.judge import needs_correction, with_corrected
from analysis.results import Results
from analysis.scores import (
    EDIT_ORDER,
    SCORE,
    Choice,
    answers_of,
    edit_kind,
    edit_name,
    pick_extreme_unit,
    score_unedited,
    score_units,
    unedited_answers,
)

SHOWN = ("truth", "info", SCORE, "both", "mc1", "mc2", "kl_text", "kl_answer")
CORRECTED = ("truth_corrected", "info_corrected")  # beside SHOWN where the judge is known to err
KIND_ORDER = ("top", "list", "random", "single", "all")
UNEDITED = "unedited model"


@dataclass(frozen=True)
class Entry:
    """What one row of the table is made of."""

    edit: str
    label: str
    scores: pd.DataFrame  # one row a location
    trials: pd.DataFrame  # their chosen trials


def make_summary(results: Results, choice: Choice, weights: np.ndarray) -> pd.DataFrame:
    """Means over the locations of a row, their range, and a bootstrap interval over questions."""
    rows = [_unedited_row(results, weights)]
    rows += [_row(results, entry, weights) for entry in _entries(results, choice)]
    summary = pd.DataFrame(rows)
    return summary if needs_correction(results) else summary.drop(columns=list(CORRECTED))


def summary_lines(summary: pd.DataFrame) -> list[str]:
    """The short table as text."""
    corrected = [name for name in CORRECTED if name in summary]
    names = [name.replace("_", " ") for name in corrected]
    header = ("", "locations", "truth", "info", "Truth*Info", *names, "95 % interval", "range", "strength")
    rows = [header]
    for _, row in summary.iterrows():
        numbers = [_number(row[name]) for name in ("truth", "info", SCORE, *corrected)]
        interval = range_text(row["low"], row["high"])
        spread = range_text(row["minimum"], row["maximum"]) if row["locations"] > 1 else ""
        rows.append((row["label"], str(row["locations"] or ""), *numbers, interval, spread, row["strength"]))
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    aligned = [
        [row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in range(1, len(row) - 1)), row[-1]]
        for row in rows
    ]
    return ["  ".join(row).rstrip() for row in aligned]


def range_text(low: float, high: float) -> str:
    """`0.12 to 0.34`; a dash where there is none."""
    return f"{low:.2f} to {high:.2f}" if np.isfinite(low) and np.isfinite(high) else "-"


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "-"


def _entries(results: Results, choice: Choice) -> list[Entry]:
    entries = []
    chosen = choice.trials
    present = list(dict.fromkeys(chosen["edit"]))
    for edit in sorted(present, key=lambda edit: EDIT_ORDER.index(edit_kind(edit))):
        for kind in KIND_ORDER:
            of_kind = chosen[(chosen["edit"] == edit) & (chosen["kind"] == kind)]
            for name, trials in of_kind.groupby("set", sort=False):
                entries += _entries_of_set(results, edit, kind, str(name), trials)
    return entries


def _entries_of_set(results: Results, edit: str, kind: str, name: str, trials: pd.DataFrame) -> list[Entry]:
    prefix = f"{edit_name(edit)}, "
    parts = [(name, trials)]
    if kind == "single":
        best, worst = (pick_extreme_unit(trials, best=best) for best in (True, False))
        parts = [(f"{name}: best on validation", best), (f"{name}: worst on validation", worst)]
        parts += [(f"{name}: mean", trials)]
    elif kind == "random":
        parts = [(f"{name}: mean", trials)]
    return [
        Entry(edit, prefix + label, score_units(part, results.test_questions), part)
        for label, part in parts
        if not part.empty
    ]


def _row(results: Results, entry: Entry, weights: np.ndarray) -> dict[str, object]:
    scores = entry.scores
    answers = [answers_of(results, trials) for _, trials in entry.trials.groupby("unit", sort=False)]
    judged = [each for each in answers if each is not None]
    interval = stats.mean_truth_info_interval(judged, weights) if len(judged) == len(answers) else None
    return _as_row(
        entry.label, len(scores), _means(results, scores), interval
    ) | {
        "edit": entry.edit,
        "minimum": scores[SCORE].min(),
        "maximum": scores[SCORE].max(),
        "median": scores[SCORE].median(),
        "strength": _strengths(scores, entry.trials),
        "converged": float(entry.trials["converged"].mean()) if entry.edit != "iti" else np.nan,
    }


def _unedited_row(results: Results, weights: np.ndarray) -> dict[str, object]:
    answers = unedited_answers(results)
    interval = stats.truth_info_interval(answers, weights) if answers is not None else None
    scores = pd.DataFrame([score_unedited(results)])
    return _as_row(UNEDITED, 0, _means(results, scores), interval) | {
        "edit": "",
        "minimum": np.nan,
        "maximum": np.nan,
        "median": np.nan,
        "strength": "",
        "converged": np.nan,
    }


def _means(results: Results, scores: pd.DataFrame) -> pd.Series:
    """Over the locations; shares are corrected location by location."""
    names = [*SHOWN, *CORRECTED]
    return with_corrected(results, scores)[names].astype(float).mean(skipna=False)


def _as_row(
    label: str, locations: int, means: pd.Series, interval: stats.Interval | None
) -> dict[str, object]:
    low, high = (interval.low, interval.high) if interval else (np.nan, np.nan)
    return {"label": label, "locations": locations, **means.to_dict(), "low": low, "high": high}


def _strengths(scores: pd.DataFrame, trials: pd.DataFrame) -> str:
    """The strength, or the commonest one, and how often the grid's edge was chosen."""
    picks = trials.drop_duplicates(["unit", "fold"])
    counts = picks["strength"].value_counts()
    text = f"{counts.index[0]:g}" if len(counts) == 1 else f"mostly {counts.idxmax():g}"
    edges = picks["edge"].value_counts().drop("", errors="ignore")
    if edges.empty:
        return text
    if len(picks) == 1:
        return f"{text} ({edges.index[0]} of the grid)"
    return f"{text} ({', '.join(f'{count} of {len(picks)} at the {edge}' for edge, count in edges.items())})"
