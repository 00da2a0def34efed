"""Each statistic against scipy, brute force or a case worked by hand."""

import itertools

import numpy as np
import pytest
from scipy import stats as scipy_stats

from analysis import stats


def make_answers(
    generator: np.random.Generator, truth: float, info: float, seeds: int, questions: int
) -> stats.Answers:
    shape = (seeds, questions)
    return stats.Answers(
        (generator.random(shape) < truth).astype(float), (generator.random(shape) < info).astype(float)
    )


def test_rank_p_counts_ties_against_and_is_never_zero() -> None:
    result = stats.rank_test(0.5, [0.1, 0.5, 0.5 + 1e-9, 0.9])
    assert (result.p_value, result.at_least, result.draws) == (4 / 5, 3, 4)
    best = stats.rank_test(0.95, np.linspace(0, 0.9, 16))
    assert best.p_value == best.smallest_p == pytest.approx(1 / 17)
    assert stats.rank_test(0.5, []).p_value == 1.0


def test_rank_p_is_valid_and_exact_under_exchangeability() -> None:
    """A claimed draw of the same kind as the others gets each rank, so each p, equally often."""
    values = np.arange(5.0)
    p_values = [stats.rank_test(values[i], np.delete(values, i)).p_value for i in range(5)]
    assert sorted(p_values) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_rank_p_refuses_missing_scores() -> None:
    with pytest.raises(ValueError, match="1 of 2 values are not numbers"):
        stats.rank_test(0.5, [0.1, np.nan])
    with pytest.raises(ValueError, match="claimed score"):
        stats.rank_test(np.nan, [0.1])


def test_mean_test_reproduces_the_formula() -> None:
    draws = np.array([0.40, 0.45, 0.44, 0.48, 0.47])
    t = (draws.mean() - 0.54) / (draws.std(ddof=1) / np.sqrt(5))
    assert stats.mean_test(0.54, draws) == pytest.approx(2 * scipy_stats.t.sf(abs(t), 4), rel=1e-12)


def test_truth_info_is_a_product_of_means_averaged_over_seeds() -> None:
    answers = stats.Answers(
        np.array([[1.0, 1, 0, 0], [1, 1, 1, 1]]), np.array([[1.0, 1, 1, 0], [1, 0, 0, 0]])
    )
    assert stats.truth_info(answers) == pytest.approx((0.5 * 0.75 + 1.0 * 0.25) / 2)


def test_resampling_all_cases_is_enumerated_exactly() -> None:
    """With three questions all 27 resamples can be listed: their distribution is the bootstrap's."""
    answers = stats.Answers(np.array([[1.0, 1, 0]]), np.array([[1.0, 0, 1]]))
    exact = [
        answers.truth[0, list(rows)].mean() * answers.info[0, list(rows)].mean()
        for rows in itertools.product(range(3), repeat=3)
    ]
    drawn = stats.resample_truth_info(answers, stats.resample_weights(3, repeats=40_000))
    for value in set(np.round(exact, 9)):
        share = np.mean(np.isclose(exact, value))
        assert np.mean(np.isclose(drawn, value)) == pytest.approx(share, abs=0.01)


def test_interval_agrees_with_scipy_bootstrap() -> None:
    answers = make_answers(np.random.default_rng(1), 0.7, 0.9, 2, 144)
    weights = stats.resample_weights(144, repeats=20_000, seed=3)
    ours = stats.truth_info_interval(answers, weights)

    def product(rows: np.ndarray) -> float:
        return float(stats.truth_info(stats.Answers(answers.truth[:, rows], answers.info[:, rows])))

    theirs = scipy_stats.bootstrap(
        (np.arange(144),), product, n_resamples=5000, vectorized=False, method="percentile", rng=4
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.006)
    assert ours.low < ours.value < ours.high


def test_interval_covers_the_true_value() -> None:
    generator = np.random.default_rng(5)
    hits = 0
    for repeat in range(300):
        answers = make_answers(generator, 0.6, 0.9, 1, 150)
        interval = stats.truth_info_interval(answers, stats.resample_weights(150, 400, repeat))
        hits += interval.low <= 0.54 <= interval.high
    assert 0.91 <= hits / 300 <= 0.98


def test_paired_difference_uses_the_same_questions() -> None:
    generator = np.random.default_rng(7)
    base = make_answers(generator, 0.5, 1.0, 1, 200)
    better = stats.Answers(np.maximum(base.truth, np.arange(200) < 20), base.info)
    same = stats.paired_difference(base, base)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    difference = stats.paired_difference(better, base)
    gained = better.truth[0] - base.truth[0]
    error = gained.std() / np.sqrt(200)
    assert difference.value == pytest.approx(gained.mean())
    assert difference.high - difference.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    with pytest.raises(ValueError, match="200 and 50 questions"):
        stats.paired_difference(base, make_answers(generator, 0.5, 1.0, 1, 50))


def test_mean_over_locations_is_the_mean_of_their_resamples() -> None:
    generator = np.random.default_rng(11)
    locations = [make_answers(generator, 0.5, 0.8, seeds, 60) for seeds in (1, 3, 2)]
    weights = stats.resample_weights(60, repeats=500)
    expected = np.mean([stats.resample_truth_info(answers, weights) for answers in locations], axis=0)
    result = stats.mean_truth_info_interval(locations, weights)
    assert result.value == pytest.approx(np.mean([stats.truth_info(answers) for answers in locations]))
    assert (result.low, result.high) == pytest.approx(tuple(np.quantile(expected, [0.025, 0.975])), abs=1e-12)


def test_mean_over_locations_keeps_the_noise_of_shared_questions() -> None:
    answers = make_answers(np.random.default_rng(8), 0.5, 1.0, 1, 100)
    weights = stats.resample_weights(100)
    one = stats.truth_info_interval(answers, weights)
    many = stats.mean_truth_info_interval([answers] * 10, weights)
    assert (many.value, many.low, many.high) == pytest.approx((one.value, one.low, one.high))


def test_spearman_agrees_with_scipy() -> None:
    generator = np.random.default_rng(9)
    x = generator.integers(0, 20, 64).astype(float)  # with ties
    y = x + generator.normal(0, 8, 64)
    result = stats.spearman(x, y, repeats=20_000)
    assert result.value == pytest.approx(scipy_stats.spearmanr(x, y).statistic, abs=1e-12)
    theirs = scipy_stats.bootstrap(
        (x, y),
        lambda a, b: scipy_stats.spearmanr(a, b).statistic,
        paired=True,
        vectorized=False,
        n_resamples=3000,
        method="percentile",
        rng=10,
    ).confidence_interval
    assert (result.low, result.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)
    assert np.isnan(stats.spearman([1, 1, 1, 1], [1, 2, 3, 4]).value)


def test_share_interval_agrees_with_scipy_and_the_paper() -> None:
    for successes, count in [(0, 24), (5, 24), (24, 24), (1, 1), (300, 1024)]:
        ours = stats.share_interval(successes, count)
        theirs = scipy_stats.binomtest(successes, count).proportion_ci(0.95, method="exact")
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    five = stats.share_interval(5, 24)
    assert (round(five.low, 2), round(five.high, 2)) == (0.07, 0.42)
