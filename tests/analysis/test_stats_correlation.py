"""Rank correlations and their errors against scipy, statsmodels and brute force."""

import itertools

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats as scipy_stats

from analysis.stats import correlation


def made_up(generator: np.random.Generator, layers: int = 8, width: int = 8) -> tuple[np.ndarray, ...]:
    """Localiser with ties, edited score, layer; layers move both."""
    layer = np.repeat(np.arange(layers), width)
    common = generator.normal(size=layers)[layer]
    x = np.round(common + generator.normal(size=layer.size), 1)
    return x, common + 0.5 * x + generator.normal(size=layer.size), layer


def jackknife(values: list[float]) -> float:
    """Error of Fisher's z from the values with one unit left out each."""
    z = np.arctanh(values)
    return float(np.sqrt((z.size - 1) / z.size * np.sum((z - z.mean()) ** 2)))


@pytest.mark.parametrize("by_layer", [False, True])
def test_spearman_and_its_jackknife_agree_with_scipy(by_layer: bool) -> None:
    x, y, layer = made_up(np.random.default_rng(1))
    units = layer if by_layer else np.arange(x.size)
    result = correlation.spearman(x, y, layer if by_layer else None)
    rho = scipy_stats.spearmanr(x, y).statistic
    left_out = [
        scipy_stats.spearmanr(x[units != unit], y[units != unit]).statistic for unit in np.unique(units)
    ]
    reach = scipy_stats.t.ppf(0.975, np.unique(units).size - 1) * jackknife(left_out)
    expected = (rho, np.tanh(np.arctanh(rho) - reach), np.tanh(np.arctanh(rho) + reach))
    assert (result.value, result.low, result.high) == pytest.approx(expected, abs=1e-12)


def test_interval_is_near_the_bootstrap() -> None:
    x, y, _ = made_up(np.random.default_rng(9), 16, 16)
    theirs = scipy_stats.bootstrap(
        (x, y),
        lambda a, b: scipy_stats.spearmanr(a, b).statistic,
        paired=True,
        vectorized=False,
        n_resamples=1000,
        method="percentile",
        rng=10,
    ).confidence_interval
    ours = correlation.spearman(x, y)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.025)


def test_constant_values_have_no_correlation() -> None:
    assert np.isnan(correlation.spearman([1, 1, 1, 1], [1, 2, 3, 4]).value)
    perfect = correlation.spearman([1, 2, 3, 4], [1, 2, 3, 4])
    assert perfect.value == pytest.approx(1.0) and np.isnan(perfect.low)
    with pytest.raises(ValueError, match="three pairs"):
        correlation.spearman([1, 2], [1, 2])


def test_two_way_adds_the_questions() -> None:
    generator = np.random.default_rng(2)
    x = generator.normal(size=30)
    answers = (generator.random((30, 40)) < 0.5 + 0.2 * np.tanh(x)[:, None]).astype(float)
    result = correlation.spearman_two_way(x, answers)
    y = answers.mean(axis=1)
    rho = scipy_stats.spearmanr(x, y).statistic
    by_head = [scipy_stats.spearmanr(np.delete(x, i), np.delete(y, i)).statistic for i in range(30)]
    by_question = [
        scipy_stats.spearmanr(x, np.round(np.delete(answers, q, axis=1).mean(axis=1), 12)).statistic
        for q in range(40)
    ]
    reach = scipy_stats.t.ppf(0.975, 29) * np.hypot(jackknife(by_head), jackknife(by_question))
    assert result.value == pytest.approx(rho)
    assert np.arctanh(result.high) - np.arctanh(rho) == pytest.approx(reach, rel=1e-6)


def test_two_way_leaves_out_whole_groups_of_questions() -> None:
    """Every question four times over tells no more than once."""
    generator = np.random.default_rng(2)
    x = generator.normal(size=30)
    answers = (generator.random((30, 25)) < 0.5 + 0.2 * np.tanh(x)[:, None]).astype(float)
    once = correlation.spearman_two_way(x, answers)
    groups = np.tile(np.arange(25), 4)
    fourfold = correlation.spearman_two_way(x, np.tile(answers, 4), question_groups=groups)
    assert (fourfold.low, fourfold.high) == pytest.approx((once.low, once.high))
    assert np.isnan(correlation.spearman_two_way(x, answers, question_groups=np.zeros(25)).low)


def test_partial_is_the_correlation_of_residual_ranks() -> None:
    x, y, layer = made_up(np.random.default_rng(3))
    dummies = (layer[:, None] == np.arange(8)).astype(float)
    residuals = [sm.OLS(scipy_stats.rankdata(each), dummies).fit().resid for each in (x, y)]
    result = correlation.partial_spearman(x, y, layer)
    assert result.value == pytest.approx(np.corrcoef(*residuals)[0, 1])
    assert result.value < correlation.spearman(x, y).value  # layers explain a part
    assert result.low < result.value < result.high


def test_permutation_within_layers_agrees_with_all_orders() -> None:
    generator = np.random.default_rng(4)
    x, y, layer = made_up(generator, 2, 4)
    orders = [np.array(order) for order in itertools.permutations(range(4))]

    def partial(values: np.ndarray) -> float:
        ranks = [scipy_stats.rankdata(each).reshape(2, 4) for each in (x, values)]
        return float(
            np.sum(
                (ranks[0] - ranks[0].mean(axis=1, keepdims=True))
                * (ranks[1] - ranks[1].mean(axis=1, keepdims=True))
            )
        )

    every = [partial(np.concatenate([y[:4][a], y[4:][b]])) for a in orders for b in orders]
    for alternative, tail in (("greater", every), ("two-sided", np.abs(every))):
        observed = partial(y) if alternative == "greater" else abs(partial(y))
        exact = np.mean(np.array(tail) >= observed - 1e-9)
        p = correlation.permutation_within_layer(x, y, layer, repeats=20_000, alternative=alternative)
        assert p == pytest.approx(exact, abs=0.012)
    order = generator.permutation(8)
    assert correlation.permutation_within_layer(
        x[order], y[order], layer[order], repeats=20_000
    ) == pytest.approx(correlation.permutation_within_layer(x, y, layer, repeats=20_000), abs=0.015)


def test_seed_reliability_is_the_mean_over_pairs() -> None:
    scores = np.random.default_rng(5).normal(size=40) + np.random.default_rng(6).normal(size=(3, 40))
    pairs = [scipy_stats.spearmanr(scores[a], scores[b]).statistic for a, b in ((0, 1), (0, 2), (1, 2))]
    result = correlation.seed_reliability(scores)
    assert result.value == pytest.approx(np.mean(pairs))
    assert correlation.seed_reliability(scores[:2]).value == pytest.approx(pairs[0])
    assert correlation.seed_reliability(scores[:2]).low == pytest.approx(
        correlation.spearman(scores[0], scores[1]).low
    )
    assert np.isnan(correlation.seed_reliability(scores[:1]).value)
