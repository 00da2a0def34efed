"""Simulated tests: how often each rejects where nothing is there (level), where something is (power).

Out: CHECKS; contrasts are what one must not do: they reject too often, or call different things equal.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as distributions

from analysis.stats.correlation import permutation_within_layer
from analysis.stats.equivalence import equivalence, heads_not_worse, mean_of_draws, paired_equivalence
from analysis.stats.multiple import bonferroni
from analysis.stats.permute import max_statistic, sign_flip
from analysis.stats.power import detectable_difference
from analysis.stats import besag_clifford, clustered_error, contributions, mean_test, rank_test
from analysis.stats.variance import kind_effect
from tests.analysis.check import LEVEL, REPEATS, Check, rejects, some_seed
from tests.analysis.worlds import Array, World, layered, shares_of_draws

Run = Callable[[np.random.Generator], float]
WORLD, ALL = World(), World(questions=817)
INFO, MEAN, SPREAD, MARGIN = 0.9, 0.5, 0.035, 0.05
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
    """This part of all draws collapses, to a share of 0.02, and fails; as before of the mean of all 20."""

    def run(generator: np.random.Generator) -> float:
        collapsed = generator.random(20) < part
        shares = np.where(collapsed, 0.02, shares_of_draws(generator, 0.6, 0.05, 20))
        own = 0.6 - part * 0.58 + ahead / INFO
        claimed, *others = WORLD.answers(generator, np.concatenate([[own], shares]), np.full(21, INFO))
        finished = [each for each, lost in zip(others, collapsed, strict=True) if not lost]
        lost = int(collapsed.sum()) if counted else 0
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


def _level(statistic: str, situation: str, n: str, run: Run) -> Check:
    return Check(statistic, situation, n, "level", LEVEL, run)


def _power(statistic: str, situation: str, n: str, least: float, run: Run) -> Check:
    return Check(statistic, situation, n, "power", least, run)


def _contrast(statistic: str, situation: str, n: str, run: Run) -> Check:
    return Check(statistic, situation, n, "contrast", LEVEL, run)


Q, HEADS, TWO = "163 questions", "64 heads, 163 questions", [INFO, INFO]
EDGE, ANY_WRONG = "worse by the margin 0.05", "heads not worse, Holm: any wrong"
FEW, EQUAL = "12 heads, 163 questions", np.full(12, 0.7)
OF_MEAN, TO_MEAN = "non-inferiority of a mean of draws", "equivalence of a mean of draws"
FEW_DRAWS, MANY, SEEDED = "16 draws, 163 questions", "20 draws, 817 questions", World(seed=0.4)
SEED, LOST, COLLAPSED = "worse by the margin 0.05, seeds differ", "20 draws, 163 questions", "worse by it, a tenth collapses"
LOOKS, GROWING = "null, draws added until it is found", "19 to 199 draws, 10 looks"
ALIKE = {"random": SPREAD, "claimed": SPREAD}
CHECKS = [
    _level("rank p", "claimed is one more draw", "19 draws, 163 questions", rank(19)),
    _level("rank p", "claimed is one more draw", "99 draws, 163 questions", rank(99)),
    _level("Besag-Clifford p", "claimed is one more draw", "up to 199 draws", rank_sequential()),
    _power("Besag-Clifford p", "claimed 4 sd above", "up to 199 draws", 0.8, rank_sequential(4.0)),
    _level("rank p times the looks", LOOKS, GROWING, looked_at(counted=True)),
    _contrast("rank p of the last look", LOOKS, GROWING, looked_at(counted=False)),
    _power("rank p times the looks", "claimed 4 sd above", GROWING, 0.8, looked_at(counted=True, lift=4.0)),
    _contrast(
        "t-test of the mean, read as a rank",
        "claimed is one more draw",
        "16 draws, 163 questions",
        mean_as_rank,
    ),
    _power("rank p", "claimed 0.2 above the mean", "99 draws, 163 questions", 0.8, rank(99, 0.2)),
    _level("sign flip", "equal", Q, swap([0.8, 0.8], TWO)),
    _level("sign flip", "truth traded for info", Q, swap([0.6, 0.9], [0.9, 0.6])),
    _level(
        "sign flip of `both`, one-sided",
        "equal",
        Q,
        swap([0.8, 0.8], TWO, score="both", alternative="greater"),
    ),
    _level("sign flip, 3 seeds", "equal", Q, swap([0.8, 0.8], TWO, World(seeds=3))),
    _level(
        "sign flip by groups",
        "questions in fours",
        "41 groups",
        swap([0.7, 0.7], TWO, WORLD.clustered(), grouped=True),
    ),
    _power(
        "sign flip by groups",
        "truth 0.85 and 0.6, in fours",
        "41 groups",
        0.8,
        swap([0.85, 0.6], TWO, WORLD.clustered(), grouped=True),
    ),
    _contrast("sign flip without groups", "questions in fours", Q, swap([0.7, 0.7], TWO, WORLD.clustered())),
    _power("paired t-test", "`detectable_difference` planted", Q, 0.8, detected(by_swaps=False)),
    _power("sign flip", "`detectable_difference` planted", Q, 0.75, detected(by_swaps=True)),
    _contrast('"not rejected" read as "equal"', "truth differs by 0.06", Q, swap_kept),
    _level("max-statistic", "64 equal heads", HEADS, best_of(np.full(64, 0.7))),
    _level("max-statistic by groups", "questions in fours", FEW, best_of(EQUAL, WORLD.clustered(), grouped=True)),
    _contrast("max-statistic without groups", "questions in fours", FEW, best_of(EQUAL, WORLD.clustered())),
    _power("max-statistic", "one head at 0.9, 63 at 0.7", HEADS, 0.8, best_of([0.9, *[0.7] * 63])),
    _level("equivalence", "difference = margin 0.15", Q, same([0.55, 0.7], SURE, margin=0.15)),
    _level("equivalence", "difference = margin 0.05", "817 questions", same([0.7, 0.65], SURE, ALL)),
    _level("equivalence by an error", "difference = margin 0.05", "817 questions", same_by_error),
    _power("equivalence", "equal", "817 questions", 0.65, same([0.8, 0.8], TWO, ALL)),
    _level("non-inferiority", EDGE, Q, same([0.7 - 0.05 / 0.9, 0.7], TWO, one_sided=True)),
    _level("non-inferiority", "worse by the margin, near 1", Q, same([0.92, 0.97], SURE, one_sided=True)),
    _level(
        "non-inferiority by groups",
        "worse by the margin, questions in fours",
        "41 groups",
        same([0.65, 0.7], SURE, WORLD.clustered(), one_sided=True, grouped=True),
    ),
    _power("non-inferiority", "equal", "817 questions", 0.8, same([0.8, 0.8], TWO, ALL, one_sided=True)),
    _contrast("non-inferiority of one seed", SEED, Q, same([0.7 - 0.05 / 0.9, 0.7], TWO, SEEDED, one_sided=True)),
    _level(OF_MEAN, "worse by the margin 0.05", FEW_DRAWS, mean_and_claimed(MARGIN)),
    _power(OF_MEAN, "0.1 better", FEW_DRAWS, 0.8, mean_and_claimed(-0.1)),
    _contrast(f"{OF_MEAN}, one seed", SEED, FEW_DRAWS, mean_and_claimed(MARGIN, world=SEEDED)),
    _level(f"{OF_MEAN}, lost draws at worst", COLLAPSED, LOST, mean_of_finished(MARGIN, 0.1, counted=True)),
    _contrast(f"{OF_MEAN}, of finished draws", COLLAPSED, LOST, mean_of_finished(MARGIN, 0.1, counted=False)),
    _power(
        f"{OF_MEAN}, lost draws at worst", "0.1 better, 5 % collapse", LOST, 0.8, mean_of_finished(-0.1, 0.05, counted=True)
    ),
    _level(TO_MEAN, "worse by the margin 0.05", MANY, mean_and_claimed(MARGIN, 20, SPREAD, ALL, one_sided=False)),
    _level(TO_MEAN, "better by the margin 0.05", MANY, mean_and_claimed(-MARGIN, 20, SPREAD, ALL, one_sided=False)),
    _power(TO_MEAN, "equal", "100 draws, 817 questions", 0.65, mean_and_claimed(0.0, 100, SPREAD, ALL, one_sided=False)),
    _level(
        f"{TO_MEAN} by groups",
        "worse by the margin 0.1, in fours",
        "20 draws, 205 groups",
        mean_and_claimed(0.1, 20, SPREAD, ALL.clustered(), one_sided=False, margin=0.1),
    ),
    _power(
        f"{TO_MEAN} by groups",
        "equal within 0.1, in fours",
        "20 draws, 205 groups",
        0.8,
        mean_and_claimed(0.0, 20, SPREAD, ALL.clustered(), one_sided=False, margin=0.1),
    ),
    _level(ANY_WRONG, "64 heads worse by 0.05", HEADS, heads(0.8, 64, 0, 0.05, "holm")),
    _level(ANY_WRONG, "near 1", HEADS, heads(0.97, 64, 0, 0.05, "holm")),
    _level(
        ANY_WRONG, "1,024 heads worse by 0.1", "1,024 heads, 163 questions", heads(0.8, 1024, 0, 0.1, "holm")
    ),
    _level(
        "heads not worse, BH: share wrong", "32 worse by 0.1, 32 equal", HEADS, heads(0.8, 32, 32, 0.1, "bh")
    ),
    _power(
        "heads not worse, BH: share found",
        "32 worse by 0.1, 32 equal",
        "64 heads, 817 questions",
        0.8,
        heads(0.8, 32, 32, 0.1, "bh power", ALL),
    ),
    _contrast(
        "heads not worse, unadjusted: any wrong",
        "64 heads worse by 0.05",
        HEADS,
        heads(0.8, 64, 0, 0.05, "any"),
    ),
    _power(
        "heads not worse, Holm: share found",
        "64 equal, margin 0.1",
        "64 heads, 817 questions",
        0.8,
        heads(0.8, 0, 64, 0.1, "holm power", ALL),
    ),
    _level("permutation within layers", "layers move both", "16 layers of 16", within_layers(0.0)),
    _power(
        "permutation within layers", "correlation 0.25 within", "16 layers of 16", 0.8, within_layers(0.25)
    ),
    _contrast("Spearman's p without layers", "layers move both", "16 layers of 16", ignoring_layers),
    _level(
        "mixed model",
        "one claimed location, equal",
        "16 draws, 163 questions",
        kinds({"random": 16, "claimed": 1}, ALIKE),
    ),
    _power(
        "mixed model",
        "one claimed location 0.25 above",
        "16 draws, 163 questions",
        0.8,
        kinds({"random": 16, "claimed": 1}, ALIKE, 0.25),
    ),
    _level(
        "mixed model",
        "64 against 16, of other spread",
        "80 locations, 163 questions",
        kinds({"random": 16, "claimed": 64}, {"random": SPREAD, "claimed": 0.15}),
    ),
    _power(
        "mixed model",
        "32 locations 0.06 above",
        "64 locations, 163 questions",
        0.8,
        kinds({"random": 32, "claimed": 32}, ALIKE, 0.06),
    ),
]
