"""Does the localiser predict editability? Rank correlations over heads, with the layers' share taken out.

In: a value of the localiser and an edited score for each head [K], the heads' layers.  Out: intervals, p-values.
Intervals are Fisher's z with the error of a jackknife that leaves out one head (or layer) a time and Student's t;
with few layers it covers a little better than a bootstrap. Ranks are sums of weights [R, K], 0 for what is left out.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as distributions

from .basics import LEVEL, REPEATS, TIE, Array, Interval, chunks, finite


def spearman(x: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None, level: float = LEVEL) -> Interval:
    """Spearman's rank correlation; n: the heads, or whole groups of them (layers) where groups [K] are given."""
    first, second = _pairs(x, y)
    place = _places(groups, first.size)
    error = _jackknife(lambda weights: _correlations(first[None], second[None], weights), place)
    return _fisher(_spearman(first, second), error, place.max() + 1, level)


def spearman_two_way(
    x: ArrayLike,
    contributions: ArrayLike,
    groups: ArrayLike | None = None,
    level: float = LEVEL,
    question_groups: ArrayLike | None = None,
) -> Interval:
    """The same for scores that are means over questions: contributions [K, N] of each head's questions.

    n: heads (or layers) and questions (or whole groups of them, [N]); the variances by leaving out either are added,
    which is on the safe side. The value belongs to this number of questions: with fewer, scores are noisier and it is
    nearer to 0.
    """
    added = np.asarray(contributions, dtype=np.float64)
    first, second = _pairs(x, added.mean(axis=1))
    place, asked = _places(groups, first.size), _places(question_groups, added.shape[1])
    by_head = _jackknife(lambda weights: _correlations(first[None], second[None], weights), place)

    def without(weights: Array) -> Array:
        return _correlations(first[None], weights @ added.T, np.ones((len(weights), first.size)))

    error = np.hypot(by_head, _jackknife(without, asked))
    return _fisher(_spearman(first, second), error, min(place.max(), asked.max()) + 1, level)


def partial_spearman(x: ArrayLike, y: ArrayLike, layer: ArrayLike, level: float = LEVEL) -> Interval:
    """Rank correlation within layers: each layer's mean rank is taken away on both sides; n: the layers."""
    first, second = _pairs(x, y)
    place = _places(layer, first.size)
    value = _correlations(first[None], second[None], np.ones((1, first.size)), place)[0]
    error = _jackknife(lambda weights: _correlations(first[None], second[None], weights, place), place)
    return _fisher(float(value), error, place.max() + 1, level)


def permutation_within_layer(
    x: ArrayLike,
    y: ArrayLike,
    layer: ArrayLike,
    repeats: int = REPEATS,
    seed: int = 0,
    alternative: str = "two-sided",
) -> float:
    """p of "within a layer the localiser says nothing": edited scores are shuffled within each layer.

    n: the heads. The statistic is the partial rank correlation; exact, whatever layers do to both sides.
    """
    first, second = _pairs(x, y)
    order = np.argsort(_places(layer, first.size), kind="stable")
    place = _places(layer, first.size)[order]
    ones = np.ones((1, first.size))
    ours, theirs = (_centred(_ranks(each[None, order], ones), ones, place)[0] for each in (first, second))
    generator = np.random.default_rng(seed)
    shuffled = [
        theirs[np.argsort(generator.random((rows.stop - rows.start, first.size)) + place, axis=1)] @ ours
        for rows in chunks(repeats, first.size)
    ]
    others, observed = np.concatenate(shuffled), float(theirs @ ours)
    if alternative == "two-sided":
        others, observed = np.abs(others), abs(observed)
    return float((1 + np.sum(others >= observed - TIE)) / (1 + repeats))


def seed_reliability(scores: ArrayLike, level: float = LEVEL) -> Interval:
    """How alike heads rank under two seeds: mean Spearman over all pairs of seeds of scores [seeds, heads].

    n: the heads. The best correlation with anything that one seed's scores can show is its root. NaN of one seed.
    """
    table = np.asarray(scores, dtype=np.float64)
    finite("scores", table)
    if table.shape[0] < 2:
        return Interval(float("nan"), float("nan"), float("nan"))
    value = _mean_over_seeds(table, np.ones((1, table.shape[1])))[0]
    error = _jackknife(lambda weights: _mean_over_seeds(table, weights), np.arange(table.shape[1]))
    return _fisher(float(value), error, table.shape[1], level)


