"""Simulates whole parts of the comparison: folds, choice of strengths, caps, lost draws, the co-primary rule.

Out: CHECKS. In each the claimed set is one more draw (level) or better than these (power); contrasts break one rule.
"""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from analysis.compare.claimed import Comparison
from analysis.stats import RankTest, contributions, rank_test
from analysis.stats.cost import area_under_log_kl, score_under_caps
from tests.analysis.check import contrast, level, power, rejects
from tests.analysis.worlds import Array, World, shares_of_draws

Run = Callable[[np.random.Generator], float]
LAYERS, WIDTH, SIZE, FOLDS = 8, 8, 8, 5
MEAN, SPREAD, INFO = 0.5, 0.1, 0.9
TEST, FOLD, VALIDATION = World(), World(questions=33), World(questions=40)
STRENGTHS, CAP = 5, 0.1


def scores_of(world: World, generator: np.random.Generator, shares: Array) -> Array:
    """Truth*Info of locations with these true shares of truth, of any shape, on the same questions."""
    truth, info = world.draw(generator, shares.ravel(), np.full(shares.size, INFO))
    return contributions(truth, info).mean(axis=-1).reshape(shares.shape)


def rank_rejects(scores: Array) -> float:
    """The first score among the others."""
    return rejects(rank_test(float(scores[0]), scores[1:]).p_value)


def heads_by_fold(generator: np.random.Generator, draws: int, redrawn: bool) -> Array:
    """[folds, 1 + draws, heads] 0 or 1: the top heads of a ranking that differs a bit by fold, and draws matched to it.

    A draw keeps its own order of all heads in every fold, as in src/plan/urn.cpp, or else has a new one in each.
    """
    ranking = generator.normal(size=LAYERS * WIDTH) + 0.3 * generator.normal(size=(FOLDS, LAYERS * WIDTH))
    claimed = ranking.argsort().argsort() >= LAYERS * WIDTH - SIZE
    order = generator.random((FOLDS if redrawn else 1, draws, LAYERS, WIDTH)).argsort().argsort()
    in_layer = claimed.reshape(FOLDS, LAYERS, WIDTH).sum(axis=2)
    matched = (order < in_layer[:, None, :, None]).reshape(FOLDS, draws, LAYERS * WIDTH)
    return np.concatenate([claimed[:, None], matched], axis=1).astype(np.float64)


def over_folds(redrawn: bool, lift: float = 0.0) -> Run:
    """What a head is worth has nothing to do with its rank, but for a lift; each fold tests questions of its own."""

    def run(generator: np.random.Generator) -> float:
        worth = heads_by_fold(generator, 39, redrawn) @ generator.normal(size=LAYERS * WIDTH) / np.sqrt(SIZE)
        worth[:, 0] += lift / SPREAD
        shares = np.clip(MEAN + SPREAD * worth, 0.02, 0.98)
        folds = [FOLD.draw(generator, each, np.full(each.size, INFO)) for each in shares]
        truth, info = (np.concatenate(parts, axis=-1) for parts in zip(*folds, strict=True))
        return rank_rejects(contributions(truth, info).mean(axis=-1))

    return run


