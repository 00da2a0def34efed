"""Many tests at once: p-values adjusted for their number.

In: p-values [K].  Out: adjusted ones.  `permute.max_statistic` is the third way, for the best of many.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as distributions

from .basics import Array, finite


def bonferroni(p_value: float, tests: int) -> float:
    """One p of so many tests, or of so many looks at a test that goes on until it finds something."""
    return min(1.0, p_value * tests)


def holm(p_values: ArrayLike) -> Array:
    """Holm (1979): below the level with a chance of at most the level that any is wrong; any dependence.

    As in statsmodels, whose function collects garbage at each call and so takes a hundred times as long. NaN if all are.
    """
    if _are_missing(p_values):
        return np.asarray(p_values)
    values = finite("p", p_values)
    order = np.argsort(values)
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    return np.minimum(adjusted, 1.0)


def benjamini_hochberg(p_values: ArrayLike) -> Array:
    """Benjamini and Hochberg (1995): of those below the level the expected share of wrong ones is at most it.

    Assumes independence or positive dependence, as of locations that share questions. NaN if all are.
    """
    if _are_missing(p_values):
        return np.asarray(p_values)
    values = finite("p", p_values)
    return distributions.false_discovery_control(values) if values.size else values


def _are_missing(p_values: ArrayLike) -> bool:
    """All NaN, as of tests on a single group of questions."""
    return bool(np.isnan(p_values).all())
