"""Two locations on the same questions, and whether they are equivalent. In: a `Sweep` and comparisons. Out: statements."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .. import stats
from ..scores import edit_name, training_seeds
from ..statement import DIFFERENCES, Statement, count, numbers, p_text, slug, span
from ..stats import Answers
from ..stats.permute import sign_flip
from ..stats.resample import paired_bootstrap
from ..sweep import CLAIMED_KINDS, Sweep
from .claimed import Comparison, count_finished

QUESTIONS = "questions (their groups, where there are any) are a sample of those one cares for"


def sampled(seeds: int) -> str:
    """What an interval over questions assumes, for so many seeds of training; 0: nothing was trained."""
    if seeds == 0:
        return QUESTIONS
    of_seeds = "one seed of training, whose noise is in no interval" if seeds == 1 else "seeds are averaged and taken as given"
    return f"{QUESTIONS}; {of_seeds}"


@dataclass(frozen=True)
class Side:
    """One side of a difference."""

    label: str
    answers: Answers
    trained: bool = True

    @property
    def seeds(self) -> int:
        """Of training."""
        return len(self.answers.truth) if self.trained else 0


def side(sweep: Sweep, label: str, chosen: pd.DataFrame) -> Side | None:
    """One location's chosen trials; None where its answers are not all measured."""
    answers = sweep.answers(chosen)
    return Side(label, answers, training_seeds(chosen) > 0) if answers is not None else None


def state_pair(
    sweep: Sweep, topic: str, key: str, first: Side, second: Side, role: str = "", meaning: str = ""
) -> Statement:
    """First minus second, question by question, with what a difference would mean."""
    settings = sweep.settings
    interval = paired_bootstrap(first.answers, second.answers, weights=sweep.weights, level=settings.confidence)
    p_value = _sign_flip(sweep, first.answers, second.answers)
    added = first.answers.contributions() - second.answers.contributions()
    error = stats.clustered_error(added, sweep.groups)
    return Statement(
        topic=topic,
        key=key,
        role=role or sweep.other_role,
        sentence=(
            f"{first.label} minus {second.label}: {settings.score_name} {span(interval, settings.confidence, signed=True)}, "
            f"{f'standard error {error:.3f} (clustered)' if np.isfinite(error) else 'no standard error'}; "
            f"{p_text(p_value)} by swapping answers.{meaning}"
        ),
        assumption=sampled(min((each.seeds for each in (first, second) if each.seeds), default=0)),
        n=sweep.n_questions,
        **numbers(interval),
        unit=settings.score_name,
        effect="paired difference",
        p_value=p_value,
    )


def state_differences(sweep: Sweep, comparisons: Sequence[Comparison]) -> Iterator[Statement]:
    """The claimed set against the mean of random sets, against all heads and against the unedited model."""
    for each in comparisons:
        yield from _claimed_and_random(sweep, each)
    for edit in sweep.edits:
        for claimed in sweep.sets(edit, CLAIMED_KINDS):
            yield from _claimed_and_others(sweep, edit, claimed)


def _claimed_and_random(sweep: Sweep, each: Comparison) -> Iterator[Statement]:
    lead, settings, spread = sweep.lead(each.of_claimed, each.of_random), sweep.settings, each.draws.std()
    if lead is None:
        return
    difference = lead.interval
    text = (
        f"{edit_name(each.edit)}: {each.claimed} minus the mean of {count(len(each.draws), 'random set')} ({each.random}): "
        f"{settings.score_name} {span(difference, settings.confidence, signed=True)}"
    )
    if spread > 0.0:
        text += f", {lead.value / spread:+.1f} standard deviations of random sets ({spread:.3f})"
    yield Statement(
        topic=DIFFERENCES,
        key=slug("random-mean", each.edit, each.claimed, each.random),
        role=sweep.other_role,
        sentence=text + ".",
        assumption=f"{sampled(training_seeds(each.trials))}; questions and random sets resampled, the claimed set taken as given",
        n=f"{count_finished(len(each.draws), each.planned, 'draw')}, {sweep.n_questions}",
        **numbers(difference),
        unit=settings.score_name,
        effect="claimed minus random mean",
    )


def _claimed_and_others(sweep: Sweep, edit: str, claimed: str) -> Iterator[Statement]:
    name = edit_name(edit)
    for everywhere in sweep.sets(edit, ("all",)):
        chosen = sweep.choose(edit, (claimed, everywhere)).trials
        sides = [side(sweep, f"{name}, {one}", chosen[chosen["set"] == one]) for one in (claimed, everywhere)]
        if None not in sides:
            yield state_pair(sweep, DIFFERENCES, slug("all-heads", edit, claimed, everywhere), *sides)
    chosen = sweep.choose(edit, (claimed,)).trials
    edited = side(sweep, f"{name}, {claimed}", chosen)
    if edited is not None and sweep.unedited_answers is not None:
        unedited = Side("the unedited model", sweep.unedited_answers, trained=False)
        yield state_pair(sweep, DIFFERENCES, slug("unedited", edit, claimed), edited, unedited)


def _sign_flip(sweep: Sweep, first: Answers, second: Answers) -> float:
    """NaN where the numbers of seeds do not fit, for answers are swapped with their seeds."""
    seeds = {len(first.truth), len(second.truth)}
    if len(seeds - {1}) > 1:
        return np.nan
    return sign_flip(first, second, groups=sweep.groups)
