"""What a simulation checks: a rate of wrong rejections, of intervals that hold the truth, of planted effects found.

In: one draw of a made-up sweep a time.  Out: the rate over many, and whether chance explains its distance.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats as distributions

from analysis.stats import Interval

LEVEL = 0.05
REPEATS = 399  # of permutations and resamples within a simulation: p <= 0.05 has a chance of exactly 0.05
CHANCE = 0.001  # a rate is wrong if a right statistic would miss as far with less than this
MOST = 0.985  # of intervals hold the truth; if more do, they are too wide
CAUTIOUS = 0.99  # the same of intervals that are known to be a little too wide

Role = Literal["level", "coverage", "power", "contrast"]


@dataclass(frozen=True)
class Check:
    """One statistic in one made-up situation."""

    statistic: str
    situation: str
    n: str
    role: Role
    nominal: float  # the most for a level, the least for coverage and power; a contrast must miss it
    run: Callable[[np.random.Generator], float]  # 1: rejected, or covered; or a share of wrong rejections
    most: float = MOST  # for coverage

    def rate(self, simulations: int) -> float:
        """The mean of as many runs, always the same ones."""
        generator = np.random.default_rng(zlib.crc32(f"{self.statistic}: {self.situation}".encode()))
        return float(np.mean([self.run(generator) for _ in range(simulations)]))

    def holds(self, rate: float, simulations: int) -> bool:
        """Whether the rate keeps what is promised, or for a contrast, breaks it; within binomial chance."""
        count = round(rate * simulations)
        if self.role == "level":
            return bool(distributions.binom.sf(count - 1, simulations, self.nominal) >= CHANCE)
        if self.role == "contrast":
            tails = (
                distributions.binom.sf(count - 1, simulations, self.nominal),
                distributions.binom.cdf(count, simulations, self.nominal),
            )
            return bool(min(tails) < CHANCE)
        enough = bool(distributions.binom.cdf(count, simulations, self.nominal) >= CHANCE)
        return enough and not (self.role == "coverage" and self._is_endless(count, simulations))

    @property
    def bounds(self) -> str:
        """What the rate must keep, for the table."""
        return f"{self.nominal:g} to {self.most:g}" if self.role == "coverage" else f"{self.nominal:g}"

    def _is_endless(self, count: int, simulations: int) -> bool:
        """An interval that holds the truth too often; if it is not known to be cautious, always in 100 is too often."""
        always = count == simulations and self.most == MOST
        return bool(always or distributions.binom.sf(count - 1, simulations, self.most) < CHANCE)


def level(statistic: str, situation: str, n: str, run: Callable[[np.random.Generator], float]) -> Check:
    """Nothing is there to be found."""
    return Check(statistic, situation, n, "level", LEVEL, run)


def power(statistic: str, situation: str, n: str, least: float, run: Callable[[np.random.Generator], float]) -> Check:
    """Something is, and is found so often."""
    return Check(statistic, situation, n, "power", least, run)


def contrast(statistic: str, situation: str, n: str, run: Callable[[np.random.Generator], float]) -> Check:
    """A test that one must not make: nothing is there, and it is found."""
    return Check(statistic, situation, n, "contrast", LEVEL, run)


def covers(interval: Interval, truth: float) -> float:
    """1 if the interval holds the truth."""
    return float(interval.low <= truth <= interval.high)


def rejects(p_value: float) -> float:
    """1 if the test rejects at 0.05; a p of 0 is an error in itself."""
    if not 0.0 < p_value <= 1.0:
        raise ValueError(f"p = {p_value}")
    return float(p_value <= LEVEL + 1e-12)


def some_seed(generator: np.random.Generator) -> int:
    """A seed for a function that takes one."""
    return int(generator.integers(2**31))