def _mean_over_seeds(table: Array, weights: Array) -> Array:
    """Mean of the correlations of all pairs of rows, for each row of weights."""
    seeds = len(table)
    scaled = [_standardised(_ranks(row[None], weights), weights, None) for row in table]
    together = np.sum(np.sum(scaled, axis=0) ** 2, axis=1)  # all pairs, rows with themselves too
    return (together - seeds) / (seeds * (seeds - 1))


def _pairs(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    first, second = finite("x", x), finite("y", y)
    if first.size != second.size or first.size < 3:
        raise ValueError(
            f"{first.size} and {second.size} values: a rank correlation needs three pairs or more"
        )
    return first, second


def _places(groups: ArrayLike | None, size: int) -> Array:
    """The number of the group of each head (or question), from 0; without groups each is one."""
    return np.arange(size) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]


def _spearman(x: Array, y: Array) -> float:
    return float(_correlations(x[None], y[None], np.ones((1, x.size)))[0])


def _correlations(x: Array, y: Array, weights: Array, place: Array | None = None) -> Array:
    """Weighted rank correlation for each row of weights, x and y [R or 1, K]; within layers if places are given."""
    first, second = (_standardised(_ranks(each, weights), weights, place) for each in (x, y))
    return np.sum(first * second, axis=1)


def _ranks(values: Array, weights: Array) -> Array:
    """Ranks [R, K] where head k counts weights[r, k] times; ties share their mean rank."""
    order = np.broadcast_to(np.argsort(values, axis=1), weights.shape)
    ordered = np.take_along_axis(np.broadcast_to(values, weights.shape), order, axis=1)
    counts = np.take_along_axis(weights, order, axis=1)
    upto = np.cumsum(counts, axis=1)
    new = np.diff(ordered, axis=1, prepend=-np.inf) > 0
    last = np.roll(new, -1, axis=1)
    last[:, -1] = True
    start = np.maximum.accumulate(np.where(new, upto - counts, 0.0), axis=1)
    end = np.minimum.accumulate(np.where(last, upto, np.inf)[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty_like(upto)
    np.put_along_axis(ranks, order, (start + end) / 2.0, axis=1)
    return ranks


def _centred(ranks: Array, weights: Array, place: Array | None) -> Array:
    """Ranks less their weighted mean, or less that of their layer."""
    if place is None:
        return ranks - np.average(ranks, axis=1, weights=weights)[:, None]
    members = (place[:, None] == np.arange(place.max() + 1)).astype(np.float64)
    total = weights @ members
    means = np.divide((weights * ranks) @ members, total, out=np.zeros_like(total), where=total > 0)
    return ranks - means[:, place]


def _standardised(ranks: Array, weights: Array, place: Array | None) -> Array:
    """Centred ranks times the root of their weights, of length 1: products are correlations; NaN if constant."""
    scaled = _centred(ranks, weights, place) * np.sqrt(weights)
    length = np.sqrt(np.sum(scaled**2, axis=1, keepdims=True))
    return np.divide(scaled, length, out=np.full(scaled.shape, np.nan), where=length > TIE)


def _jackknife(statistic: Callable[[Array], Array], place: Array) -> float:
    """Standard error of Fisher's z of the statistic of weights [R, K], leaving out one place a time."""
    count = int(place.max()) + 1
    parts = [statistic(1.0 - (place == np.arange(count)[rows, None])) for rows in chunks(count, place.size)]
    values = np.concatenate(parts)
    values = np.arctanh(values[np.abs(values) < 1.0])
    return float(np.sqrt((count - 1) * values.var())) if values.size == count > 2 else float("nan")


def _fisher(value: float, error: float, count: int, level: float) -> Interval:
    if not np.isfinite(value) or abs(value) >= 1.0:
        return Interval(value, float("nan"), float("nan"))
    reach = distributions.t.ppf((1.0 + level) / 2.0, count - 1) * error
    low, high = np.tanh(np.arctanh(value) + reach * np.array([-1.0, 1.0]))
    return Interval(value, float(low), float(high))
