"""Simulated tests of equivalence and non-inferiority: pairs, means of draws with and without lost ones, single heads.

Out: CHECKS, as in simulate_tests.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from analysis.stats import clustered_error, contributions
from analysis.stats.equivalence import equivalence, heads_not_worse, mean_of_draws, paired_equivalence
from tests.analysis.check import LEVEL, REPEATS, contrast, level, power, rejects, some_seed
from tests.analysis.worlds import World, shares_of_draws

Run = Callable[[np.random.Generator], float]
WORLD, ALL, SEEDED = World(), World(questions=817), World(seed=0.4)
INFO, SPREAD, MARGIN = 0.9, 0.035, 0.05
SURE = [1 - 1e-9] * 2  # info of two locations


def same(
    truth: ArrayLike,
    info: ArrayLike,
    world: World = WORLD,
    one_sided: bool = False,
    grouped: bool = False,
    margin: float = MARGIN,
) -> Run:
    def run(generator: np.random.Generator) -> float:
        first, second = world.answers(generator, truth, info)
        groups = world.groups if grouped else None
        result = paired_equivalence(first, second, margin, groups=groups)
        return rejects(result.p_lower if one_sided else result.p_value)

    return run


def same_by_error(generator: np.random.Generator) -> float:
    first, second = ALL.answers(generator, [0.65, 0.7], SURE)
    added = first.contributions() - second.contributions()
    return rejects(
        equivalence((added.mean(), clustered_error(added)), MARGIN, freedom=ALL.questions - 1).p_value
    )


def mean_and_claimed(
    ahead: float,
    draws: int = 16,
    spread: float = 0.1,
    world: World = WORLD,
    one_sided: bool = True,
    margin: float = MARGIN,
) -> Run:
    """The claimed location is `ahead` of the mean of all that the draws are of; by groups where the world has them."""

    def run(generator: np.random.Generator) -> float:
        shares = np.concatenate([[0.6 + ahead / INFO], shares_of_draws(generator, 0.6, spread, draws)])
        claimed, *others = world.answers(generator, shares, np.full(draws + 1, INFO))
        groups = world.groups if world.group_size > 1 else None
        seed = some_seed(generator)
        result = mean_of_draws(claimed, others, 0, margin, groups=groups, repeats=REPEATS, seed=seed)
        return rejects(result.p_lower if one_sided else result.p_value)

    return run


def mean_of_finished(ahead: float, part: float, counted: bool) -> Run:
    """The same where most of this part of 20 draws fail, the worst of them."""

    def run(generator: np.random.Generator) -> float:
        shares = np.concatenate([[0.6 + ahead / INFO], shares_of_draws(generator, 0.6, 0.15, 20)])
        claimed, *others = WORLD.answers(generator, shares, np.full(21, INFO))
        fails = (shares[1:].argsort().argsort() < part * 20) & (generator.random(20) < 0.8)
        finished = [each for each, lost in zip(others, fails, strict=True) if not lost]
        lost = int(fails.sum()) if counted else 0
        result = mean_of_draws(claimed, finished, lost, MARGIN, repeats=REPEATS, seed=some_seed(generator))
        return rejects(result.p_lower)

    return run


def heads(reference: float, bad: int, good: int, margin: float, outcome: str, world: World = WORLD) -> Run:
    """Heads worse by just the margin, and equal ones, beside the reference."""

    def run(generator: np.random.Generator) -> float:
        shares = np.concatenate([[reference], np.full(bad, reference - margin), np.full(good, reference)])
        added = contributions(*world.draw(generator, shares, np.full(shares.size, 1 - 1e-9)))
        tests = heads_not_worse(added[1:], added[0], margin)
        found = {"any": tests.p_value, "holm": tests.certified, "bh": tests.mapped}[
            outcome.split()[0]
        ] <= LEVEL
        if outcome.endswith("power"):
            return float(found[bad:].mean())
        return float(found[:bad].sum() / max(found.sum(), 1)) if outcome == "bh" else float(found[:bad].any())

    return run


Q, HEADS, TWO = "163 questions", "64 heads, 163 questions", [INFO, INFO]
EDGE, ANY_WRONG = "worse by the margin 0.05", "heads not worse, Holm: any wrong"
OF_MEAN, TO_MEAN = "non-inferiority of a mean of draws", "equivalence of a mean of draws"
FEW_DRAWS, MANY = "16 draws, 163 questions", "20 draws, 817 questions"
SEED, LOST, FAILED = f"{EDGE}, seeds differ", "20 draws, 163 questions", "worse by it, worst fifth of them fail"
CHECKS = [
    level("equivalence", "difference = margin 0.15", Q, same([0.55, 0.7], SURE, margin=0.15)),
    level("equivalence", "difference = margin 0.05", "817 questions", same([0.7, 0.65], SURE, ALL)),
    level("equivalence by an error", "difference = margin 0.05", "817 questions", same_by_error),
    power("equivalence", "equal", "817 questions", 0.65, same([0.8, 0.8], TWO, ALL)),
    level("non-inferiority", EDGE, Q, same([0.7 - 0.05 / 0.9, 0.7], TWO, one_sided=True)),
    level("non-inferiority", "worse by the margin, near 1", Q, same([0.92, 0.97], SURE, one_sided=True)),
    level(
        "non-inferiority by groups",
        "worse by the margin, questions in fours",
        "41 groups",
        same([0.65, 0.7], SURE, WORLD.clustered(), one_sided=True, grouped=True),
    ),
    power("non-inferiority", "equal", "817 questions", 0.8, same([0.8, 0.8], TWO, ALL, one_sided=True)),
    contrast("non-inferiority of one seed", SEED, Q, same([0.7 - 0.05 / 0.9, 0.7], TWO, SEEDED, one_sided=True)),
    level(OF_MEAN, "worse by the margin 0.05", FEW_DRAWS, mean_and_claimed(MARGIN)),
    power(OF_MEAN, "0.1 better", FEW_DRAWS, 0.8, mean_and_claimed(-0.1)),
    contrast(f"{OF_MEAN}, one seed", SEED, FEW_DRAWS, mean_and_claimed(MARGIN, world=SEEDED)),
    level(f"{OF_MEAN}, lost draws at worst", FAILED, LOST, mean_of_finished(MARGIN, 0.2, counted=True)),
    contrast(f"{OF_MEAN}, of finished draws", FAILED, LOST, mean_of_finished(MARGIN, 0.2, counted=False)),
    power(
        f"{OF_MEAN}, lost draws at worst", "0.1 better, worst of 20 fails", LOST, 0.8, mean_of_finished(-0.1, 0.05, counted=True)
    ),
    level(TO_MEAN, "worse by the margin 0.05", MANY, mean_and_claimed(MARGIN, 20, SPREAD, ALL, one_sided=False)),
    level(TO_MEAN, "better by the margin 0.05", MANY, mean_and_claimed(-MARGIN, 20, SPREAD, ALL, one_sided=False)),
    power(TO_MEAN, "equal", "100 draws, 817 questions", 0.65, mean_and_claimed(0.0, 100, SPREAD, ALL, one_sided=False)),
    level(
        f"{TO_MEAN} by groups",
        "worse by the margin 0.1, in fours",
        "20 draws, 205 groups",
        mean_and_claimed(0.1, 20, SPREAD, ALL.clustered(), one_sided=False, margin=0.1),
    ),
    power(
        f"{TO_MEAN} by groups",
        "equal within 0.1, in fours",
        "20 draws, 205 groups",
        0.8,
        mean_and_claimed(0.0, 20, SPREAD, ALL.clustered(), one_sided=False, margin=0.1),
    ),
    level(ANY_WRONG, "64 heads worse by 0.05", HEADS, heads(0.8, 64, 0, 0.05, "holm")),
    level(ANY_WRONG, "near 1", HEADS, heads(0.97, 64, 0, 0.05, "holm")),
    level(
        ANY_WRONG, "1,024 heads worse by 0.1", "1,024 heads, 163 questions", heads(0.8, 1024, 0, 0.1, "holm")
    ),
    level(
        "heads not worse, BH: share wrong", "32 worse by 0.1, 32 equal", HEADS, heads(0.8, 32, 32, 0.1, "bh")
    ),
    power(
        "heads not worse, BH: share found",
        "32 worse by 0.1, 32 equal",
        "64 heads, 817 questions",
        0.8,
        heads(0.8, 32, 32, 0.1, "bh power", ALL),
    ),
    contrast(
        "heads not worse, unadjusted: any wrong",
        "64 heads worse by 0.05",
        HEADS,
        heads(0.8, 64, 0, 0.05, "any"),
    ),
    power(
        "heads not worse, Holm: share found",
        "64 equal, margin 0.1",
        "64 heads, 817 questions",
        0.8,
        heads(0.8, 0, 64, 0.1, "holm power", ALL),
    ),
]
