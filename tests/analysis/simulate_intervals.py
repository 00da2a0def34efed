"""Simulated intervals: how often each holds the truth, which the made-up sweep knows.

Out: CHECKS; contrasts are intervals that leave out a source of chance, and so hold the truth too seldom.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
from scipy import stats as distributions

from analysis.stats.correlation import partial_spearman, seed_reliability, spearman, spearman_two_way
from analysis.stats.resample import (
    mean_score_interval,
    paired_bootstrap,
    resample_weights,
    score_interval,
    two_way_bootstrap,
)
from analysis.stats import LEVEL, clustered_error, group_sums, share_interval
from analysis.stats.variance import kind_effect, variance_split
from tests.analysis.check import CAUTIOUS, MOST, REPEATS, Check, covers, some_seed
from tests.analysis.worlds import World, as_table, layered, shares_of_draws

Run = Callable[[np.random.Generator], float]
WORLD = World()
SEEDED = World(seed=0.4, seeds=3)
INFO = 0.9


def score(truth: float, info: float) -> Run:
    def run(generator: np.random.Generator) -> float:
        (answers,) = WORLD.answers(generator, [truth], [info])
        weights = resample_weights(WORLD.questions, REPEATS, some_seed(generator))
        return covers(score_interval(answers, weights), truth * info)

    return run


def mean_score(of_all: bool) -> Run:
    """Of these 16 locations, or of all that they are drawn from."""

    def run(generator: np.random.Generator) -> float:
        shares = shares_of_draws(generator, 0.6, 0.12, 16)
        locations = WORLD.answers(generator, shares, np.full(16, INFO))
        weights = resample_weights(WORLD.questions, REPEATS, some_seed(generator))
        truth = INFO * (0.6 if of_all else shares.mean())
        return covers(mean_score_interval(locations, weights), truth)

    return run


def paired(world: World, name: str = "truth_info", grouped: bool = False) -> Run:
    """`both` is truth here, for the info of the two locations is certain."""
    info = [0.9, 0.95] if name == "truth_info" else [1 - 1e-9] * 2

    def run(generator: np.random.Generator) -> float:
        first, second = world.answers(generator, [0.8, 0.7], info)
        groups = world.groups if grouped else None
        weights = resample_weights(world.questions, REPEATS, some_seed(generator), groups)
        return covers(paired_bootstrap(first, second, name, weights), 0.8 * info[0] - 0.7 * info[1])

    return run


def two_way(draws: int, spread: float, world: World = WORLD, grouped: bool = False) -> Run:
    def run(generator: np.random.Generator) -> float:
        shares = np.concatenate([[0.65], shares_of_draws(generator, 0.6, spread, draws)])
        claimed, *others = world.answers(generator, shares, np.full(draws + 1, INFO))
        groups = world.groups if grouped else None
        lead = two_way_bootstrap(claimed, others, repeats=REPEATS, seed=some_seed(generator), groups=groups)
        return covers(lead.interval, 0.05 * INFO)

    return run


def by_error(grouped: bool) -> Run:
    def run(generator: np.random.Generator) -> float:
        world = WORLD.clustered()
        (answers,) = world.answers(generator, [0.6], [INFO])
        groups = world.groups if grouped else None
        freedom = len(set(world.groups)) - 1 if grouped else world.questions - 1
        values = answers.contributions()
        reach = distributions.t.ppf((1 + LEVEL) / 2, freedom) * clustered_error(values, groups)
        return float(abs(values.mean() - 0.6 * INFO) <= reach)

    return run


def share(generator: np.random.Generator) -> float:
    return covers(share_interval(int(generator.binomial(24, 0.2)), 24), 0.2)


def normal_spearman(correlation: float) -> float:
    """Spearman's correlation of two normal variables with this Pearson correlation (Pearson 1907)."""
    return float(6.0 / np.pi * np.arcsin(correlation / 2.0))


def heads(count: int, correlation: float) -> Run:
    def run(generator: np.random.Generator) -> float:
        x, noise = generator.normal(size=(2, count))
        y = correlation * x + np.sqrt(1 - correlation**2) * noise
        return covers(spearman(x, y), normal_spearman(correlation))

    return run


def heads_in_layers(by_layer: bool) -> Run:
    """Layers and what is within them have variance 1 each: the correlation is (1 + within) / 2."""

    def run(generator: np.random.Generator) -> float:
        x, y, layer = layered(generator, 0.3)
        interval = spearman(x, y, layer if by_layer else None)
        return covers(interval, normal_spearman(0.65))

    return run


def partial(generator: np.random.Generator) -> float:
    return covers(partial_spearman(*layered(generator, 0.3)), partial_truth())


