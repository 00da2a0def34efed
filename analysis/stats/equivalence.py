"""Equivalence and non-inferiority within a margin that was fixed before the run.

In: a difference with its error or its resamples, or answers of heads and of a reference.  Out: p-values.
"Not rejected" is not "equal": only these tests may say that two locations are as good.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as distributions

from .basics import REPEATS, Answers, Array, group_sums
from .multiple import benjamini_hochberg, holm
from .resample import two_way_bootstrap


@dataclass(frozen=True)
class Equivalence:
    """One-sided p-values against a difference of -margin or less, and of +margin or more."""

    p_lower: float
    p_upper: float
    equivalent: bool  # both are at most the level
    not_worse: bool  # p_lower is

    @property
    def p_value(self) -> float:
        """Of equivalence: the larger one."""
        return max(self.p_lower, self.p_upper)


@dataclass(frozen=True)
class HeadTests:
    """Each head against the reference, one-sided: "worse by the margin or more" is rejected or not."""

    difference: Array  # [L] head minus reference
    p_value: Array  # [L]
    certified: Array  # [L] p adjusted by Holm: no head at all is certified wrongly
    mapped: Array  # [L] p adjusted by Benjamini and Hochberg: few of the heads shown are wrong


def equivalence(
    difference: ArrayLike | tuple[float, float], margin: float, level: float = 0.05, freedom: float = np.inf
) -> Equivalence:
    """Two one-sided tests (Schuirmann 1987) of a difference in units of the score.

    difference: (estimate, standard error), tested by Student's t with `freedom` degrees, or its bootstrap
    resamples, whose p is the share beyond the margin, (1 + b) / (1 + R). Assumes a margin fixed beforehand.
    """
    if not margin > 0.0:
        raise ValueError(f"a margin of {margin} makes nothing equivalent")
    if isinstance(difference, tuple):
        p_lower, p_upper = _by_error(*difference, margin, freedom)
    else:
        resampled = np.asarray(difference, dtype=np.float64)
        p_lower = (1 + np.sum(resampled <= -margin)) / (1 + resampled.size)
        p_upper = (1 + np.sum(resampled >= margin)) / (1 + resampled.size)
    return _both_sides(float(p_lower), float(p_upper), level)


def mean_of_draws(
    reference: Answers,
    draws: Sequence[Answers],
    lost: int,
    margin: float,
    level: float = 0.05,
    groups: ArrayLike | None = None,
    bounded: bool = True,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Equivalence:
    """Equivalence of the mean of draws to one location; n: the draws and the questions, see `two_way_bootstrap`.

    `lost` draws more were planned and not finished, perhaps by what they would have scored: they count with all answers
    wrong against a mean that is worse, and with all right against one that is better; where the score is not `bounded` by
    0 and 1, as the worst and the best draw that finished.
    """
    if bounded:
        ends = [Answers.of_values(np.full(reference.questions, each)) for each in (0.0, 1.0)]
    else:
        ends = [extreme(draws, key=Answers.score) for extreme in (min, max)]
    how = {"repeats": repeats, "seed": seed, "level": 1.0 - level, "groups": groups}
    leads = [two_way_bootstrap(reference, [*draws, *[end] * lost], **how) for end in ends[: 1 + (lost > 0)]]
    lower, upper = (equivalence(-lead.resampled, margin, level) for lead in (leads[0], leads[-1]))
    return _both_sides(lower.p_lower, upper.p_upper, level)


def paired_equivalence(
    first: Answers,
    second: Answers,
    margin: float,
    score: str = "truth_info",
    level: float = 0.05,
    groups: ArrayLike | None = None,
) -> Equivalence:
    """Equivalence of two locations on the same questions; n: questions (or groups); score tests as below."""
    added = first.contributions(score) - second.contributions(score)
    p_lower, p_upper = (float(_not_below(each, margin, groups)) for each in (added, -added))
    return _both_sides(p_lower, p_upper, level)


def heads_not_worse(
    heads: ArrayLike,
    reference: ArrayLike,
    margin: float,
    groups: ArrayLike | None = None,
) -> HeadTests:
    """Is each head as good as the reference, but for less than the margin? One-sided, per head.

    heads: contributions [L, N] (`Answers.contributions`), reference [N]. n: questions (or groups).
    """
    added = np.asarray(heads, dtype=np.float64) - np.asarray(reference, dtype=np.float64)
    p_value = _not_below(added, margin, groups)
    return HeadTests(added.mean(axis=-1), p_value, holm(p_value), benjamini_hochberg(p_value))


def _both_sides(p_lower: float, p_upper: float, level: float) -> Equivalence:
    return Equivalence(p_lower, p_upper, bool(max(p_lower, p_upper) <= level), bool(p_lower <= level))


def _not_below(added: Array, margin: float, groups: ArrayLike | None) -> Array:
    """p of "the mean of the paired differences [..., N] is -margin or less": a score test, Student's t; NaN for one group.

    The error is that of the null, where Wald's would be too small for shares near 1 (and 0 for locations that
    never differ): Tango's (1998) for paired shares, with steps of the size that the differences have, times the
    design effect of groups if that is above 1.
    """
    count = group_sums(added, groups).shape[-1]
    if count < 2:
        return np.full(added.shape[:-1], np.nan)
    error = np.sqrt(_null_variance(added, margin) * _design_effect(added, groups) / added.shape[-1])
    p_value = distributions.t.sf((added.mean(axis=-1) + margin) / error, count - 1)
    return np.maximum(p_value, np.finfo(float).tiny)


def _null_variance(added: Array, margin: float) -> Array:
    """Variance of one difference if the mean is -margin: steps of -u, 0, u with shares by maximum likelihood."""
    size, squares = np.abs(added).sum(axis=-1), np.sum(added**2, axis=-1)
    step = np.divide(squares, size, out=np.ones_like(size), where=size > 0)
    up, down = np.maximum(added, 0.0).sum(axis=-1) / step, np.maximum(-added, 0.0).sum(axis=-1) / step
    shift, count = np.minimum(margin / step, 1.0), added.shape[-1]
    linear = 2.0 * count * shift - (up + down) * (1.0 - shift) - 2.0 * down * shift
    constant = -up * shift * (1.0 - shift)
    share_up = (np.sqrt(linear**2 - 8.0 * count * constant) - linear) / (4.0 * count)
    return step**2 * (2.0 * share_up + shift - shift**2)


def _design_effect(added: Array, groups: ArrayLike | None) -> Array:
    """How much larger the variance of the mean is for questions that come in groups; at least 1."""
    centred = added - added.mean(axis=-1, keepdims=True)
    clustered, plain = (np.sum(group_sums(centred, each) ** 2, axis=-1) for each in (groups, None))
    ratio = np.divide(clustered, plain, out=np.ones_like(plain), where=plain > 0)
    return np.maximum(ratio, 1.0)


def _by_error(estimate: float, error: float, margin: float, freedom: float) -> tuple[float, float]:
    if not error > 0.0:
        raise ValueError("an error of 0: the two locations never differ, a t-test cannot be made")
    return (
        float(distributions.t.sf((estimate + margin) / error, freedom)),
        float(distributions.t.cdf((estimate - margin) / error, freedom)),
    )
