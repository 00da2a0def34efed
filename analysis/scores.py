"""From trials to scores: strengths chosen on validation, then one row of test scores a location.

In: the trials of `Results`.  Out: pandas tables. A *unit* is a location without its fold: `top4@fold0` and
`top4@fold1` are the unit `top4`, whose folds together answer each question once.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.results import METRICS, Results
from analysis.stats import Answers

SCORE = "truth_info"
EDIT_NAMES = {"iti": "ITI", "optimal": "Optimal", "lora": "LoRA"}
EDIT_ORDER = tuple(EDIT_NAMES)
TEST = tuple(f"test_{name}" for name in METRICS)
ENOUGH = 0.9  # a strength is used if it is finished at this share of the best-covered strength's locations


@dataclass(frozen=True)
class Choice:
    """Trials at the strength chosen on validation, and what could not take part."""

    trials: pd.DataFrame  # a subset of Results.trials, with the column `edge`: "", "lowest" or "highest"
    strengths: dict[str, list[float]]  # per edit: the strengths chosen from
    dropped: dict[str, list[float]]  # per edit: planned strengths that too few locations finished
    incomplete: pd.DataFrame  # edit, unit, set, kind of the locations that lack trials and are left out


def edit_kind(edit: str) -> str:
    """`optimal`, `iti` or `lora`, whatever its rank."""
    return edit.replace(",", " ").split()[0]


def edit_name(edit: str) -> str:
    """As people read it: `LoRA rank 16, all linear`."""
    kind = edit_kind(edit)
    return EDIT_NAMES[kind] + edit[len(kind) :]


def choose_strengths(trials: pd.DataFrame) -> Choice:
    """For each (edit, unit, fold) the strength with the best validation Truth*Info, mean over seeds.

    Every location of an edit chooses from the same strengths: those that (nearly) all locations finished.
    Of equal scores the smallest strength is taken.
    """
    parts = [_choose_of_edit(group) for _, group in trials.groupby("edit", sort=False)]
    return Choice(
        trials=_concat([part.trials for part in parts], [*trials.columns, "edge"]),
        strengths={edit: values for part in parts for edit, values in part.strengths.items()},
        dropped={edit: values for part in parts for edit, values in part.dropped.items()},
        incomplete=_concat([part.incomplete for part in parts], ["edit", "unit", "set", "kind"]),
    )


def is_finished(trials: pd.DataFrame) -> pd.Series:
    """Whether each trial of one edit is done and, if strengths are to be chosen, scored on validation."""
    scored = trials[f"validation_{SCORE}"].notna() | (trials["strength"].nunique() == 1)
    return (trials["status"] == "done") & scored


def pick_extreme_unit(chosen: pd.DataFrame, best: bool) -> pd.DataFrame:
    """In each fold the unit that is best (or worst) on validation, as one unit; takes one edit and kind."""
    picked = []
    for _, fold in chosen.groupby("fold", sort=True):
        score = fold.groupby("unit", sort=False)[f"validation_{SCORE}"].mean()
        if score.notna().any():
            picked.append(fold[fold["unit"] == (score.idxmax() if best else score.idxmin())])
    return _concat(picked, chosen.columns).assign(unit="best single head" if best else "worst single head")


def score_units(chosen: pd.DataFrame, test_questions: np.ndarray) -> pd.DataFrame:
    """One row of test scores for each (edit, unit): folds weighted by questions, then the mean over seeds.

    Truth*Info is the product of the means over all questions of all folds, per seed.
    """
    names = ["edit", "unit"]
    if chosen.empty:
        return pd.DataFrame(
            columns=[*names, "set", "kind", "size", "first_layer", "strength", "edge", "seeds", *METRICS]
        )
    weighted = chosen[[*names, "seed", *TEST]].copy()
    weight = test_questions[chosen["fold"].to_numpy()]
    weighted[list(TEST)] = weighted[list(TEST)].mul(weight, axis=0)
    per_seed = weighted.groupby([*names, "seed"], sort=False)[list(TEST)].sum(skipna=False)
    total = pd.Series(weight, index=chosen.index).groupby([chosen[name] for name in [*names, "seed"]]).sum()
    per_seed = per_seed.div(total, axis=0).rename(columns=lambda name: name.removeprefix("test_"))
    per_seed[SCORE] = per_seed["truth"] * per_seed["info"]
    scores = per_seed.groupby(names, sort=False).mean()
    about = chosen.groupby(names, sort=False).agg(
        set=("set", "first"),
        kind=("kind", "first"),
        size=("size", "first"),
        first_layer=("first_layer", "first"),
        strength=("strength", _range_text),
        edge=("edge", lambda edges: " ".join(sorted({edge for edge in edges if edge}))),
        seeds=("seed", "nunique"),
        validation_truth_info=(f"validation_{SCORE}", "mean"),
        converged=("converged", "mean"),
    )
    return about.join(scores).reset_index()


def score_unedited(results: Results) -> pd.Series:
    """The unedited model's test scores over all folds."""
    weight = results.test_questions / results.test_questions.sum()
    table = results.baseline[list(TEST)].mul(weight, axis=0).sum(skipna=False)
    table.index = [name.removeprefix("test_") for name in table.index]
    table[SCORE] = table["truth"] * table["info"]
    return table


