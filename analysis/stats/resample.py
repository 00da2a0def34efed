"""Bootstrap intervals: questions resampled for all locations at once, and locations where they are draws.

In: `Answers` and weights of resampled questions.  Out: intervals.  Letters as in stats.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as distributions

from .basics import LEVEL, REPEATS, Answers, Array, Interval, chunks, count_groups, percentiles


def resample_weights(
    questions: int,
    repeats: int = REPEATS,
    seed: int = 0,
    groups: ArrayLike | None = None,
    level: float = LEVEL,
) -> Array:
    """Bootstrap resamples of questions as weights [R, N]; each row sums to 1. NaN for a single question or group.

    With groups [N], whole groups are resampled: questions on one fact are not independent. Groups are fewer
    than questions, so that percentile intervals would be too narrow: the weights' deviations from equal ones are
    stretched as `stretch` says (a weight can then be slightly negative).
    """
    weights = _plain_weights(questions, repeats, seed, groups)
    if groups is None or questions == 0:
        return weights
    return 1.0 / questions + stretch(count_groups(groups), level=level) * (weights - 1.0 / questions)


def _plain_weights(questions: int, repeats: int, seed: int, groups: ArrayLike | None) -> Array:
    """The same before they are stretched."""
    place = np.arange(questions) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    count = int(place.max(initial=-1)) + 1
    if count < 2:
        return np.full((repeats, questions), np.nan)  # one unit shows no spread
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1.0 / count), size=repeats)
    weights = times[:, place].astype(np.float64)
    return weights / weights.sum(axis=1, keepdims=True)


def stretch(count: int, freedom: float | None = None, level: float = LEVEL) -> float:
    """What a percentile interval of so many units lacks: sqrt(n / (n - 1)) times Student's t over normal.

    Hesterberg (2015, arXiv 1411.5279); `freedom` is n - 1 unless given.
    """
    if count < 2:
        return 1.0
    tail = (1.0 + level) / 2.0
    quantiles = distributions.t.ppf(tail, freedom or count - 1) / distributions.norm.ppf(tail)
    return float(np.sqrt(count / (count - 1.0)) * quantiles)


def resample_score(answers: Answers, weights: Array, score: str = "truth_info") -> Array:
    """The score of every resample: [R]."""
    return resample_scores([answers], weights, score)[:, 0]


def resample_scores(locations: Sequence[Answers], weights: Array, score: str = "truth_info") -> Array:
    """The same of several locations: [R, L]; of shares within 0 and 1, which stretched weights can leave."""
    parts = [answers.parts(score) for answers in locations]
    first, second = (np.concatenate([part[i] for part in parts]).T for i in (0, 1))  # [N, all seeds of all]
    starts = np.cumsum([0, *(len(part[0]) for part in parts)])
    resampled = np.empty((len(weights), len(parts)))
    for rows in chunks(len(weights), starts[-1]):
        products = (weights[rows] @ first) * (weights[rows] @ second)
        resampled[rows] = np.add.reduceat(products, starts[:-1], axis=1) / np.diff(starts)
    return np.clip(resampled, 0.0, 1.0) if are_shares(locations) else resampled


def are_shares(locations: Iterable[Answers]) -> bool:
    """Whether scores are within 0 and 1, since all that they are means of is."""
    return all(0.0 <= part.min() and part.max() <= 1.0 for each in locations for part in (each.truth, each.info) if part.size)


def score_interval(
    answers: Answers, weights: Array | None = None, score: str = "truth_info", level: float = LEVEL
) -> Interval:
    """A location's score with a percentile bootstrap interval; n: the questions (or their groups)."""
    weights = resample_weights(answers.questions) if weights is None else weights
    return Interval(answers.score(score), *percentiles(resample_score(answers, weights, score), level))


def mean_score_interval(
    locations: Sequence[Answers], weights: Array, score: str = "truth_info", level: float = LEVEL
) -> Interval:
    """Mean score of these very locations; n: the questions, resampled for all locations at once."""
    resampled = resample_scores(locations, weights, score).mean(axis=1)
    value = np.mean([answers.score(score) for answers in locations])
    return Interval(float(value), *percentiles(resampled, level))


def paired_bootstrap(
    first: Answers,
    second: Answers,
    score: str = "truth_info",
    weights: Array | None = None,
    level: float = LEVEL,
) -> Interval:
    """Score of `first` minus that of `second`, percentile interval; both see the same resampled questions.

    n: the questions (or their groups). Assumes that questions are a sample of those one cares for; seeds are
    averaged over and taken as given.
    """
    weights = resample_weights(first.questions) if weights is None else weights
    differences = resample_difference(first, second, score, weights)
    return Interval(first.score(score) - second.score(score), *percentiles(differences, level))


def resample_difference(first: Answers, second: Answers, score: str, weights: Array) -> Array:
    """Score of `first` minus that of `second` in every resample: [R]."""
    require_same_questions(first, second)
    return resample_score(first, weights, score) - resample_score(second, weights, score)


@dataclass(frozen=True)
class Lead:
    """Score of one location minus the mean over all locations of which others are draws; both ways resampled."""

    value: float
    resampled: Array  # [R]
    level: float  # that the resamples are stretched for

    @property
    def interval(self) -> Interval:
        """Percentiles."""
        return Interval(self.value, *percentiles(self.resampled, self.level))


def two_way_bootstrap(
    claimed: Answers,
    others: Sequence[Answers],
    score: str = "truth_info",
    repeats: int = REPEATS,
    seed: int = 0,
    level: float = LEVEL,
    groups: ArrayLike | None = None,
) -> Lead:
    """Claimed score minus the mean of others where questions and, independently, draws are resampled.

    n: the draws, two or more, and the questions (or their groups). The pigeonhole bootstrap (Owen 2007). Few of either
    make it too narrow, so it is stretched to Student's t, with degrees of freedom by Satterthwaite from what questions
    and what draws add to the variance. The claimed location is taken as given, with its seeds; the draws' seeds are
    part of their spread.
    """
    for each in others:
        require_same_questions(claimed, each)
    weights = _plain_weights(claimed.questions, repeats, seed, groups)
    of_draws = _plain_weights(len(others), repeats, seed + 1, None)
    units = claimed.questions if groups is None else count_groups(groups)
    ours, theirs = resample_score(claimed, weights, score), resample_scores(others, weights, score)
    scores = np.array([answers.score(score) for answers in others])
    value, most = float(claimed.score(score) - scores.mean()), 1.0 if are_shares([claimed, *others]) else np.inf
    by_questions = np.var(ours - theirs.mean(axis=1))
    by_draws = np.var(scores) / max(scores.size - 1, 1)
    freedom = _satterthwaite((by_questions, units - 1), (by_draws, scores.size - 1))
    resampled = value + stretch(units, freedom, level) * (ours - np.sum(theirs * of_draws, axis=1) - value)
    return Lead(value, np.clip(resampled, -most, most), level)


def require_same_questions(first: Answers, second: Answers) -> None:
    """Refuses answers to different numbers of questions."""
    if first.questions != second.questions:
        raise ValueError(
            f"{first.questions} and {second.questions} questions: a paired difference needs the same ones"
        )


def _satterthwaite(*parts: tuple[float, float]) -> float:
    """Degrees of freedom of a sum of variances, each with its own."""
    squares = sum(variance**2 / max(freedom, 1) for variance, freedom in parts)
    return float(sum(variance for variance, _ in parts) ** 2 / squares) if squares > 0 else np.inf
