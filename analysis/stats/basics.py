"""Statistics of the comparison: judged answers, their scores, rank tests and exact intervals.

In: arrays.  Out: numbers.  Letters: L locations, S seeds, N questions, R resamples. An answer's truth and info
are 0 or 1; Truth*Info is the product of their means over questions, averaged over seeds. Knows no files, no
tables, no figures. Its sisters: resample (bootstrap), permute (permutation tests), equivalence (TOST and
non-inferiority), multiple (many heads), correlation, variance, cost, power. SIMULATIONS.md shows what holds.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95
REPEATS = 2000
TIE = 1e-6  # scores closer than this are equal: above float32 rounding, below one answer's weight
SCORES = ("truth_info", "both")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An estimate with the two ends of its interval."""

    value: float
    low: float
    high: float

    def within(self, least: float, most: float) -> Self:
        """The same with ends where the estimate can be."""
        return replace(self, low=max(self.low, least), high=min(self.high, most))


@dataclass(frozen=True)
class RankTest:
    """How a claimed score ranks among the scores of random draws."""

    p_value: float
    at_least: int
    draws: int

    @property
    def smallest_p(self) -> float:
        """The least p that so many draws can give."""
        return 1.0 / (self.draws + 1)

    def at_worst(self, planned: int) -> float:
        """The p if all other draws that were planned reached the claimed score."""
        return (self.at_least + planned - self.draws + 1) / (planned + 1)


@dataclass(frozen=True)
class Answers:
    """Judged answers of one location: truth and info, each [S, N], the same questions for every seed."""

    truth: Array
    info: Array

    def __post_init__(self) -> None:
        if self.truth.shape != self.info.shape or self.truth.ndim != 2:
            raise ValueError(
                f"truth {self.truth.shape} and info {self.info.shape} must both be [seeds, questions]"
            )

    @classmethod
    def of_values(cls, values: ArrayLike) -> Self:
        """One number an answer, such as MC2 or minus a KL, [S, N]: every score is then its mean."""
        array = np.atleast_2d(np.asarray(values, dtype=np.float64))
        return cls(array, np.ones_like(array))

    @property
    def questions(self) -> int:
        """N."""
        return self.truth.shape[1]

    def score(self, name: str = "truth_info") -> float:
        """`truth_info`: mean truth times mean info; `both`: mean of truth AND info; averaged over seeds."""
        return float(self.contributions(name).mean())

    def contributions(self, name: str = "truth_info") -> Array:
        """What each question adds to the score: [N], its mean is the score; see `contributions`."""
        return contributions(*self.parts(name))

    def parts(self, name: str = "truth_info") -> tuple[Array, Array]:
        """The two factors [S, N] whose means are multiplied; the second is 1 for `both`."""
        if name not in SCORES:
            raise ValueError(f"the score {name} is not one of {', '.join(SCORES)}")
        return (
            (self.truth, self.info)
            if name == "truth_info"
            else (self.truth * self.info, np.ones_like(self.info))
        )


def contributions(truth: Array, info: Array) -> Array:
    """Linear parts of Truth*Info, [..., S, N] to [..., N]: I t + T i - T I, averaged over seeds.

    Their mean is the score, and the usual error of a mean over them is its error by the delta method.
    """
    mean_truth, mean_info = truth.mean(axis=-1, keepdims=True), info.mean(axis=-1, keepdims=True)
    return np.mean(mean_info * truth + mean_truth * (info - mean_info), axis=-2)


def rank_test(claimed: float, draws: ArrayLike) -> RankTest:
    """Monte Carlo rank p = (b + 1) / (m + 1) of "no better than a random draw" (Phipson and Smyth 2010).

    n: the draws. Assumes that under the null the claimed location is one more draw. One-sided; a draw that
    ties with the claimed score counts against it; p is never 0.
    """
    scores = _claimed_and_draws(claimed, draws)
    at_least = int(np.sum(scores >= claimed - TIE))
    return RankTest((at_least + 1) / (scores.size + 1), at_least, scores.size)


