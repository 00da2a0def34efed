"""Equivalence and non-inferiority within the job's margin. In: a `Sweep` and comparisons. Out: statements.

"Not rejected" is never called "equal": without evidence of equivalence the sentence says that it is not shown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .. import stats
from ..scores import edit_name, training_seeds
from ..statement import EQUIVALENT, Statement, count, numbers, p_text, percent, slug, span
from ..stats import Answers, Interval
from ..stats.equivalence import Equivalence, heads_not_worse, paired_equivalence
from ..stats.multiple import holm
from ..stats.resample import paired_bootstrap
from ..sweep import Sweep
from .claimed import Comparison, MeanEquivalence, count_finished, mean_equivalence
from .pairs import sampled


@dataclass(frozen=True)
class Tested:
    """A difference that was tested against the margin, and the words about it."""

    key: str
    what: str
    n: str
    sample: str  # what the questions and seeds are taken to be
    difference: Interval
    test: Equivalence
    caveat: str = ""


def state_equivalence(sweep: Sweep, comparisons: Sequence[Comparison]) -> Iterator[Statement]:
    """Random sets, on average and one by one, against the claimed set and against all heads; claimed against all."""
    for each in comparisons:
        where = (each.edit, each.claimed, each.random)
        yield from _against(sweep, each, each.trials, each.claimed, slug("claimed", *where))
    for edit, random in dict.fromkeys((each.edit, each.random) for each in comparisons):
        for everywhere in sweep.sets(edit, ("all",)):
            one = next(each for each in comparisons if (each.edit, each.random) == (edit, random))
            chosen = sweep.choose(edit, (random, everywhere)).trials
            yield from _against(sweep, one, chosen, everywhere, slug("all", edit, random, everywhere))
    for edit, claimed in dict.fromkeys((each.edit, each.claimed) for each in comparisons):
        for everywhere in sweep.sets(edit, ("all",)):
            yield from _claimed_and_all(sweep, edit, claimed, everywhere)


def _against(
    sweep: Sweep, each: Comparison, chosen: pd.DataFrame, reference: str, key: str
) -> Iterator[Statement]:
    answers = sweep.answers(chosen[chosen["set"] == reference])
    others = list(sweep.answers_by_unit(chosen[chosen["set"] == each.random]).values())
    if answers is None or not others:
        return
    sample = sampled(training_seeds(chosen))
    mean = _mean(sweep, each, chosen, reference)
    if mean is not None:
        sets = count_finished(mean.draws, mean.planned, "random set")
        what = f"{edit_name(each.edit)}: the mean of {sets} ({each.random}) minus {reference}"
        n = f"{mean.n}, {sweep.n_questions}"
        tested = Tested(f"mean-{key}", what, n, sample, mean.difference, mean.test, mean.caveat)
        yield _equivalent(sweep, tested)
        yield _not_worse(sweep, tested)
    yield _one_by_one(sweep, each, reference, f"each-{key}", sample, answers, others)


def _mean(sweep: Sweep, each: Comparison, chosen: pd.DataFrame, reference: str) -> MeanEquivalence | None:
    if reference == each.claimed:
        return each.equivalence
    return mean_equivalence(
        sweep, chosen[chosen["set"] == reference], chosen[chosen["set"] == each.random], each.planned
    )


def _equivalent(sweep: Sweep, tested: Tested) -> Statement:
    margin, level, test = sweep.settings.margin, sweep.settings.level, tested.test
    verdict = "equivalent" if test.equivalent else "equivalence is not shown"
    return Statement(
        topic=EQUIVALENT,
        key=f"equivalent-{tested.key}",
        role=sweep.other_role,
        sentence=(
            f"{tested.what}: {span(tested.difference, sweep.settings.confidence, signed=True)}: {verdict} within {margin:g} "
            f"({p_text(test.p_value)}{tested.caveat}, level {level:g})."
        ),
        assumption=f"two one-sided tests; the margin was fixed before the run; {tested.sample}",
        n=tested.n,
        **numbers(tested.difference),
        unit=sweep.settings.score_name,
        effect="difference",
        p_value=test.p_value,
    )


def _not_worse(sweep: Sweep, tested: Tested) -> Statement:
    margin, test = sweep.settings.margin, tested.test
    verdict = "is shown" if test.not_worse else "is not shown"
    return Statement(
        topic=EQUIVALENT,
        key=f"not-worse-{tested.key}",
        role=sweep.other_role,
        sentence=(
            f"{tested.what}: {tested.difference.value:+.3f}; that it is not worse by {margin:g} or more {verdict} "
            f"({p_text(test.p_lower)}{tested.caveat}, one-sided)."
        ),
        assumption=f"one-sided test of non-inferiority; the margin was fixed before the run; {tested.sample}",
        n=tested.n,
        **numbers(tested.difference),
        unit=sweep.settings.score_name,
        effect="difference",
        p_value=test.p_lower,
    )


def _one_by_one(
    sweep: Sweep, each: Comparison, reference: str, key: str, sample: str, answers: Answers, others: list[Answers]
) -> Statement:
    """Each random set that finished against the reference: how many are certified not worse, how many equivalent."""
    settings, groups = sweep.settings, sweep.groups
    rows, own = np.stack([one.contributions() for one in others]), answers.contributions()
    lower = heads_not_worse(rows, own, settings.margin, groups)
    upper = heads_not_worse(-rows, -own, settings.margin, groups)
    same = holm(np.maximum(lower.p_value, upper.p_value))
    near = int(np.sum(lower.difference >= -settings.margin - stats.TIE))
    share = stats.share_interval(near, len(others), settings.confidence)
    finished = " that finished" if len(others) < each.planned else ""
    certified, mapped = (int(np.sum(p <= settings.level)) for p in (lower.certified, lower.mapped))
    return Statement(
        topic=EQUIVALENT,
        key=key,
        role=sweep.other_role,
        sentence=(
            f"{edit_name(each.edit)}: {near} of {count(len(others), 'random set')}{finished} ({each.random}) score within "
            f"{settings.margin:g} of {reference} or above: {percent(share, settings.confidence)}. {certified} are shown "
            f"not to be worse by as much (Holm; {mapped} by Benjamini-Hochberg), "
            f"{int(np.sum(same <= settings.level))} to be equivalent (Holm)."
        ),
        assumption=f"one test a set, all sets on the same questions; exact interval of the share over draws; {sample}",
        n=f"{count_finished(len(others), each.planned, 'draw')}, {sweep.n_questions}",
        **numbers(share),
        unit="share",
        effect=f"share of random sets within {settings.margin:g} or above",
        p_value=float(lower.certified.min()),
        adjusted="Holm",
    )


def _claimed_and_all(sweep: Sweep, edit: str, claimed: str, everywhere: str) -> Iterator[Statement]:
    chosen = sweep.choose(edit, (claimed, everywhere)).trials
    first, second = (sweep.answers(chosen[chosen["set"] == name]) for name in (claimed, everywhere))
    if first is None or second is None:
        return
    settings = sweep.settings
    difference = paired_bootstrap(first, second, weights=sweep.weights, level=settings.confidence)
    test = paired_equivalence(first, second, settings.margin, level=settings.level, groups=sweep.groups)
    what, key = f"{edit_name(edit)}: {claimed} minus {everywhere}", slug("claimed-all", edit, claimed, everywhere)
    tested = Tested(key, what, sweep.n_questions, sampled(training_seeds(chosen)), difference, test)
    yield _equivalent(sweep, tested)
    yield _not_worse(sweep, tested)
