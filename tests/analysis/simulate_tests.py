"""Simulated tests: how often each rejects where nothing is there (level), where something is (power).

Out: CHECKS; contrasts are what one must not do: they reject too often, or call different things equal. Equivalence has a file of its own.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as distributions

from analysis.stats.correlation import permutation_within_layer
from analysis.stats.multiple import bonferroni
from analysis.stats.permute import max_statistic, sign_flip
from analysis.stats.power import detectable_difference
from analysis.stats import besag_clifford, clustered_error, contributions, mean_test, rank_test
from analysis.stats.variance import kind_effect
from tests.analysis.check import REPEATS, contrast, level, power, rejects, some_seed
from tests.analysis.worlds import Array, World, layered, shares_of_draws

Run = Callable[[np.random.Generator], float]
WORLD = World()
INFO, MEAN, SPREAD = 0.9, 0.5, 0.035
SURE = [1 - 1e-9] * 2  # info of two locations


def scores_of_sweep(generator: np.random.Generator, draws: int, lift: float) -> tuple[float, Array]:
    """Truth*Info of a claimed location, whose true share is `lift` above a random one's, and of random ones."""
    shares = shares_of_draws(generator, MEAN, SPREAD, draws + 1)
    shares[0] += lift
    truth, info = WORLD.draw(generator, shares, np.full(draws + 1, INFO))
    scores = contributions(truth, info).mean(axis=-1)
    return float(scores[0]), scores[1:]


def rank(draws: int, lift: float = 0.0) -> Run:
    return lambda generator: rejects(rank_test(*scores_of_sweep(generator, draws, lift)).p_value)


def rank_sequential(lift: float = 0.0) -> Run:
    def run(generator: np.random.Generator) -> float:
        scores = generator.normal(size=200)
        return rejects(besag_clifford(float(scores[0] + lift), scores[1:], enough=10).p_value)

    return run


def looked_at(counted: bool, lift: float = 0.0) -> Run:
    """19 draws, then 20 more up to nine times, until the claimed one is found to be unusual."""

    def run(generator: np.random.Generator) -> float:
        scores = generator.normal(size=200)
        ranks = [rank_test(float(scores[0] + lift), scores[1:end]) for end in range(20, 201, 20)]
        return max(rejects(bonferroni(rank.p_value, look if counted else 1)) for look, rank in enumerate(ranks, 1))

    return run


def mean_as_rank(generator: np.random.Generator) -> float:
    return rejects(mean_test(*scores_of_sweep(generator, 16, 0.0)))


def swap(
    truth: ArrayLike,
    info: ArrayLike,
    world: World = WORLD,
    score: str = "truth_info",
    grouped: bool = False,
    alternative: str = "two-sided",
) -> Run:
    def run(generator: np.random.Generator) -> float:
        first, second = world.answers(generator, truth, info)
        groups = world.groups if grouped else None
        p = sign_flip(first, second, score, groups, REPEATS, some_seed(generator), alternative)
        return rejects(p)

    return run


def swap_kept(generator: np.random.Generator) -> float:
    return 1.0 - swap([0.80, 0.74], [INFO, INFO])(generator)


@cache
def planted_difference() -> float:
    """The difference of truth that 163 questions should find with a power of 0.8, both near 0.7."""
    first, second = World(questions=100_000).answers(np.random.default_rng(0), [0.75, 0.65], SURE)
    return detectable_difference(
        WORLD.questions, float((first.contributions() - second.contributions()).std())
    )


def detected(by_swaps: bool) -> Run:
    """By the paired t-test, which the power is computed of, or by swaps, which ties of 0 and 1 make cautious."""

    def run(generator: np.random.Generator) -> float:
        half = planted_difference() / 2.0
        if by_swaps:
            return swap([0.7 + half, 0.7 - half], SURE)(generator)
        first, second = WORLD.answers(generator, [0.7 + half, 0.7 - half], SURE)
        added = first.contributions() - second.contributions()
        t = added.mean() / clustered_error(added)
        return rejects(float(2.0 * distributions.t.sf(abs(t), WORLD.questions - 1)))

    return run


def best_of(shares: ArrayLike, world: World = WORLD, grouped: bool = False) -> Run:
    def run(generator: np.random.Generator) -> float:
        truth, info = world.draw(generator, shares, np.full(np.size(shares), INFO))
        groups = world.groups if grouped else None
        return rejects(max_statistic(truth, info, REPEATS, some_seed(generator), groups).p_value)

    return run


def within_layers(within: float) -> Run:
    return lambda generator: rejects(
        permutation_within_layer(*layered(generator, within), REPEATS, some_seed(generator))
    )


def ignoring_layers(generator: np.random.Generator) -> float:
    x, y, _ = layered(generator, 0.0)
    return rejects(float(distributions.spearmanr(x, y).pvalue))


