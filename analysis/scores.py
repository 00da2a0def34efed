"""From trials to scores: strengths chosen on validation, then one row of test scores a location.

In: the trials of `Results` and the job's `Settings`.  Out: pandas tables. A *unit* is a location without its fold:
`top4@fold0` and `top4@fold1` are the unit `top4`, whose folds together answer each question once. The column `score`
is what the job compares by, `Truth*Info` unless it says otherwise; more is better.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .results import METRICS, Results
from .settings import Settings
from .stats import Answers

SCORE = "score"
VALIDATION, TEST = f"validation_{SCORE}", f"test_{SCORE}"
EDIT_NAMES = {"iti": "ITI", "optimal": "Optimal", "lora": "LoRA"}
EDIT_ORDER = tuple(EDIT_NAMES)
TEST_METRICS = tuple(f"test_{name}" for name in METRICS)
ENOUGH = 0.9  # a strength is used if it is finished at this share of the best-covered strength's locations


@dataclass(frozen=True)
class Choice:
    """Trials at the strength chosen on validation, and what could not take part."""

    trials: pd.DataFrame  # a subset of the trials, with the column `edge`: "", "lowest" or "highest"
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


def with_scores(trials: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """The trials with the columns validation_score and test_score."""
    return trials.assign(
        **{VALIDATION: settings.values(trials, "validation_"), TEST: settings.values(trials, "test_")}
    )


def is_on_the_map(trials: pd.DataFrame) -> pd.Series:
    """Trials of edits as the job asks for them: no recheck of convergence, no control."""
    return (trials["recheck"] == 0) & (trials["labels"] == "true") & (trials["kind"] != "subspace")


def takes_part(trials: pd.DataFrame) -> pd.Series:
    """Trials of the comparison: those on the map, less the locations that learning rates were chosen on."""
    return is_on_the_map(trials) & (trials["tuning"] == 0)


def choose_strengths(trials: pd.DataFrame, by: str = VALIDATION) -> Choice:
    """For each (edit, unit, fold) the strength with the best validation score, mean over seeds.

    Every location of an edit chooses from the same strengths: those that (nearly) all locations finished.
    Of equal scores the smallest strength is taken. `by` test_score is the paper's own convention.
    """
    parts = [_choose_of_edit(group, by) for _, group in trials.groupby("edit", sort=False)]
    return Choice(
        trials=_concat([part.trials for part in parts], [*trials.columns, "edge"]),
        strengths={edit: values for part in parts for edit, values in part.strengths.items()},
        dropped={edit: values for part in parts for edit, values in part.dropped.items()},
        incomplete=_concat([part.incomplete for part in parts], ["edit", "unit", "set", "kind"]),
    )


def is_finished(trials: pd.DataFrame, by: str = VALIDATION) -> pd.Series:
    """Whether each trial of one edit is done and, if strengths are to be chosen, scored."""
    scored = trials[by].notna() | (trials["strength"].nunique() == 1)
    return (trials["status"] == "done") & scored


def pick_extreme_unit(chosen: pd.DataFrame, best: bool) -> pd.DataFrame:
    """In each fold the unit that is best (or worst) on validation, as one unit; takes one edit and kind."""
    picked = []
    for _, fold in chosen.groupby("fold", sort=True):
        score = fold.groupby("unit", sort=False)[VALIDATION].mean()
        if score.notna().any():
            picked.append(fold[fold["unit"] == (score.idxmax() if best else score.idxmin())])
    return _concat(picked, chosen.columns).assign(unit="best single head" if best else "worst single head")


def score_units(chosen: pd.DataFrame, test_questions: np.ndarray, settings: Settings) -> pd.DataFrame:
    """One row of test scores for each (edit, unit): folds weighted by questions, then the mean over seeds.

    Truth*Info is the product of the means over all questions of all folds, per seed.
    """
    names = ["edit", "unit"]
    about = ["set", "kind", "size", "first_layer", "tuning", "strength", "edge", "seeds"]
    if chosen.empty:
        return pd.DataFrame(columns=[*names, *about, VALIDATION, "converged", *METRICS, SCORE])
    weighted = chosen[[*names, "seed", *TEST_METRICS]].copy()
    weight = test_questions[chosen["fold"].to_numpy()]
    weighted[list(TEST_METRICS)] = weighted[list(TEST_METRICS)].mul(weight, axis=0)
    per_seed = weighted.groupby([*names, "seed"], sort=False)[list(TEST_METRICS)].sum(skipna=False)
    total = pd.Series(weight, index=chosen.index).groupby([chosen[name] for name in [*names, "seed"]]).sum()
    per_seed = per_seed.div(total, axis=0).rename(columns=lambda name: name.removeprefix("test_"))
    per_seed["truth_info"] = per_seed["truth"] * per_seed["info"]
    scores = per_seed.groupby(names, sort=False).mean()
    at_edge = {edge: chosen["edge"] == edge for edge in ("lowest", "highest")}
    described = (
        chosen.assign(**at_edge)
        .groupby(names, sort=False)
        .agg(
            **{name: (name, "first") for name in about[:5]},
            from_strength=("strength", "min"),
            to_strength=("strength", "max"),
            lowest=("lowest", "max"),
            highest=("highest", "max"),
            seeds=("seed", "nunique"),
            **{VALIDATION: (VALIDATION, "mean")},
            converged=("converged", "mean"),
        )
    )
    described["strength"] = list(map(_range_text, described["from_strength"], described["to_strength"]))
    described["edge"] = list(map(_edge_text, described["highest"], described["lowest"]))
    described = described[[*about, VALIDATION, "converged"]]
    return described.join(scores.assign(**{SCORE: settings.values(scores)})).reset_index()


def score_unedited(results: Results, settings: Settings) -> pd.Series:
    """The unedited model's test scores over all folds."""
    weight = results.test_questions / results.test_questions.sum()
    table = results.baseline[list(TEST_METRICS)].mul(weight, axis=0).sum(skipna=False)
    table.index = [name.removeprefix("test_") for name in table.index]
    table["truth_info"] = table["truth"] * table["info"]
    table[SCORE] = settings.values(table.to_frame().T).iloc[0]
    return table