def chosen_strength(grid: int, grid_of_draws: int) -> Run:
    """Each location is best at a strength of its own; the one that is best on validation is tested."""

    def run(generator: np.random.Generator) -> float:
        quality, peak = shares_of_draws(generator, 0.6, 0.05, 40), generator.integers(0, STRENGTHS, 40)
        away = np.abs(np.arange(STRENGTHS) - peak[:, None])
        shares = np.clip(quality[:, None] - 0.1 * away, 0.02, 0.98)
        validation, test = (scores_of(world, generator, shares) for world in (VALIDATION, TEST))
        for rows, size in ((slice(0, 1), grid), (slice(1, None), grid_of_draws)):
            unseen = np.abs(np.arange(STRENGTHS) - STRENGTHS // 2) > size // 2
            validation[rows, unseen] = -1.0
        return rank_rejects(np.take_along_axis(test, validation.argmax(axis=1)[:, None], axis=1)[:, 0])

    return run


def at_a_cost(by_area: bool, lift: float = 0.0) -> Run:
    """Scores rise with the strength, and so does KL, at each location by another factor; validation measures it badly."""

    def run(generator: np.random.Generator) -> float:
        quality = shares_of_draws(generator, 0.3, 0.05, 40)
        quality[0] += lift
        push = np.arange(STRENGTHS)
        score = scores_of(TEST, generator, np.clip(quality[:, None] * (1 + 0.25 * push), 0.02, 0.98))
        unedited = float(scores_of(TEST, generator, np.array([0.25]))[0])
        factor, noise = np.exp(0.7 * generator.normal(size=(40, 1))), np.exp(0.3 * generator.normal(size=(40, STRENGTHS)))
        kl = 0.01 * 3.0**push * factor * noise
        if by_area:
            ends = float(np.median(kl.min(axis=1))), float(np.median(kl.max(axis=1)))
            return rank_rejects(np.array([area_under_log_kl(*row, unedited, ends) for row in zip(kl, score, strict=True)]))
        under = [score_under_caps(push, *row, CAP).score[0] for row in zip(kl, score, strict=True)]
        return rank_rejects(np.nan_to_num(under, nan=unedited))

    return run


def with_lost_draws(best: bool, part: float, cautious: bool) -> Run:
    """Most of this part of the draws fail, the best or the worst of them; the claimed set is run again until it does not."""

    def run(generator: np.random.Generator) -> float:
        scores = scores_of(TEST, generator, shares_of_draws(generator, MEAN, SPREAD, 100))
        place = (-scores[1:] if best else scores[1:]).argsort().argsort()
        kept = ~((place < part * place.size) & (generator.random(place.size) < 0.8))
        rank = rank_test(float(scores[0]), scores[1:][kept])
        return rejects(rank.at_worst(place.size) if cautious else rank.p_value)

    return run


def jointly(lift: float, overlap: str = "by chance") -> Run:
    """Both shares of the claimed set are `lift` above a draw's; how many answers are true and informative at once differs.

    By chance; as of a draw (then only Truth*Info can be special); or as many as can be (then only the share of both).
    """

    def run(generator: np.random.Generator) -> float:
        count, share = TEST.questions, np.clip(0.4 + 0.05 * generator.standard_normal(41), 0.2, 0.6)
        share[0] = share[1] + lift  # the second is the claimed set as a draw
        true, informative = generator.binomial(count, share), generator.binomial(count, share)
        both = generator.hypergeometric(true, count - true, informative)
        both[0] = {"by chance": both[0], "of a draw": both[1], "all": min(true[0], informative[0])}[overlap]
        return rejects(joint_p(*(rank_test(float(each[0]), each[2:]) for each in (true * informative, both))))

    return run


def joint_p(rank: RankTest, both: RankTest) -> float:
    """As of a comparison with these two ranks."""
    return Comparison.joint_p.fget(SimpleNamespace(rank=rank, both=both))


N, MANY = "39 draws, 163 questions", "99 draws, 163 questions"
CHECKS = [
    level("rank p over folds", "draws keep their order of heads", "39 draws, 5 folds of 33", over_folds(redrawn=False)),
    power("rank p over folds", "claimed 0.4 above", "39 draws, 5 folds of 33", 0.8, over_folds(redrawn=False, lift=0.4)),
    contrast("rank p over folds", "draws anew in each fold", "39 draws, 5 folds of 33", over_folds(redrawn=True)),
    level("rank p, strengths by validation", "equal grids of 5", N, chosen_strength(5, 5)),
    contrast("rank p, strengths by validation", "grid of 5, draws have one strength", N, chosen_strength(5, 1)),
    level("rank p under a KL cap", "claimed is one more draw", N, at_a_cost(by_area=False)),
    level("rank p of the area over log KL", "claimed is one more draw", N, at_a_cost(by_area=True)),
    power("rank p under a KL cap", "claimed 0.25 above at the weakest", N, 0.8, at_a_cost(by_area=False, lift=0.25)),
    power("rank p of the area over log KL", "claimed 0.25 above at the weakest", N, 0.8, at_a_cost(by_area=True, lift=0.25)),
    level("rank p at worst", "best of the draws fail", MANY, with_lost_draws(True, 0.04, cautious=True)),
    level("rank p at worst", "worst of the draws fail", MANY, with_lost_draws(False, 0.04, cautious=True)),
    level("rank p of draws that are left", "worst third of them fail", MANY, with_lost_draws(False, 0.33, cautious=False)),
    contrast("rank p of draws that are left", "best third of them fail", MANY, with_lost_draws(True, 0.33, cautious=False)),
    level("joint p", "both null", N, jointly(0.0)),
    level("joint p", "Truth*Info planted alone", N, jointly(0.15, "of a draw")),
    level("joint p", "share true and informative planted alone", N, jointly(0.0, "all")),
    power("joint p", "both planted", N, 0.8, jointly(0.25)),
]
