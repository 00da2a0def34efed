"""Was the sweep large enough? What so many draws and questions can detect.

In: numbers of draws and questions, the spread of paired differences.  Out: smallest p, detectable effects, power.
`questions` are all that are tested: with folds, the questions of all folds together; where they come in groups, groups
stand for them, with the spread that gives the clustered error.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as distributions
from statsmodels.stats.power import TTestPower

from .basics import Array

POWER = 0.8


def smallest_p(draws: int) -> float:
    """The least rank p that so many draws can give: 1 / (m + 1)."""
    return 1.0 / (draws + 1)


def draws_needed(p_value: float) -> int:
    """The fewest draws whose smallest rank p is at most this."""
    return int(np.ceil(1.0 / p_value - 1e-9)) - 1


def detectable_difference(questions: int, sd: float, level: float = 0.05, power: float = POWER) -> float:
    """The difference of two locations that a two-sided paired test finds with this power, in units of the score.

    sd: of a question's paired difference (`Answers.contributions`). Student's t, as statsmodels has it; swaps of
    answers that are 0 or 1 tie, so a sign flip finds it with a few per cent less.
    """
    size = TTestPower().solve_power(nobs=questions, alpha=level, power=power)
    return abs(np.squeeze(size).item()) * sd  # for some numbers it is an array of one, or the negative root


def detectable_margin(questions: int, sd: float, level: float = 0.05, power: float = POWER) -> float:
    """The smallest margin within which two locations that are equal are shown to be equivalent (TOST)."""
    quantiles = distributions.t.ppf([1.0 - level, (1.0 + power) / 2.0], questions - 1)
    return float(np.sum(quantiles) * sd / np.sqrt(questions))


def questions_needed(difference: float, sd: float, level: float = 0.05, power: float = POWER) -> int:
    """Questions with which a two-sided paired test finds the difference with this power."""
    return int(np.ceil(TTestPower().solve_power(effect_size=difference / sd, alpha=level, power=power)))


def power_curve(differences: ArrayLike, questions: int, sd: float, level: float = 0.05) -> Array:
    """Power of the two-sided paired test at each difference, by the noncentral t.

    Its far tail is 0 where scipy can no longer tell it from that (and gives NaN).
    """
    away = np.abs(np.asarray(differences, dtype=np.float64)) / sd * np.sqrt(questions)
    limit = distributions.t.ppf(1.0 - level / 2.0, questions - 1)
    far = np.nan_to_num(distributions.nct.cdf(-limit, questions - 1, away))
    return distributions.nct.sf(limit, questions - 1, away) + far


def rank_power(share: ArrayLike, draws: int, level: float = 0.05) -> Array:
    """Power of the rank test for a claimed score that this share of all random locations reaches."""
    return distributions.binom.cdf(_allowed(draws, level), draws, np.asarray(share, dtype=np.float64))


def detectable_rank(draws: int, level: float = 0.05, power: float = POWER) -> float:
    """The largest share of random locations that may reach the claimed score for the rank test to find it special.

    With this power; NaN where so few draws can give no p at the level. Exact: p <= level if at most k draws
    reach the score, and that has the chance P(Binomial(m, share) <= k).
    """
    allowed = _allowed(draws, level)
    if allowed < 0:
        return float("nan")
    return float(distributions.beta.ppf(1.0 - power, allowed + 1, draws - allowed))


def _allowed(draws: int, level: float) -> int:
    """How many draws may reach the claimed score with p at most the level; -1: not even none."""
    return int(np.floor(level * (draws + 1) + 1e-9)) - 1