def kinds(counts: dict[str, int], spreads: dict[str, float], lift: float = 0.0) -> Run:
    def run(generator: np.random.Generator) -> float:
        shares = np.concatenate(
            [shares_of_draws(generator, 0.6, spreads[kind], count) for kind, count in counts.items()]
        )
        names = np.repeat(list(counts), list(counts.values()))
        shares[names != "random"] += lift
        truth, _ = WORLD.draw(generator, shares, np.full(shares.size, INFO))
        means = truth.mean(axis=(1, 2))
        return rejects(kind_effect(means[names != "random"], means[names == "random"]).p_value)

    return run


Q, HEADS, TWO = "163 questions", "64 heads, 163 questions", [INFO, INFO]
FEW, EQUAL = "12 heads, 163 questions", np.full(12, 0.7)
LOOKS, GROWING = "null, draws added until it is found", "19 to 199 draws, 10 looks"
ALIKE = {"random": SPREAD, "claimed": SPREAD}
CHECKS = [
    level("rank p", "claimed is one more draw", "19 draws, 163 questions", rank(19)),
    level("rank p", "claimed is one more draw", "99 draws, 163 questions", rank(99)),
    level("Besag-Clifford p", "claimed is one more draw", "up to 199 draws", rank_sequential()),
    power("Besag-Clifford p", "claimed 4 sd above", "up to 199 draws", 0.8, rank_sequential(4.0)),
    level("rank p times the looks", LOOKS, GROWING, looked_at(counted=True)),
    contrast("rank p of the last look", LOOKS, GROWING, looked_at(counted=False)),
    power("rank p times the looks", "claimed 4 sd above", GROWING, 0.8, looked_at(counted=True, lift=4.0)),
    contrast(
        "t-test of the mean, read as a rank",
        "claimed is one more draw",
        "16 draws, 163 questions",
        mean_as_rank,
    ),
    power("rank p", "claimed 0.2 above the mean", "99 draws, 163 questions", 0.8, rank(99, 0.2)),
    level("sign flip", "equal", Q, swap([0.8, 0.8], TWO)),
    level("sign flip", "truth traded for info", Q, swap([0.6, 0.9], [0.9, 0.6])),
    level(
        "sign flip of `both`, one-sided",
        "equal",
        Q,
        swap([0.8, 0.8], TWO, score="both", alternative="greater"),
    ),
    level("sign flip, 3 seeds", "equal", Q, swap([0.8, 0.8], TWO, World(seeds=3))),
    level(
        "sign flip by groups",
        "questions in fours",
        "41 groups",
        swap([0.7, 0.7], TWO, WORLD.clustered(), grouped=True),
    ),
    power(
        "sign flip by groups",
        "truth 0.85 and 0.6, in fours",
        "41 groups",
        0.8,
        swap([0.85, 0.6], TWO, WORLD.clustered(), grouped=True),
    ),
    contrast("sign flip without groups", "questions in fours", Q, swap([0.7, 0.7], TWO, WORLD.clustered())),
    power("paired t-test", "`detectable_difference` planted", Q, 0.8, detected(by_swaps=False)),
    power("sign flip", "`detectable_difference` planted", Q, 0.75, detected(by_swaps=True)),
    contrast('"not rejected" read as "equal"', "truth differs by 0.06", Q, swap_kept),
    level("max-statistic", "64 equal heads", HEADS, best_of(np.full(64, 0.7))),
    level("max-statistic by groups", "questions in fours", FEW, best_of(EQUAL, WORLD.clustered(), grouped=True)),
    contrast("max-statistic without groups", "questions in fours", FEW, best_of(EQUAL, WORLD.clustered())),
    power("max-statistic", "one head at 0.9, 63 at 0.7", HEADS, 0.8, best_of([0.9, *[0.7] * 63])),
    level("permutation within layers", "layers move both", "16 layers of 16", within_layers(0.0)),
    power(
        "permutation within layers", "correlation 0.25 within", "16 layers of 16", 0.8, within_layers(0.25)
    ),
    contrast("Spearman's p without layers", "layers move both", "16 layers of 16", ignoring_layers),
    level(
        "mixed model",
        "one claimed location, equal",
        "16 draws, 163 questions",
        kinds({"random": 16, "claimed": 1}, ALIKE),
    ),
    power(
        "mixed model",
        "one claimed location 0.25 above",
        "16 draws, 163 questions",
        0.8,
        kinds({"random": 16, "claimed": 1}, ALIKE, 0.25),
    ),
    level(
        "mixed model",
        "64 against 16, of other spread",
        "80 locations, 163 questions",
        kinds({"random": 16, "claimed": 64}, {"random": SPREAD, "claimed": 0.15}),
    ),
    power(
        "mixed model",
        "32 locations 0.06 above",
        "64 locations, 163 questions",
        0.8,
        kinds({"random": 32, "claimed": 32}, ALIKE, 0.06),
    ),
]
