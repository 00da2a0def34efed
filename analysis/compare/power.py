"""Was the sweep large enough? In: a `Sweep` and comparisons. Out: statements."""

from collections.abc import Iterator, Sequence

import numpy as np

from ..statement import ENOUGH, Statement, count, slug
from ..stats import clustered_error
from ..stats.power import (
    POWER,
    detectable_difference,
    detectable_margin,
    detectable_rank,
    draws_needed,
    questions_needed,
    smallest_p,
)
from ..sweep import Sweep
from .claimed import Comparison


def state_power(sweep: Sweep, comparisons: Sequence[Comparison]) -> Iterator[Statement]:
    """What so many draws and questions can find."""
    for each in comparisons:
        yield _draws(sweep, each)
    for each in comparisons:
        yield from _questions(sweep, each)


def is_too_small(sweep: Sweep, each: Comparison) -> bool:
    """Whether so many draws cannot give a p at the level, whatever they score."""
    return each.counted(smallest_p(len(each.draws))) > sweep.settings.level


def _draws(sweep: Sweep, each: Comparison) -> Statement:
    level, draws, own = sweep.settings.level, len(each.draws), sweep.settings.level / each.looks
    least, share = each.counted(smallest_p(draws)), detectable_rank(draws, own)
    if is_too_small(sweep, each):
        text = f"above the level {level:g}, so this test cannot find anything; {draws_needed(own)} draws could"
    else:
        text = (
            f"and with a chance of {100 * POWER:.0f} % it finds a claimed set that no more than {100 * share:.1f} % of all "
            "random sets reach"
        )
    return Statement(
        topic=ENOUGH,
        key=slug("smallest-p", each.edit, each.claimed, each.random),
        role=sweep.other_role,
        sentence=f"{each.label}: {count(draws, 'draw')} can give no p below {least:.2g}, {text}.",
        assumption="exact, by the binomial distribution of draws that reach the claimed set",
        n=count(draws, "draw"),
        estimate=share,
        unit="share",
        effect=f"share of random sets that may reach a claimed set found with {100 * POWER:.0f} %",
    )


def _questions(sweep: Sweep, each: Comparison) -> Iterator[Statement]:
    """By the clustered error of the difference of the claimed and a random set, median over random sets.

    Groups of questions stand for the questions of a paired test: their spread is that which gives this error.
    """
    claimed = sweep.answers(each.of_claimed)
    others = sweep.answers_by_unit(each.of_random)
    if claimed is None or not others:
        return
    own, settings = claimed.contributions(), sweep.settings
    errors = [clustered_error(own - other.contributions(), sweep.groups) for other in others.values()]
    sd = float(np.median(errors)) * np.sqrt(sweep.units)
    if not sd > 0.0:
        return
    found = detectable_difference(sweep.units, sd, settings.level)
    same = detectable_margin(sweep.units, sd, settings.level)
    needed = questions_needed(settings.margin, sd, settings.level)
    grouped = sweep.units < sweep.questions
    words = f"{count(needed, 'group')} of as many questions each" if grouped else count(needed, "question")
    yield Statement(
        topic=ENOUGH,
        key=slug("questions", each.edit, each.claimed, each.random),
        role=sweep.other_role,
        sentence=(
            f"{each.label}: with {sweep.n_questions} a difference of {found:.3f} between two locations is "
            f"found with {100 * POWER:.0f} %, and equal ones are shown to be equivalent within {same:.3f}; a difference of "
            f"the margin, {settings.margin:g}, needs {words}"
            f"{'' if needed <= sweep.units or sweep.results.folds > 1 else ' (folds test each question once)'}."
        ),
        assumption="paired t-test; independent questions (or groups of them) that differ as much as those of the claimed and "
        "a random set do",
        n=f"{count(len(others), 'draw')}, {sweep.n_questions}",
        estimate=found,
        unit=settings.score_name,
        effect=f"difference found with {100 * POWER:.0f} %",
    )