@cache
def partial_truth() -> float:
    generator = np.random.default_rng(0)
    return float(np.mean([partial_spearman(*layered(generator, 0.3, 100)).value for _ in range(60)]))


def scores_and_localiser(world: World, generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    shares = shares_of_draws(generator, 0.6, 0.1, count)
    truth, _ = world.draw(generator, shares, np.full(count, INFO))
    return (shares - 0.6) / 0.1 + generator.normal(size=count), truth[:, 0]


def both_ways(world: World, grouped: bool = False) -> Run:
    def run(generator: np.random.Generator) -> float:
        x, answers = scores_and_localiser(world, generator, 64)
        groups = world.groups if grouped else None
        return covers(spearman_two_way(x, answers, question_groups=groups), both_ways_truth(world))

    return run


@cache
def both_ways_truth(world: World) -> float:
    generator = np.random.default_rng(0)
    drawn = [scores_and_localiser(world, generator, 1000) for _ in range(40)]
    return float(
        np.mean([distributions.spearmanr(x, answers.mean(axis=1)).statistic for x, answers in drawn])
    )


def reliability(generator: np.random.Generator) -> float:
    scores = generator.normal(size=64) + generator.normal(size=(5, 64))
    return covers(seed_reliability(scores), normal_spearman(0.5))


@cache
def true_parts() -> dict[str, float]:
    """Variances of single answers of SEEDED by numerical integration over two million draws of its effects."""
    generator = np.random.default_rng(0)
    count = 2_000_000
    share = shares_of_draws(generator, 0.6, 0.1, count)
    scale = np.sqrt(1 + SEEDED.ease**2 + SEEDED.taste**2 + SEEDED.seed**2)
    quality = distributions.norm.ppf(share) * scale
    ease, taste, of_seed = generator.normal(size=(3, count)) * [[SEEDED.ease], [SEEDED.taste], [SEEDED.seed]]
    phi = distributions.norm.cdf
    location = share.var()
    seed = phi((quality + of_seed) / np.sqrt(1 + SEEDED.ease**2 + SEEDED.taste**2)).var() - location
    few = np.quantile(quality, (np.arange(200) + 0.5) / 200)
    places = np.linspace(-5, 5, 401)
    mean_there = phi((few[:, None] + places) / np.sqrt(1 + SEEDED.taste**2 + SEEDED.seed**2)).mean(axis=0)
    question = np.interp(ease, places, mean_there).var()
    crossed = phi((quality + ease + taste) / np.sqrt(1 + SEEDED.seed**2)).var() - location - question
    total = share.mean() * (1 - share.mean())
    rest = total - location - seed - question - crossed
    real = location / (location + seed + (crossed + rest) / SEEDED.questions)
    return {"location": location / total, "seed": seed / total, "question": question / total, "real": real}


@cache
def true_parts_of_groups() -> dict[str, float]:
    """The same of groups' means, by the split itself of large sweeps of whole groups: it has no bias to speak of."""
    generator, world = np.random.default_rng(0), replace(SEEDED.clustered(), questions=240, seeds=2)
    found = []
    for _ in range(12):
        shares = shares_of_draws(generator, 0.6, 0.1, 600)
        truth, _ = world.draw(generator, shares, np.full(600, INFO))
        found.append(variance_split(as_table(means_of_groups(world, truth)), 1).shares)
    parts = {name: float(np.mean([each[name].value for each in found])) for name in found[0]}
    noise = parts["seed"] + (parts["location x question"] + parts["rest"]) / (SEEDED.clustered().groups[-1] + 1)
    return parts | {"real": float(parts["location"] / (parts["location"] + noise))}


def means_of_groups(world: World, values: np.ndarray) -> np.ndarray:
    """[L, S, N] to [L, S, G]."""
    return group_sums(values, world.groups) / np.bincount(world.groups)


def variance_of_groups(part: str, locations: int = 20) -> Run:
    world = SEEDED.clustered()

    def run(generator: np.random.Generator) -> float:
        shares = shares_of_draws(generator, 0.6, 0.1, locations)
        truth, _ = world.draw(generator, shares, np.full(locations, INFO))
        table = as_table(means_of_groups(world, truth))
        split = variance_split(table, REPEATS, some_seed(generator))
        return covers(split.real if part == "real" else split.shares[part], true_parts_of_groups()[part])

    return run


def variance(part: str, locations: int = 20) -> Run:
    def run(generator: np.random.Generator) -> float:
        shares = shares_of_draws(generator, 0.6, 0.1, locations)
        truth, _ = SEEDED.draw(generator, shares, np.full(locations, INFO))
        split = variance_split(as_table(truth), REPEATS, some_seed(generator))
        return covers(split.real if part == "real" else split.shares[part], true_parts()[part])

    return run


def effect_of_kind(generator: np.random.Generator) -> float:
    shares = np.concatenate(
        [shares_of_draws(generator, *each) for each in ((0.6, 0.035, 16), (0.65, 0.15, 64))]
    )
    truth, _ = WORLD.draw(generator, shares, np.full(80, INFO))
    means = truth.mean(axis=(1, 2))
    return covers(kind_effect(means[16:], means[:16]).difference, 0.05)


def _covers(statistic: str, situation: str, n: str, run: Run, most: float = MOST) -> Check:
    return Check(statistic, situation, n, "coverage", LEVEL, run, most)


def _contrast(statistic: str, situation: str, n: str, run: Run) -> Check:
    return Check(statistic, situation, n, "contrast", LEVEL, run)


Q, S = "163 questions", "20 locations, 3 seeds, 163 questions"
G = "20 locations, 3 seeds, 41 groups"
CHECKS = [
    _covers("score, bootstrap", "Truth*Info 0.54", Q, score(0.6, INFO)),
    _covers("score, bootstrap", "Truth*Info 0.86", Q, score(0.95, 0.91)),
    _covers("mean score, bootstrap", "of these locations", "16 locations, 163 questions", mean_score(False)),
    _contrast(
        "mean score, bootstrap of questions only",
        "of all locations they are drawn from",
        "16 draws, 163 questions",
        mean_score(True),
    ),
    _covers("paired bootstrap", "Truth*Info", Q, paired(WORLD)),
    _covers("paired bootstrap", "truth AND info", Q, paired(WORLD, "both")),
    _covers("paired bootstrap", "3 seeds", Q, paired(World(seeds=3))),
    _covers(
        "paired bootstrap by groups",
        "questions in fours",
        "41 groups",
        paired(WORLD.clustered(), grouped=True),
    ),
    _contrast("paired bootstrap without groups", "questions in fours", Q, paired(WORLD.clustered())),
    _contrast("paired bootstrap of one seed", "edits of another seed", Q, paired(World(seed=0.4))),
    _covers("two-way bootstrap", "spread 0.035", "16 draws, 163 questions", two_way(16, 0.035)),
    _covers("two-way bootstrap", "spread 0.15", "16 draws, 163 questions", two_way(16, 0.15)),
    _covers("two-way bootstrap", "spread 0.1", "5 draws, 163 questions", two_way(5, 0.1)),
    _covers("two-way bootstrap", "spread 0.035", "100 draws, 163 questions", two_way(100, 0.035)),
    _covers(
        "two-way bootstrap by groups",
        "spread 0.035, questions in fours",
        "16 draws, 41 groups",
        two_way(16, 0.035, WORLD.clustered(), grouped=True),
    ),
    _covers("clustered error", "questions in fours", "41 groups", by_error(True)),
    _contrast("error without groups", "questions in fours", Q, by_error(False)),
    _covers("share, exact", "0.2", "24 heads", share, CAUTIOUS),
    _covers("Spearman", "0.48", "64 heads", heads(64, 0.5)),
    _covers("Spearman", "0.89", "64 heads", heads(64, 0.9)),
    _covers("Spearman by layers", "layers move both", "16 layers of 16", heads_in_layers(True)),
    _contrast("Spearman without layers", "layers move both", "16 layers of 16", heads_in_layers(False)),
    _covers("Spearman, two-way", "noisy scores", "64 heads, 163 questions", both_ways(WORLD), CAUTIOUS),
    _covers(
        "Spearman, two-way by groups",
        "questions in fours",
        "64 heads, 41 groups",
        both_ways(WORLD.clustered(), True),
        CAUTIOUS,
    ),
    _covers("Spearman, partial", "0.3 within layers", "16 layers of 16", partial),
    _covers("seed reliability", "0.48", "64 heads, 5 seeds", reliability),
    _covers("variance split", "location", S, variance("location")),
    _covers("variance split", "seed", S, variance("seed")),
    _covers("variance split", "question", S, variance("question")),
    _covers("variance split", "real share of scores' spread", S, variance("real")),
    _covers("variance split by groups", "location, questions in fours", G, variance_of_groups("location")),
    _covers("variance split by groups", "group, questions in fours", G, variance_of_groups("question")),
    _covers("variance split by groups", "real share, questions in fours", G, variance_of_groups("real")),
    _covers("mixed model", "64 against 16, of other spread", "80 locations, 163 questions", effect_of_kind),
]
