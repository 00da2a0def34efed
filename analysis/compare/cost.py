"""As good at the same cost? Scores at the strongest edit whose KL on the running text stays under a cap.

In: a `Sweep` and comparisons.  Out: statements. Cost is validation kl_text, nats/token, mean over seeds and folds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .. import stats
from ..scores import SCORE, edit_kind, training_seeds
from ..statement import COST, Statement, count, join, numbers, p_text, slug, span
from ..stats import Answers, Array, Interval
from ..stats.cost import area_under_log_kl, score_under_caps
from ..stats.resample import two_way_bootstrap
from ..sweep import Sweep
from .claimed import Comparison
from .pairs import sampled

KL = "validation_kl_text"


@dataclass(frozen=True)
class Curves:
    """Cost and score of a claimed set (the first row) and its random sets at every strength that they share."""

    units: list[str]
    strengths: Array  # [strengths], from the weakest edit to the strongest
    kl: Array  # [units, strengths]
    score: Array  # [units, strengths]
    answers: list[dict[str, Answers]]  # of each strength, by unit


@dataclass(frozen=True)
class UnderCap:
    """Each unit at its strongest edit under one cap; at -1 it has none, and the unedited model stands in."""

    cap: float
    score: Array  # [units]
    place: np.ndarray  # [units] place in Curves.strengths


def state_cost(sweep: Sweep, comparisons: Sequence[Comparison]) -> Iterator[Statement]:
    """Rank and difference under each cap, and the area under score against log KL, for each comparison."""
    unmeasured = []
    for each in comparisons:
        curves = _curves(sweep, each)
        if curves is None:
            unmeasured.append(each.label)
            continue
        for under in _under_caps(sweep, curves):
            reached = (under.place >= 0).any()
            yield _at_same_cost(sweep, each, curves, under) if reached else _none_under(sweep, each, under)
        yield from _area(sweep, each, curves)
    if unmeasured:
        yield Statement(
            topic=COST,
            key="not-measured",
            role=sweep.other_role,
            sentence=(
                "KL on the running text was not measured for validation (evaluation.drift of the job names no val), so edits are not "
                f"compared at the same cost: {join(unmeasured)}."
            ),
        )


def _curves(sweep: Sweep, each: Comparison) -> Curves | None:
    """None where cost and score are not known for the claimed set or for any random set."""
    trials = sweep.planned(each.edit, (each.claimed, each.random))
    trials = trials[(trials["status"] == "done") & trials["strength"].isin(each.strengths)]
    # A small tau asks for a large change, as a large alpha does.
    strengths = sorted(each.strengths, reverse=edit_kind(each.edit) != "iti")
    at = [trials[trials["strength"] == strength] for strength in strengths]
    score = pd.concat([sweep.scores(rows.assign(edge="")).set_index("unit")[SCORE] for rows in at], axis=1)
    kl = pd.concat([rows.groupby("unit")[KL].mean(skipna=False) for rows in at], axis=1)
    known = kl.notna().all(axis=1) & score.notna().all(axis=1).reindex(kl.index, fill_value=False)
    own, draws = ([unit for unit in names if known.get(unit, False)] for names in _units(each))
    if not own or not draws:
        return None
    units = [*own, *draws]
    answers = [sweep.answers_by_unit(rows) for rows in at]
    return Curves(units, np.array(strengths), kl.loc[units].to_numpy(), score.loc[units].to_numpy(), answers)


def _units(each: Comparison) -> tuple[list[str], list[str]]:
    return list(each.of_claimed["unit"].unique()), list(each.of_random["unit"].unique())


def _under_caps(sweep: Sweep, curves: Curves) -> Iterator[UnderCap]:
    push, unedited = np.arange(len(curves.strengths)), float(sweep.unedited[SCORE])
    found = [score_under_caps(push, kl, row, sweep.settings.caps) for kl, row in zip(curves.kl, curves.score, strict=True)]
    for number, cap in enumerate(sweep.settings.caps):
        place = np.array([each.strength[number] for each in found])
        score = np.array([each.score[number] for each in found])
        score = np.where(np.isnan(place), unedited, score)
        if np.isfinite(score).all():  # an unedited model without scores cannot stand in
            yield UnderCap(cap, score, np.nan_to_num(place, nan=-1.0).astype(int))


def _none_under(sweep: Sweep, each: Comparison, under: UnderCap) -> Statement:
    return Statement(
        topic=COST,
        key=slug("cap", under.cap, each.edit, each.claimed, each.random),
        role=sweep.other_role,
        sentence=f"{each.label}: no set has a strength of at most {under.cap:g} nats/token on the running text.",
    )


def _at_same_cost(sweep: Sweep, each: Comparison, curves: Curves, under: UnderCap) -> Statement:
    settings, rank = sweep.settings, stats.rank_test(float(under.score[0]), under.score[1:])
    difference = _difference(sweep, curves, under)
    unedited = int(np.sum(under.place[1:] < 0))
    at = "no strength, so unedited" if under.place[0] < 0 else f"strength {curves.strengths[under.place[0]]:g}"
    text = (
        f"{each.label}, at most {under.cap:g} nats/token on the running text: the claimed set ({at}) reaches "
        f"{under.score[0]:.3f}; {rank.at_least} of {count(rank.draws, 'random set')} reach as much, {p_text(rank.p_value)}; "
        f"minus their mean {span(difference, settings.confidence, signed=True)}"
    )
    return Statement(
        topic=COST,
        key=slug("cap", under.cap, each.edit, each.claimed, each.random),
        role=sweep.other_role,
        sentence=text + (f"; without a strength under the cap, and so unedited: {unedited} of them." if unedited else "."),
        assumption=f"the claimed set is one more draw (rank); {sampled(training_seeds(each.trials))}; cost is on the running text, which holds no question",
        n=f"{count(rank.draws, 'draw')}, {sweep.n_questions}",
        **numbers(difference),
        unit=settings.score_name,
        effect="claimed minus random mean at the same cost",
        p_value=rank.p_value,
    )


def _difference(sweep: Sweep, curves: Curves, under: UnderCap) -> Interval:
    """Claimed minus mean of random sets, questions and sets resampled where all answers are known."""
    value = float(under.score[0] - under.score[1:].mean())
    answers = [
        sweep.unedited_answers if place < 0 else curves.answers[place].get(unit)
        for unit, place in zip(curves.units, under.place, strict=True)
    ]
    if len(answers) < 3 or any(one is None for one in answers):
        return Interval(value, np.nan, np.nan)
    return two_way_bootstrap(answers[0], answers[1:], level=sweep.settings.confidence, groups=sweep.groups).interval


def _area(sweep: Sweep, each: Comparison, curves: Curves) -> Iterator[Statement]:
    unedited = float(sweep.unedited[SCORE])
    if not np.isfinite(unedited):
        return
    ends = tuple(float(np.median(part)) for part in (curves.kl.min(axis=1), curves.kl.max(axis=1)))
    areas = np.array([area_under_log_kl(*row, unedited, ends) for row in zip(curves.kl, curves.score, strict=True)])
    if np.isnan(areas).any():
        return  # one strength spans nothing
    rank = stats.rank_test(float(areas[0]), areas[1:])
    yield Statement(
        topic=COST,
        key=slug("area", each.edit, each.claimed, each.random),
        role=sweep.other_role,
        sentence=(
            f"{each.label}: mean {sweep.settings.score_name} over log KL from {ends[0]:.2g} to {ends[1]:.2g} nats/token: "
            f"{areas[0]:.3f}, of random sets {areas[1:].mean():.3f}; {rank.at_least} of {rank.draws} reach as much, "
            f"{p_text(rank.p_value)}."
        ),
        assumption="the claimed set is one more draw; curves begin at the unedited model, and keep the last score beyond "
        "their largest cost",
        n=f"{count(rank.draws, 'draw')}, {count(len(curves.strengths), 'strength')}",
        estimate=float(areas[0] - areas[1:].mean()),
        unit=sweep.settings.score_name,
        effect="area under score against log KL, claimed minus random mean",
        p_value=rank.p_value,
    )
