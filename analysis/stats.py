"""Statistics of the comparison: arrays in, numbers out.

Letters: S seeds, N questions, R resamples. An answer's truth and info are 0 or 1; Truth*Info is the product
of their means over questions, averaged over seeds. Knows no files, no tables, no figures.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95
REPEATS = 2000
TIE = 1e-6  # scores closer than this are equal: above float32 rounding, below one answer's weight

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An estimate with the two ends of its interval."""

    value: float
    low: float
    high: float


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


def rank_test(claimed: float, draws: ArrayLike) -> RankTest:
    """Monte Carlo rank p = (b + 1) / (m + 1) of "no better than a random draw" (Phipson and Smyth 2010).

    One-sided; a draw that ties with the claimed score counts against it; p is never 0.
    """
    scores = _finite("draws", draws)
    if not np.isfinite(claimed):
        raise ValueError("the claimed score is not a number")
    at_least = int(np.sum(scores >= claimed - TIE))
    return RankTest((at_least + 1) / (scores.size + 1), at_least, scores.size)


def mean_test(claimed: float, draws: ArrayLike) -> float:
    """Two-sided t-test of the draws' mean against the claimed score as a constant, as in arXiv 2502.11447.

    It asks whether the mean of random draws differs from the claimed score, not whether it is unusual.
    """
    return float(stats.ttest_1samp(_finite("draws", draws), claimed).pvalue)


def truth_info(answers: Answers) -> float:
    """Mean truth times mean info, averaged over seeds."""
    return float(np.mean(answers.truth.mean(axis=1) * answers.info.mean(axis=1)))


def resample_weights(questions: int, repeats: int = REPEATS, seed: int = 0) -> Array:
    """Bootstrap resamples of questions as weights [R, N]; each row sums to 1."""
    if questions == 0:
        return np.zeros((repeats, 0))
    generator = np.random.default_rng(seed)
    return generator.multinomial(questions, np.full(questions, 1.0 / questions), size=repeats) / questions


def resample_truth_info(answers: Answers, weights: Array) -> Array:
    """Truth*Info of every resample: [R]."""
    return np.mean((weights @ answers.truth.T) * (weights @ answers.info.T), axis=1)


def truth_info_interval(answers: Answers, weights: Array | None = None, level: float = LEVEL) -> Interval:
    """Truth*Info with a percentile bootstrap interval over questions."""
    if weights is None:
        weights = resample_weights(answers.truth.shape[1])
    low, high = _percentiles(resample_truth_info(answers, weights), level)
    return Interval(truth_info(answers), low, high)


def mean_truth_info_interval(locations: list[Answers], weights: Array, level: float = LEVEL) -> Interval:
    """Mean Truth*Info of several locations; questions are resampled for all of them at once."""
    truth = np.concatenate([answers.truth for answers in locations]).T  # [N, all seeds of all locations]
    info = np.concatenate([answers.info for answers in locations]).T
    share = np.concatenate([np.full(len(each.truth), 1.0 / len(each.truth)) for each in locations])
    parts = np.array_split(weights, 20)  # bounds the memory
    resampled = np.concatenate([((part @ truth) * (part @ info)) @ share for part in parts])
    low, high = _percentiles(resampled / len(locations), level)
    return Interval(float(np.mean([truth_info(answers) for answers in locations])), low, high)


def paired_difference(
    first: Answers, second: Answers, weights: Array | None = None, level: float = LEVEL
) -> Interval:
    """Truth*Info of `first` minus that of `second`; both see the same resampled questions."""
    questions = first.truth.shape[1]
    if second.truth.shape[1] != questions:
        raise ValueError(
            f"{questions} and {second.truth.shape[1]} questions: a paired difference needs the same ones"
        )
    if weights is None:
        weights = resample_weights(questions)
    differences = resample_truth_info(first, weights) - resample_truth_info(second, weights)
    low, high = _percentiles(differences, level)
    return Interval(truth_info(first) - truth_info(second), low, high)


def spearman(
    x: ArrayLike, y: ArrayLike, repeats: int = REPEATS, seed: int = 0, level: float = LEVEL
) -> Interval:
    """Spearman's rank correlation with a percentile bootstrap interval over the pairs."""
    first, second = _finite("x", x), _finite("y", y)
    if first.size != second.size or first.size < 3:
        raise ValueError(
            f"{first.size} and {second.size} values: a rank correlation needs three pairs or more"
        )
    rows = np.random.default_rng(seed).integers(0, first.size, size=(repeats, first.size))
    resampled = _row_correlations(stats.rankdata(first[rows], axis=1), stats.rankdata(second[rows], axis=1))
    value = _row_correlations(stats.rankdata(first)[None], stats.rankdata(second)[None])[0]
    low, high = _percentiles(resampled[np.isfinite(resampled)], level)
    return Interval(float(value), low, high)


def share_interval(successes: int, count: int, level: float = LEVEL) -> Interval:
    """A share with its exact binomial interval (Clopper and Pearson 1934)."""
    if not 0 <= successes <= count or count == 0:
        raise ValueError(f"{successes} of {count} is not a share")
    tail = (1.0 - level) / 2.0
    low = stats.beta.ppf(tail, successes, count - successes + 1) if successes > 0 else 0.0
    high = stats.beta.ppf(1.0 - tail, successes + 1, count - successes) if successes < count else 1.0
    return Interval(successes / count, float(low), float(high))


def _finite(name: str, values: ArrayLike) -> Array:
    array = np.asarray(values, dtype=np.float64).ravel()
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name}: {int(np.sum(~np.isfinite(array)))} of {array.size} values are not numbers")
    return array


def _percentiles(values: Array, level: float) -> tuple[float, float]:
    if values.size == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def _row_correlations(x: Array, y: Array) -> Array:
    """Pearson correlation of each row; NaN where a row is constant."""
    x = x - x.mean(axis=1, keepdims=True)
    y = y - y.mean(axis=1, keepdims=True)
    scale = np.sqrt(np.sum(x * x, axis=1) * np.sum(y * y, axis=1))
    return np.divide(np.sum(x * y, axis=1), scale, out=np.full(scale.shape, np.nan), where=scale > 0)
