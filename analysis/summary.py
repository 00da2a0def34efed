"""The summary table: one row for the unedited model and for each set of locations under each edit.

In: scored locations.  Out: a pandas table, and the same as short lines of text.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .judge import needs_correction, with_corrected
from .results import Results
from .scores import (
    EDIT_ORDER,
    SCORE,
    TEST,
    Choice,
    choose_strengths,
    edit_kind,
    edit_name,
    pick_extreme_unit,
)
from .settings import Settings
from .stats import Interval
from .stats.resample import mean_score_interval, score_interval
from .sweep import Sweep

SHOWN = ("truth", "info", "truth_info", SCORE, "both", "mc1", "mc2", "kl_text", "kl_answer")
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


def make_summary(sweep: Sweep, choice: Choice) -> pd.DataFrame:
    """Means over the locations of a row, their range, and a bootstrap interval over questions.

    `choice` is on validation; best_on_test is the paper's own convention beside it, each location at its best
    strength on test. Locations that learning rates were chosen on are left out.
    """
    on_test = choose_strengths(sweep.trials, TEST)
    best = sweep.scores(on_test.trials).set_index(["edit", "unit"])[SCORE]
    rows = [_unedited_row(sweep)]
    rows += [_row(sweep, entry, best) for entry in _entries(sweep, choice)]
    summary = pd.DataFrame(rows)
    return summary if needs_correction(sweep.results) else summary.drop(columns=list(CORRECTED))


def summary_lines(summary: pd.DataFrame, settings: Settings) -> list[str]:
    """The short table as text; best on test is the paper's own convention for strengths."""
    corrected = [name for name in CORRECTED if name in summary]
    names = [name.replace("_", " ") for name in corrected]
    header = ("", "locations", "truth", "info", settings.score_name, *names, settings.interval_name, "range")
    header += ("best on test", "strength")
    rows = [header]
    for _, row in summary.iterrows():
        numbers = [_number(row[name]) for name in ("truth", "info", SCORE, *corrected)]
        interval = range_text(row["low"], row["high"])
        spread = range_text(row["minimum"], row["maximum"]) if row["locations"] > 1 else ""
        words = (interval, spread, _number(row["best_on_test"]), row["strength"])
        rows.append((row["label"], str(row["locations"] or ""), *numbers, *words))
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


def _entries(sweep: Sweep, choice: Choice) -> list[Entry]:
    entries = []
    chosen = choice.trials[choice.trials["tuning"] == 0]
    present = list(dict.fromkeys(chosen["edit"]))
    for edit in sorted(present, key=lambda edit: EDIT_ORDER.index(edit_kind(edit))):
        for kind in KIND_ORDER:
            of_kind = chosen[(chosen["edit"] == edit) & (chosen["kind"] == kind)]
            for name, trials in of_kind.groupby("set", sort=False):
                entries += _entries_of_set(sweep, edit, kind, str(name), trials)
    return entries


def _entries_of_set(sweep: Sweep, edit: str, kind: str, name: str, trials: pd.DataFrame) -> list[Entry]:
    prefix = f"{edit_name(edit)}, "
    parts = [(name, trials)]
    if kind == "single":
        best, worst = (pick_extreme_unit(trials, best=best) for best in (True, False))
        parts = [(f"{name}: best on validation", best), (f"{name}: worst on validation", worst)]
        parts += [(f"{name}: mean", trials)]
    elif kind == "random":
        parts = [(f"{name}: mean", trials)]
    return [
        Entry(edit, prefix + label, sweep.scores(part, whole=False), part) for label, part in parts if not part.empty
    ]


def _row(sweep: Sweep, entry: Entry, best: pd.Series) -> dict[str, object]:
    scores = entry.scores
    judged = list(sweep.answers_by_unit(entry.trials).values())
    level, known = sweep.settings.confidence, len(judged) == len(scores)
    interval = mean_score_interval(judged, sweep.weights, level=level) if known else None
    units = [(entry.edit, unit) for unit in scores["unit"]]
    return _as_row(entry.label, len(scores), _means(sweep.results, scores), interval) | {
        "edit": entry.edit,
        "minimum": scores[SCORE].min(),
        "maximum": scores[SCORE].max(),
        "median": scores[SCORE].median(),
        "best_on_test": best.reindex(units).mean(skipna=False),
        "strength": _strengths(scores, entry.trials),
        "converged": float(entry.trials["converged"].mean()) if entry.edit != "iti" else np.nan,
    }


def _unedited_row(sweep: Sweep) -> dict[str, object]:
    answers, level = sweep.unedited_answers, sweep.settings.confidence
    interval = score_interval(answers, sweep.weights, level=level) if answers is not None else None
    scores = pd.DataFrame([sweep.unedited])
    return _as_row(UNEDITED, 0, _means(sweep.results, scores), interval) | {
        "edit": "",
        "minimum": np.nan,
        "maximum": np.nan,
        "median": np.nan,
        "best_on_test": np.nan,
        "strength": "",
        "converged": np.nan,
    }


def _means(results: Results, scores: pd.DataFrame) -> pd.Series:
    """Over the locations; shares are corrected location by location."""
    names = [*SHOWN, *CORRECTED]
    return with_corrected(results, scores)[names].astype(float).mean(skipna=False)


def _as_row(
    label: str, locations: int, means: pd.Series, interval: Interval | None
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