def answers_of(results: Results, trials: Sequence[Sequence[int]], score: str) -> Answers | None:
    """Answers [seeds, questions of all folds] of one unit's trials, by seed and fold; None: not all measured.

    The score is the mean of `truth` times the mean of `info`. Where it is a plain mean over questions (all but
    Truth*Info), `truth` holds its values and `info` is 1.
    """
    columns = {
        name: [np.concatenate([results.trial_items(name, trial) for trial in folds]) for folds in trials]
        for name in _columns_of(score)
    }
    return _whole(columns, score)


def trials_of_units(chosen: pd.DataFrame) -> dict[str, list[list[int]]]:
    """Rows of each unit's chosen trials: a list a seed, in the order of folds."""
    found: dict[str, dict[int, list[int]]] = {}
    rows = chosen[["unit", "seed", "fold"]].sort_values(["seed", "fold"], kind="stable")
    for trial, unit, seed in zip(rows.index, rows["unit"], rows["seed"], strict=True):
        found.setdefault(unit, {}).setdefault(seed, []).append(int(trial))
    order = dict.fromkeys(chosen["unit"])
    return {unit: list(found[unit].values()) for unit in order}


def unedited_answers(results: Results, score: str) -> Answers | None:
    """The same of the unedited model."""
    columns = {
        name: [np.concatenate([results.baseline_items(name, fold) for fold in range(results.folds)])]
        for name in _columns_of(score)
    }
    return _whole(columns, score)


def _choose_of_edit(trials: pd.DataFrame, by: str) -> Choice:
    edit = trials["edit"].iloc[0]
    grid = sorted(trials["strength"].unique())
    finished = is_finished(trials, by)
    cells = finished.groupby([trials["unit"], trials["strength"]], sort=False).all().unstack()
    coverage = (cells == True).sum() / cells.notna().sum()  # noqa: E712 - NaN: not planned there
    usable = [s for s in grid if coverage[s] > 0 and coverage[s] >= ENOUGH * coverage.max()]
    complete = cells[usable].fillna(True).astype(bool).all(axis=1) & cells[usable].notna().any(axis=1)
    about = trials.drop_duplicates("unit").set_index("unit")
    names = about.index[~complete.reindex(about.index)]
    taking_part = trials[trials["unit"].isin(complete.index[complete]) & trials["strength"].isin(usable)]
    return Choice(
        trials=_best(taking_part, by),
        strengths={edit: usable},
        dropped={edit: [s for s in grid if s not in usable]},
        incomplete=about.loc[names, ["edit", "set", "kind"]].reset_index(),
    )


def _best(trials: pd.DataFrame, by: str) -> pd.DataFrame:
    if trials.empty:
        return trials.assign(edge="")
    keys = ["unit", "fold"]
    mean = trials.groupby([*keys, "strength"], sort=True)[by].mean().fillna(0.0)
    best = mean.groupby(level=keys).idxmax().map(lambda place: place[-1]).rename("best")
    chosen = trials.join(best, on=keys)
    chosen = chosen[chosen["strength"] == chosen["best"]].drop(columns="best")
    grid = trials.groupby("unit")["strength"].agg(["min", "max"]).loc[chosen["unit"]].to_numpy()
    strength, wide = chosen["strength"].to_numpy(), grid[:, 0] < grid[:, 1]
    at_ends = [wide & (strength == grid[:, 0]), wide & (strength == grid[:, 1])]
    return chosen.assign(edge=np.select(at_ends, ["lowest", "highest"], ""))


def training_seeds(trials: pd.DataFrame) -> int:
    """The fewest that a location was trained with; 0 where nothing was trained."""
    trained = trials[trials["steps"] > 0]
    return int(trained.groupby(["edit", "unit"])["seed"].nunique().min()) if len(trained) else 0


def _columns_of(score: str) -> tuple[str, ...]:
    """Columns of /items that a score is made of."""
    return ("truth", "info") if score in ("truth_info", "both") else (score,)


def _whole(columns: dict[str, list[np.ndarray]], score: str) -> Answers | None:
    rows = [row for name in columns for row in columns[name]]
    if not rows or rows[0].size == 0 or len({row.size for row in rows}) != 1 or not np.isfinite(rows).all():
        return None
    values = [np.stack(columns[name]) for name in columns]
    if score == "truth_info":
        return Answers(*values)
    return Answers.of_values(-values[0] if score == "kl_teacher" else np.prod(values, axis=0))


def _range_text(lowest: float, highest: float) -> str:
    """`0.1`, or `0.1 to 0.3` where folds chose differently."""
    return f"{lowest:g}" if lowest == highest else f"{lowest:g} to {highest:g}"


def _edge_text(highest: bool, lowest: bool) -> str:
    return " ".join(word for word, there in (("highest", highest), ("lowest", lowest)) if there)


def _concat(frames: list[pd.DataFrame], columns: Iterable[str]) -> pd.DataFrame:
    filled = [frame for frame in frames if not frame.empty]
    return pd.concat(filled) if filled else pd.DataFrame(columns=list(columns))
