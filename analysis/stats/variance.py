"""How much is noise? Variance of single answers over locations, seeds and questions; a mixed model of kinds.

In: a long table with the columns location, seed, question, correct; means of locations.  Out: shares, effects.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats as distributions

from .basics import LEVEL, REPEATS, Array, Interval, finite, percentiles

PARTS = ("location", "seed", "question", "location x question", "rest")


@dataclass(frozen=True)
class VarianceSplit:
    """Shares of the variance of single answers, and of what a location's score is made of."""

    shares: dict[str, Interval]  # of PARTS; they add up to 1
    real: (
        Interval  # share of the variance of location scores (mean over questions, one seed) that is location
    )
    locations: int
    seeds: int
    questions: int
    left_out: int  # locations without an answer of every seed to every question


def variance_split(
    table: pd.DataFrame, repeats: int = REPEATS, seed: int = 0, level: float = LEVEL
) -> VarianceSplit:
    """Random effects of locations and questions, crossed, and of seeds within locations, by mean squares.

    n: locations, seeds, questions (or whole groups of them, each by its mean answer). Method of moments (Searle,
    Casella and McCulloch 1992, chapter 4); negative parts count as 0. Intervals are generalised ones
    (Weerahandi 1993): each mean square over a drawn chi-squared / df, so they assume effects near normal. With one seed
    its share is NaN, part of location.
    """
    answers, left_out = _as_array(table)
    squares, freedom = _mean_squares(answers)
    generator = np.random.default_rng(seed)
    drawn = squares * freedom / generator.chisquare(np.maximum(freedom, 1), size=(repeats, freedom.size))
    parts, resampled = (_components(each, answers.shape) for each in (squares[None], drawn))
    shares = _shares(parts)[0], _shares(resampled)
    real = _real(parts, answers.shape)[0], _real(resampled, answers.shape)
    locations, seeds, questions = answers.shape
    named = {
        name: Interval(float(shares[0][i]), *percentiles(shares[1][:, i], level))
        for i, name in enumerate(PARTS)
    }
    if seeds == 1:
        named["seed"] = named["rest"] = Interval(np.nan, np.nan, np.nan)
    return VarianceSplit(
        named, Interval(float(real[0]), *percentiles(real[1], level)), locations, seeds, questions, left_out
    )


@dataclass(frozen=True)
class KindEffect:
    """Mean of a kind's locations minus that of another kind, locations being draws."""

    difference: Interval
    p_value: float


def kind_effect(locations: ArrayLike, others: ArrayLike, level: float = LEVEL) -> KindEffect:
    """Effect of the kind in correct ~ kind + (1 | question) + (1 | location), a location variance of each kind's own.

    In: means over questions and seeds of each location of a kind [L], and of two or more of the other. n: locations.
    In a balanced table (all locations answer the same questions) the questions' effects cancel and the linear mixed
    model's estimate by REML is that of the location means: Welch's t, and for a kind of one location the others'
    spread. So no fit can fail, as statsmodels' often does at a variance near 0. Assumes location means near normal.
    """
    ours, theirs = finite("locations", locations), finite("others", others)
    if ours.size < 1 or theirs.size < 2:
        raise ValueError(f"{ours.size} locations beside {theirs.size}: one beside two are needed")
    of_theirs = theirs.var(ddof=1) / theirs.size
    if ours.size > 1:
        own = ours.var(ddof=1) / ours.size
        freedom = (own + of_theirs) ** 2 / (own**2 / (ours.size - 1) + of_theirs**2 / (theirs.size - 1))
    else:
        own, freedom = of_theirs * theirs.size, theirs.size - 1
    difference, error = ours.mean() - theirs.mean(), np.sqrt(own + of_theirs)
    reach = distributions.t.ppf((1.0 + level) / 2.0, freedom) * error
    interval = Interval(float(difference), float(difference - reach), float(difference + reach))
    return KindEffect(interval, float(2.0 * distributions.t.sf(abs(difference) / error, freedom)))


def _as_array(table: pd.DataFrame) -> tuple[Array, int]:
    """[L, S, N] of the locations that have all answers, and how many have not."""
    wide = table.pivot_table(index="location", columns=["seed", "question"], values="correct", sort=True)
    complete = wide.dropna()
    if len(complete) < 2:
        raise ValueError(f"{len(complete)} locations with all answers: a variance needs two or more")
    seeds = table["seed"].nunique()
    return complete.to_numpy(np.float64).reshape(len(complete), seeds, -1), len(wide) - len(complete)


def _mean_squares(answers: Array) -> tuple[Array, Array]:
    """Mean squares and degrees of freedom of PARTS."""
    locations, seeds, questions = answers.shape
    grand = answers.mean()
    by_location = answers.mean(axis=(1, 2), keepdims=True)
    by_question = answers.mean(axis=(0, 1), keepdims=True)
    by_seed = answers.mean(axis=2, keepdims=True)
    by_cell = answers.mean(axis=1, keepdims=True)
    crossed = by_cell - by_location - by_question + grand
    rest = answers - by_seed - by_cell + by_location
    sums = np.array(
        [
            seeds * questions * np.sum((by_location - grand) ** 2),
            questions * np.sum((by_seed - by_location) ** 2),
            seeds * locations * np.sum((by_question - grand) ** 2),
            seeds * np.sum(crossed**2),
            np.sum(rest**2),
        ]
    )
    a, b, c = locations - 1, seeds - 1, questions - 1
    freedom = np.array([a, locations * b, c, a * c, locations * b * c])
    return sums / np.maximum(freedom, 1), freedom


def _components(squares: Array, shape: tuple[int, ...]) -> Array:
    """Variances of PARTS [R, 5] from mean squares [R, 5]; what is negative counts as 0."""
    locations, seeds, questions = shape
    of_location, of_seed, of_question, crossed, rest = squares.T
    parts = [
        (of_location - of_seed - crossed + rest) / (seeds * questions),
        (of_seed - rest) / questions,
        (of_question - crossed) / (seeds * locations),
        (crossed - rest) / seeds,
        rest,
    ]
    return np.maximum(np.stack(parts, axis=1), 0.0)


def _shares(parts: Array) -> Array:
    return parts / parts.sum(axis=1, keepdims=True)


def _real(parts: Array, shape: tuple[int, ...]) -> Array:
    """Location's share in the variance of location scores; the question's own effect is common to all."""
    of_location, of_seed, _, crossed, rest = parts.T
    noise = of_seed + (crossed + rest) / shape[2]
    return of_location / (of_location + noise)
