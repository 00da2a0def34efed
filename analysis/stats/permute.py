"""Permutation tests: answers of two locations swapped within questions, answers of many shuffled among them.

In: `Answers`, or arrays [L, N] or [L, S, N].  Out: p-values, never 0: (1 + as extreme) / (1 + repeats).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .basics import REPEATS, TIE, Answers, Array, chunks, contributions, group_sums
from .resample import require_same_questions

ALTERNATIVES = ("two-sided", "greater")


@dataclass(frozen=True)
class MaxStatistic:
    """Whether the best of many locations is better than the best of equals, and each one's own p."""

    p_value: float
    best: int  # which location
    adjusted: Array  # [L] p of each location, adjusted for the choice among all


def sign_flip(
    first: Answers,
    second: Answers,
    score: str = "truth_info",
    groups: ArrayLike | None = None,
    repeats: int = REPEATS,
    seed: int = 0,
    alternative: str = "two-sided",
) -> float:
    """p of "no difference": within a question (or its group) the two locations' answers change places.

    n: the questions (or groups). Truth and info of all seeds move together and the score is recomputed, as it
    is a product of means. The statistic is the difference over its clustered error, recomputed each time
    (Janssen 1997): else locations that trade truth for info at equal products are told apart too often. NaN for one
    question or group.
    """
    if alternative not in ALTERNATIVES:
        raise ValueError(f"the alternative {alternative} is not one of {', '.join(ALTERNATIVES)}")
    require_same_questions(first, second)
    one, other = _same_seeds(first.parts(score), second.parts(score))
    place = _places(groups, first.questions)
    if place.max() < 1:
        return float("nan")
    generator = np.random.default_rng(seed)
    observed = _studentised(one, other, np.zeros((1, first.questions), bool), place)[0]
    statistics = []
    for rows in chunks(repeats, one.size):
        swapped = generator.random((rows.stop - rows.start, place.max() + 1)) < 0.5
        statistics.append(_studentised(one, other, swapped[:, place], place))
    flipped = np.concatenate(statistics)
    if alternative == "two-sided":
        flipped, observed = np.abs(flipped), abs(observed)
    return float((1 + np.sum(flipped >= observed - TIE)) / (1 + repeats))


def max_statistic(
    values: ArrayLike,
    info: ArrayLike | None = None,
    repeats: int = REPEATS,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> MaxStatistic:
    """p of "some location is special": is the best of L locations better than the best of L equal ones?

    values: the score's answers [L, N] or [L, S, N]; for Truth*Info truth, and info beside it. n: questions and
    locations. Null: within a question (or group of questions) the answers are exchangeable over locations. There they
    are shifted cyclically over the locations by a random step (a group of permutations, so the test is exact); the
    largest score is recomputed. `adjusted` is each score against these largest ones (Westfall and Young 1993). p is
    NaN for one question or group.
    """
    first = _with_seeds(values)
    second = None if info is None else _with_seeds(info)
    generator = np.random.default_rng(seed)
    locations, seeds, questions = first.shape
    place = _places(groups, questions)
    observed = _scores(first.mean(axis=-1), None if second is None else second.mean(axis=-1))
    best = int(observed.argmax())
    if place.max() < 1:
        return MaxStatistic(float("nan"), best, np.full(locations, np.nan))
    largest = []
    for rows in chunks(repeats, locations * seeds):
        steps = generator.integers(0, locations, size=(rows.stop - rows.start, place.max() + 1))[:, place]
        shifted = [None if part is None else _shifted_means(part, steps) for part in (first, second)]
        largest.append(_scores(*shifted).max(axis=-1))
    ordered = np.sort(np.concatenate(largest))
    beaten = repeats - np.searchsorted(ordered, observed - TIE)
    adjusted = (1.0 + beaten) / (1.0 + repeats)
    return MaxStatistic(float(adjusted[best]), best, adjusted)


def _studentised(one: Array, other: Array, swapped: Array, place: Array) -> Array:
    """Difference over its clustered error for each row of swaps: [R]; one and other are [2 factors, S, N]."""
    rows = swapped[:, None, :]
    first = [np.where(rows, theirs, ours) for ours, theirs in zip(one, other, strict=True)]
    second = [np.where(rows, ours, theirs) for ours, theirs in zip(one, other, strict=True)]
    added = contributions(*first) - contributions(*second)
    difference = added.mean(axis=-1)
    groups = None if place.max() + 1 == place.size else place
    sums = group_sums(added - difference[:, None], groups)
    error = np.sqrt(np.sum(sums**2, axis=-1)) / added.shape[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.abs(difference) < TIE, 0.0, difference / np.where(error < TIE, 0.0, error))


def _same_seeds(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """Both as [2, S, N]; answers of one seed stand for all seeds, as ITI's, which no seed changes."""
    one, other = np.stack(first), np.stack(second)
    seeds = max(one.shape[1], other.shape[1])
    if not {one.shape[1], other.shape[1]} <= {1, seeds}:
        raise ValueError(f"{one.shape[1]} and {other.shape[1]} seeds: answers are swapped with their seeds")
    shape = (2, seeds, one.shape[2])
    return np.broadcast_to(one, shape), np.broadcast_to(other, shape)


def _places(groups: ArrayLike | None, questions: int) -> Array:
    if groups is None:
        return np.arange(questions)
    return np.unique(np.asarray(groups), return_inverse=True)[1]


def _with_seeds(values: ArrayLike) -> Array:
    array = np.asarray(values, dtype=np.float64)
    return array[:, None, :] if array.ndim == 2 else array


def _scores(first: Array, second: Array | None) -> Array:
    """Means [..., L, S] to scores [..., L]."""
    return (first if second is None else first * second).mean(axis=-1)


def _shifted_means(values: Array, steps: Array) -> Array:
    """Mean over questions after a cyclic shift of each question's answers: [R, L, S]."""
    locations, seeds, questions = values.shape
    total = np.zeros((len(steps), locations * seeds))
    for question in range(questions):
        twice = np.tile(np.ascontiguousarray(values[:, :, question]), (2, 1)).ravel()
        windows = np.lib.stride_tricks.sliding_window_view(twice, locations * seeds)
        total += windows[steps[:, question] * seeds]
    return (total / questions).reshape(len(steps), locations, seeds)
