"""Controls: edits trained on wrong labels, random subspaces in the place of heads, ITI beside optimal edits.

In: a `Sweep` and comparisons.  Out: statements, each with what it would mean.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from .. import stats
from ..scores import SCORE, choose_strengths, edit_name, training_seeds
from ..statement import CONTROLS, Statement, count, numbers, p_text, slug, span
from ..stats.resample import resample_scores
from ..sweep import CLAIMED_KINDS, Sweep
from .claimed import Comparison
from .pairs import sampled, side, state_pair

MEANING = {
    "swapped": (
        " An edit trained towards the wrong answers must lose; one that does not shows that the score rises with any "
        "training."
    ),
    "shuffled": (
        " Labels at random teach nothing about the behaviour: what is left of the gain comes from training as such."
    ),
}


def state_controls(sweep: Sweep, comparisons: Sequence[Comparison]) -> Iterator[Statement]:
    """Wrong labels at the same locations, subspaces beside claimed sets, ITI against optimal at the same sets."""
    extra = sweep.all_trials[(sweep.all_trials["recheck"] == 0) & (sweep.all_trials["tuning"] == 0)]
    wrong = extra[(extra["labels"] != "true") & (extra["kind"] != "subspace")]
    for (edit, labels, name), rows in wrong.groupby(["edit", "labels", "set"], sort=False):
        yield from _wrong_labels(sweep, str(edit), str(labels), str(name), rows)
    subspaces = extra[(extra["labels"] == "true") & (extra["kind"] == "subspace")]
    for (edit, name), rows in subspaces.groupby(["edit", "set"], sort=False):
        yield from _subspaces(sweep, str(edit), str(name), rows)
    for claimed in sweep.sets("optimal", CLAIMED_KINDS):
        yield from _shift_and_optimal(sweep, claimed)
    for optimal, shift in _same_sets(comparisons):
        yield from _gains_at_random(sweep, optimal, shift)


def _wrong_labels(
    sweep: Sweep, edit: str, labels: str, name: str, rows: pd.DataFrame
) -> Iterator[Statement]:
    """True minus wrong labels at the same locations and strengths, each at its best strength on validation."""
    right = sweep.trials[(sweep.trials["edit"] == edit) & (sweep.trials["set"] == name)]
    strengths = set(right["strength"]) & set(rows["strength"])
    chosen = [choose_strengths(part[part["strength"].isin(strengths)]).trials for part in (right, rows)]
    answers = [sweep.answers_by_unit(part) for part in chosen]
    units = [unit for unit in answers[0] if unit in answers[1]]
    label = f"{edit_name(edit)}, {name}"
    if not units:
        return
    if len(units) == 1:
        sides = [
            side(sweep, f"{label}, {words}", part[part["unit"] == units[0]])
            for words, part in zip(("true labels", f"{labels} labels"), chosen, strict=True)
        ]
        yield state_pair(sweep, CONTROLS, slug(labels, edit, name), *sides, meaning=MEANING[labels])
        return
    resampled = [resample_scores([part[unit] for unit in units], sweep.weights).mean(axis=1) for part in answers]
    value = float(np.mean([answers[0][unit].score() - answers[1][unit].score() for unit in units]))
    level = sweep.settings.confidence
    interval = stats.Interval(value, *stats.percentiles(resampled[0] - resampled[1], level))
    yield Statement(
        topic=CONTROLS,
        key=slug(labels, edit, name),
        role=sweep.other_role,
        sentence=(
            f"{label}: true minus {labels} labels, mean over {count(len(units), 'location')}: "
            f"{sweep.settings.score_name} {span(interval, level, signed=True)}.{MEANING[labels]}"
        ),
        assumption=f"{sampled(min(map(training_seeds, chosen)))}; the locations are taken as given",
        n=f"{count(len(units), 'location')}, {sweep.n_questions}",
        **numbers(interval),
        unit=sweep.settings.score_name,
        effect="true minus wrong labels",
    )


def _subspaces(sweep: Sweep, edit: str, name: str, rows: pd.DataFrame) -> Iterator[Statement]:
    """The set of heads among random subspaces of its dimension and layers."""
    claimed = str(rows["matched_to"].iloc[0])
    own = sweep.trials[(sweep.trials["edit"] == edit) & (sweep.trials["set"] == claimed)]
    strengths = set(own["strength"]) & set(rows["strength"])
    chosen = choose_strengths(pd.concat([own, rows]).query("strength in @strengths")).trials
    scores = sweep.scores(chosen)
    value, draws = scores.loc[scores["set"] == claimed, SCORE], scores.loc[scores["set"] == name, SCORE]
    if value.empty or draws.empty:
        return
    rank, level = stats.rank_test(float(value.iloc[0]), draws), sweep.settings.confidence
    lead = sweep.lead(chosen[chosen["set"] == claimed], chosen[chosen["set"] == name])
    missing = stats.Interval(float(value.iloc[0] - draws.mean()), np.nan, np.nan)
    interval = lead.interval if lead else missing
    yield Statement(
        topic=CONTROLS,
        key=slug("subspace", edit, name),
        role=sweep.other_role,
        sentence=(
            f"{edit_name(edit)}: {rank.at_least} of {count(rank.draws, 'random subspace')} ({name}: the dimension and layers "
            f"of {claimed}) reach {claimed} ({float(value.iloc[0]):.3f}): {p_text(rank.p_value)}; {claimed} minus their mean "
            f"{span(interval, level, signed=True)}. If subspaces do as well, heads are not special as units."
        ),
        assumption=f"the claimed heads are one more random subspace (rank); {sampled(training_seeds(chosen))}",
        n=f"{count(rank.draws, 'draw')}, {sweep.n_questions}",
        **numbers(interval),
        unit=sweep.settings.score_name,
        effect="claimed minus mean of subspaces",
        p_value=rank.p_value,
    )


def _shift_and_optimal(sweep: Sweep, claimed: str) -> Iterator[Statement]:
    if claimed not in sweep.sets("iti", CLAIMED_KINDS):
        return
    sides = [
        side(sweep, f"{edit_name(edit)}, {claimed}", sweep.choose(edit, (claimed,)).trials) for edit in ("optimal", "iti")
    ]
    if None not in sides:
        yield state_pair(sweep, CONTROLS, slug("optimal-iti", claimed), *sides)


def _same_sets(comparisons: Sequence[Comparison]) -> Iterator[tuple[Comparison, Comparison]]:
    """Comparisons of optimal edits and of ITI between the same sets."""
    shifts = {(each.claimed, each.random): each for each in comparisons if each.edit == "iti"}
    for each in comparisons:
        if each.edit == "optimal" and (each.claimed, each.random) in shifts:
            yield each, shifts[each.claimed, each.random]


def _gains_at_random(sweep: Sweep, optimal: Comparison, shift: Comparison) -> Iterator[Statement]:
    """Does the kind of edit decide? The claimed set's lead over random sets under either edit, by percentile."""
    yield Statement(
        topic=CONTROLS,
        key=slug("optimal-iti-random", optimal.claimed, optimal.random),
        role=sweep.other_role,
        sentence=(
            f"{optimal.claimed} leads the mean of {optimal.random} by {_lead(shift):+.3f} under ITI (p = "
            f"{shift.rank.p_value:.2g}) and by {_lead(optimal):+.3f} under optimal edits (p = {optimal.rank.p_value:.2g}). "
            "A lead that is unusual under ITI alone would speak of the shift, not of where the behaviour is."
        ),
        assumption="each edit at its own strengths, chosen on validation",
        n=f"{count(len(shift.draws), 'draw')} of ITI, {len(optimal.draws)} of optimal edits, {sweep.n_questions}",
        estimate=_lead(shift) - _lead(optimal),
        unit=sweep.settings.score_name,
        effect="lead under ITI minus lead under optimal edits",
    )


def _lead(each: Comparison) -> float:
    return float(each.score.value - each.draws.mean())