def answers_of(results: Results, chosen: pd.DataFrame) -> Answers | None:
    """Judged answers [seeds, questions of all folds] of one unit's chosen trials; None: not all judged."""
    trials: dict[int, list[int]] = {}  # seed -> its trials by fold
    rows = chosen.sort_values(["seed", "fold"])
    for trial, seed in zip(rows.index, rows["seed"], strict=True):
        trials.setdefault(seed, []).append(trial)
    truth, info = (
        [np.concatenate([results.trial_items(name, trial) for trial in folds]) for folds in trials.values()]
        for name in ("truth", "info")
    )
    return _whole(truth, info)


def unedited_answers(results: Results) -> Answers | None:
    """The same of the unedited model."""
    truth = np.concatenate([results.baseline_items("truth", fold) for fold in range(results.folds)])
    info = np.concatenate([results.baseline_items("info", fold) for fold in range(results.folds)])
    return _whole([truth], [info])


def _choose_of_edit(trials: pd.DataFrame) -> Choice:
    edit = trials["edit"].iloc[0]
    grid = sorted(trials["strength"].unique())
    finished = is_finished(trials)
    cells = finished.groupby([trials["unit"], trials["strength"]], sort=False).all().unstack()
    coverage = (cells == True).sum() / cells.notna().sum()  # noqa: E712 - NaN: not planned there
    usable = [s for s in grid if coverage[s] > 0 and coverage[s] >= ENOUGH * coverage.max()]
    complete = cells[usable].fillna(True).astype(bool).all(axis=1) & cells[usable].notna().any(axis=1)
    about = trials.drop_duplicates("unit").set_index("unit")
    names = about.index[~complete.reindex(about.index)]
    taking_part = trials[trials["unit"].isin(complete.index[complete]) & trials["strength"].isin(usable)]
    return Choice(
        trials=_best_on_validation(taking_part),
        strengths={edit: usable},
        dropped={edit: [s for s in grid if s not in usable]},
        incomplete=about.loc[names, ["edit", "set", "kind"]].reset_index(),
    )


def _best_on_validation(trials: pd.DataFrame) -> pd.DataFrame:
    if trials.empty:
        return trials.assign(edge="")
    keys = ["unit", "fold"]
    mean = trials.groupby([*keys, "strength"], sort=True)[f"validation_{SCORE}"].mean().fillna(0.0)
    best = mean.groupby(level=keys).idxmax().map(lambda place: place[-1]).rename("best")
    chosen = trials.join(best, on=keys)
    chosen = chosen[chosen["strength"] == chosen["best"]].drop(columns="best")
    grid = trials.groupby("unit")["strength"].agg(["min", "max"]).loc[chosen["unit"]].to_numpy()
    strength, wide = chosen["strength"].to_numpy(), grid[:, 0] < grid[:, 1]
    at_ends = [wide & (strength == grid[:, 0]), wide & (strength == grid[:, 1])]
    return chosen.assign(edge=np.select(at_ends, ["lowest", "highest"], ""))


def _whole(truth: list[np.ndarray], info: list[np.ndarray]) -> Answers | None:
    if not truth or len({row.size for row in truth}) != 1:
        return None
    answers = Answers(np.stack(truth), np.stack(info))
    whole = answers.truth.size > 0 and np.isfinite(answers.truth).all() and np.isfinite(answers.info).all()
    return answers if whole else None


def _range_text(values: Iterable[float]) -> str:
    """`0.1`, or `0.1 to 0.3` where folds chose differently."""
    numbers = sorted(set(values))
    return f"{numbers[0]:g}" if len(numbers) == 1 else f"{numbers[0]:g} to {numbers[-1]:g}"


def _concat(frames: list[pd.DataFrame], columns: Iterable[str]) -> pd.DataFrame:
    filled = [frame for frame in frames if not frame.empty]
    return pd.concat(filled) if filled else pd.DataFrame(columns=list(columns))