def besag_clifford(claimed: float, draws_in_order: ArrayLike, enough: int) -> RankTest:
    """Sequential rank p: drawing stops when `enough` draws tie or beat the claimed score (Besag and Clifford 1991).

    n: the draws until then. p = enough / draws used if it stopped, else (b + 1) / (m + 1) as in `rank_test`;
    it stays valid although the data decide when to stop, if the order and the largest m were fixed before.
    """
    scores = _claimed_and_draws(claimed, draws_in_order)
    if enough < 1:
        raise ValueError(f"enough = {enough}: drawing needs one exceedance or more to stop")
    reached = np.flatnonzero(scores >= claimed - TIE)
    if reached.size < enough:
        return RankTest((reached.size + 1) / (scores.size + 1), reached.size, scores.size)
    used = int(reached[enough - 1]) + 1
    return RankTest(enough / used, enough, used)


def mean_test(claimed: float, draws: ArrayLike) -> float:
    """Two-sided t-test of the draws' mean against the claimed score as a constant, as in arXiv 2502.11447.

    n: the draws. It asks whether the mean of random draws differs from the claimed score, not whether it is
    unusual, and takes the claimed score as known without error.
    """
    return float(stats.ttest_1samp(finite("draws", draws), claimed).pvalue)


def clustered_error(values: ArrayLike, groups: ArrayLike | None = None) -> float:
    """Standard error of a mean over questions that come in groups (Miller 2024, arXiv 2411.00640).

    n: the groups. The square root of the sum over groups of (sum of the group's deviations)^2, over N, with
    the factor G / (G - 1); without groups it is sd / sqrt(N). Assumes that groups are independent.
    """
    array = finite("values", values)
    sums = group_sums(array - array.mean(), groups)
    if sums.size < 2:
        return float("nan")
    return float(np.sqrt(np.sum(sums**2) * sums.size / (sums.size - 1)) / array.size)


def share_interval(successes: int, count: int, level: float = LEVEL) -> Interval:
    """A share with its exact binomial interval (Clopper and Pearson 1934); n: `count`."""
    if not 0 <= successes <= count or count == 0:
        raise ValueError(f"{successes} of {count} is not a share")
    tail = (1.0 - level) / 2.0
    low = stats.beta.ppf(tail, successes, count - successes + 1) if successes > 0 else 0.0
    high = stats.beta.ppf(1.0 - tail, successes + 1, count - successes) if successes < count else 1.0
    return Interval(successes / count, float(low), float(high))


def count_groups(groups: ArrayLike) -> int:
    """G."""
    return np.unique(np.asarray(groups)).size


def group_sums(values: Array, groups: ArrayLike | None) -> Array:
    """Sums over the last axis within each group: [..., N] to [..., G]."""
    if groups is None:
        return values
    names, place = np.unique(np.asarray(groups), return_inverse=True)
    return values @ (place[:, None] == np.arange(names.size)).astype(np.float64)


def finite(name: str, values: ArrayLike) -> Array:
    """The values as a flat array; refuses what is not a number."""
    array = np.asarray(values, dtype=np.float64).ravel()
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name}: {int(np.sum(~np.isfinite(array)))} of {array.size} values are not numbers")
    return array


def percentiles(values: Array, level: float) -> tuple[float, float]:
    """The middle `level` of the values; NaN where there are none."""
    if values.size == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def chunks(rows: int, columns: int, cells: int = 4_000_000) -> list[slice]:
    """Slices of rows that hold about `cells` numbers each: bounds the memory."""
    step = max(1, cells // max(1, columns))
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


def _claimed_and_draws(claimed: float, draws: ArrayLike) -> Array:
    if not np.isfinite(claimed):
        raise ValueError("the claimed score is not a number")
    return finite("draws", draws)
