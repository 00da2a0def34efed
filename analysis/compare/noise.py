"""How much is noise? Variance of answers over locations, seeds and questions; a mixed model of kinds of location.

In: a `Sweep`.  Out: statements. An answer counts as correct if it is true and informative (`both`).
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from .. import stats
from ..scores import edit_name
from ..statement import NOISE, Statement, count, join, numbers, p_text, percent, slug, span
from ..stats import Answers
from ..stats.variance import kind_effect, variance_split
from ..sweep import CLAIMED_KINDS, Sweep

SEEDS, LOCATIONS = 3, 20  # a variance needs so many of each
MOST = 200  # locations of a set that enter a split: more change little but the time


def state_noise(sweep: Sweep) -> Iterator[Statement]:
    """Each set of locations beside random ones; a split for each with enough seeds and locations, else a word about it."""
    if sweep.settings.score not in stats.SCORES:
        return  # of answers that are right or wrong
    lacking = []
    for edit in sweep.edits:
        yield from _beside_random(sweep, edit)
        for name in sweep.sets(edit, ("single", "random")):
            answers = sweep.answers_by_unit(sweep.choose(edit, (name,)).trials)
            seeds = min((len(each.truth) for each in answers.values()), default=0)
            if len(answers) >= LOCATIONS and seeds >= SEEDS and sweep.units > 1:
                yield from _split(sweep, edit, name, answers, seeds)
            elif answers:
                lacking.append(
                    f"{edit_name(edit)}, {name}: {count(seeds, 'seed')} at {count(len(answers), 'location')}"
                )
    if lacking:
        yield Statement(
            topic=NOISE,
            key="not-enough",
            role=sweep.other_role,
            sentence=(
                f"How much is noise of seeds is not known where there are fewer than {SEEDS} seeds at {LOCATIONS} "
                f"locations, or a single group of questions: {join(lacking)}; {sweep.n_questions}."
            ),
        )


def answer_table(answers: dict[str, Answers], seeds: int, groups: np.ndarray) -> pd.DataFrame:
    """A row for each location, seed and question: `correct` is 1 for an answer true and informative.

    Questions of a group are not independent, so that a group takes the place of a question, its mean that of an answer.
    Of more than `MOST` locations so many enter, from end to end.
    """
    parts, sizes = [], stats.group_sums(np.ones(groups.size), groups)
    for location in list(answers)[:: math.ceil(len(answers) / MOST)]:
        each = answers[location]
        correct = stats.group_sums(each.truth * each.info, groups)[:seeds] / sizes
        seed, question = np.indices(correct.shape)
        parts.append(
            pd.DataFrame(
                {"location": location, "seed": seed.ravel(), "question": question.ravel(), "correct": correct.ravel()}
            )
        )
    return pd.concat(parts, ignore_index=True)


def _beside_random(sweep: Sweep, edit: str) -> Iterator[Statement]:
    """Each set of locations beside the random sets of the primary test, or the first random ones."""
    primary, random = sweep.settings.primary, sweep.sets(edit, ("random",))
    reference = primary.among if primary.among in random else next(iter(random), None)
    others = [name for name in sweep.sets(edit, (*CLAIMED_KINDS, "single", "random")) if name != reference]
    for name in others if reference else ():
        chosen = sweep.choose(edit, (name, reference)).trials
        means = [_means(sweep, chosen[chosen["set"] == one]) for one in (name, reference)]
        if len(means[0]) and len(np.unique(means[1])) > 1:
            yield _effect(sweep, edit, (name, reference), means)


def _means(sweep: Sweep, chosen: pd.DataFrame) -> np.ndarray:
    """Share of answers true and informative of each location that has all."""
    return np.array([answers.score("both") for answers in sweep.answers_by_unit(chosen).values()])


def _effect(sweep: Sweep, edit: str, names: tuple[str, str], means: Sequence[np.ndarray]) -> Statement:
    level = sweep.settings.confidence
    effect, what = kind_effect(*means, level=level), f"{names[0]} minus {names[1]}"
    shares = effect.difference.within(-1.0, 1.0)
    return Statement(
        topic=NOISE,
        key=slug("kind", edit, *names),
        role=sweep.other_role,
        sentence=(
            f"{edit_name(edit)}: {what}, share of answers true and informative, over locations as draws: "
            f"{span(shares, level, signed=True)}, {p_text(effect.p_value)}."
        ),
        assumption="Welch's t-test of location means, as a mixed model with locations and questions as random effects "
        "gives for balanced data; near normal, seeds averaged",
        n=f"{count(len(means[0]), 'location')} beside {len(means[1])}, {sweep.n_questions}",
        **numbers(shares),
        unit="share",
        effect=what,
        p_value=max(effect.p_value, np.finfo(float).tiny),
    )


def _split(sweep: Sweep, edit: str, name: str, answers: dict[str, Answers], seeds: int) -> Iterator[Statement]:
    level = sweep.settings.confidence
    split = variance_split(answer_table(answers, seeds, sweep.groups), level=level)
    grouped = sweep.units < sweep.questions
    unit, single = ("group", "groups' means of answers") if grouped else ("question", "single answers")
    n = f"{count(split.locations, 'location')}, {count(split.seeds, 'seed')}, {sweep.n_questions}"
    words = ", ".join(f"{part.replace('question', unit)} {percent(share, level)}" for part, share in split.shares.items())
    alike = "; groups of questions count alike, whatever their size" if grouped else ""
    what = f"{edit_name(edit)}, {name}"
    yield Statement(
        topic=NOISE,
        key=slug("real", edit, name),
        role=sweep.other_role,
        sentence=(
            f"{what}: {percent(split.real, level)} of the variance of scores over locations (one seed, "
            f"{sweep.n_questions}) is of the locations themselves; the rest is noise of seeds and {unit}s."
        ),
        assumption=f"crossed random effects near normal; generalised intervals (Weerahandi 1993){alike}",
        n=n,
        estimate=split.real.value,
        low=split.real.low,
        high=split.real.high,
        unit="share",
        effect="share of the variance of scores that is location",
    )
    seed = split.shares["seed"]
    yield Statement(
        topic=NOISE,
        key=slug("variance", edit, name),
        role=sweep.other_role,
        sentence=f"{what}: the variance of {single} splits into {words}.",
        assumption=f"crossed random effects near normal; what is negative counts as 0{alike}",
        n=n,
        **numbers(seed),
        unit="share",
        effect="share of the variance of answers that is the seed's",
    )
