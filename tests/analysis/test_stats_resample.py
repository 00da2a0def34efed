"""Bootstrap intervals against scipy, enumeration and errors known by formula."""

import itertools

import numpy as np
import pytest
from scipy import stats as scipy_stats
from test_stats import make_answers

from analysis import stats
from analysis.stats import permute, resample
from analysis.stats.equivalence import heads_not_worse


def test_resampling_all_cases_is_enumerated_exactly() -> None:
    """With three questions all 27 resamples can be listed: their distribution is the bootstrap's."""
    answers = stats.Answers(np.array([[1.0, 1, 0]]), np.array([[1.0, 0, 1]]))
    exact = [
        answers.truth[0, list(rows)].mean() * answers.info[0, list(rows)].mean()
        for rows in itertools.product(range(3), repeat=3)
    ]
    drawn = resample.resample_score(answers, resample.resample_weights(3, repeats=40_000))
    for value in set(np.round(exact, 9)):
        share = np.mean(np.isclose(exact, value))
        assert np.mean(np.isclose(drawn, value)) == pytest.approx(share, abs=0.01)


def test_interval_agrees_with_scipy_bootstrap() -> None:
    answers = make_answers(np.random.default_rng(1), 0.7, 0.9, 2, 144)
    weights = resample.resample_weights(144, repeats=20_000, seed=3)
    ours = resample.score_interval(answers, weights)

    def product(rows: np.ndarray) -> float:
        return stats.Answers(answers.truth[:, rows], answers.info[:, rows]).score()

    theirs = scipy_stats.bootstrap(
        (np.arange(144),), product, n_resamples=3000, vectorized=False, method="percentile", rng=4
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.007)
    assert ours.low < ours.value < ours.high


def test_groups_are_resampled_whole() -> None:
    groups = np.repeat([7, 3, 5, 9], [2, 2, 2, 2])
    weights = resample.resample_weights(8, repeats=2000, groups=groups)
    assert weights.sum(axis=1) == pytest.approx(np.ones(2000))
    assert np.all(weights[:, ::2] == weights[:, 1::2])
    values = np.arange(8.0)
    error = stats.clustered_error(values, groups)
    assert (weights @ values).std() == pytest.approx(error * scipy_stats.t.ppf(0.975, 3) / 1.96, rel=0.05)


def test_paired_difference_uses_the_same_questions() -> None:
    generator = np.random.default_rng(7)
    base = make_answers(generator, 0.5, 1.0, 1, 200)
    better = stats.Answers(np.maximum(base.truth, np.arange(200) < 20), base.info)
    same = resample.paired_bootstrap(base, base)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    gained = better.truth[0] - base.truth[0]
    for score in stats.SCORES:
        difference = resample.paired_bootstrap(better, base, score)
        assert difference.value == pytest.approx(gained.mean())
        assert difference.high - difference.low == pytest.approx(
            2 * 1.96 * stats.clustered_error(gained), rel=0.1
        )
    with pytest.raises(ValueError, match="200 and 50 questions"):
        resample.paired_bootstrap(base, make_answers(generator, 0.5, 1.0, 1, 50))


def test_mean_over_locations_is_the_mean_of_their_resamples() -> None:
    generator = np.random.default_rng(11)
    locations = [make_answers(generator, 0.5, 0.8, seeds, 60) for seeds in (1, 3, 2)]
    weights = resample.resample_weights(60, repeats=500)
    each = np.stack([resample.resample_score(answers, weights) for answers in locations], axis=1)
    assert resample.resample_scores(locations, weights) == pytest.approx(each)
    result = resample.mean_score_interval(locations, weights)
    assert result.value == pytest.approx(np.mean([answers.score() for answers in locations]))
    expected = np.quantile(each.mean(axis=1), [0.025, 0.975])
    assert (result.low, result.high) == pytest.approx(tuple(expected), abs=1e-12)


def test_mean_over_locations_keeps_the_noise_of_shared_questions() -> None:
    answers = make_answers(np.random.default_rng(8), 0.5, 1.0, 1, 100)
    weights = resample.resample_weights(100)
    one, many = (
        resample.score_interval(answers, weights),
        resample.mean_score_interval([answers] * 10, weights),
    )
    assert (many.value, many.low, many.high) == pytest.approx((one.value, one.low, one.high))


def test_two_way_knows_both_sources() -> None:
    """Draws of certain answers leave the draws' t-interval, equal draws the paired one."""
    generator = np.random.default_rng(12)
    claimed = stats.Answers(np.ones((1, 400)), np.ones((1, 400)))
    shares = np.array([0.2, 0.3, 0.35, 0.5, 0.6])
    fixed = [stats.Answers(np.full((1, 400), share), np.ones((1, 400))) for share in shares]
    draws = resample.two_way_bootstrap(claimed, fixed, repeats=20_000).interval
    student = scipy_stats.ttest_1samp(shares, 0.0).confidence_interval()
    width = (student.high - student.low) * np.sqrt(4 / 5)  # what the bootstrap makes of five draws
    assert draws.value == pytest.approx(1 - shares.mean())
    assert draws.high - draws.low == pytest.approx(width, rel=0.05)
    claimed, other = (make_answers(generator, share, 0.9, 1, 400) for share in (0.7, 0.6))
    ours = resample.two_way_bootstrap(claimed, [other] * 5).interval
    paired = resample.paired_bootstrap(claimed, other)
    assert (ours.value, ours.low, ours.high) == pytest.approx(
        (paired.value, paired.low, paired.high), abs=0.004
    )


def test_two_way_by_groups_is_stretched_once() -> None:
    """Equal draws leave the questions' groups: the interval is the paired one by groups, at any level."""
    generator = np.random.default_rng(13)
    claimed, other = (make_answers(generator, share, 0.9, 1, 40) for share in (0.7, 0.6))
    groups = np.arange(40) // 8
    for level in (0.9, 0.95):
        weights = resample.resample_weights(40, 20_000, groups=groups, level=level)
        paired = resample.paired_bootstrap(claimed, other, weights=weights, level=level)
        ours = resample.two_way_bootstrap(claimed, [other] * 5, repeats=20_000, level=level, groups=groups).interval
        assert ours.value == pytest.approx(paired.value)
        assert ours.high - ours.low == pytest.approx(paired.high - paired.low, rel=0.03)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_one_group_of_questions_has_no_interval_and_no_p() -> None:
    generator = np.random.default_rng(14)
    claimed, *others = (make_answers(generator, share, 0.9, 1, 12) for share in (0.7, 0.6, 0.5))
    together = np.zeros(12)
    weights = resample.resample_weights(12, groups=together)
    intervals = [
        resample.score_interval(claimed, weights),
        resample.paired_bootstrap(claimed, others[0], weights=weights),
        resample.two_way_bootstrap(claimed, others, groups=together).interval,
        resample.score_interval(make_answers(generator, 0.5, 1.0, 1, 1)),
    ]
    assert np.isfinite([each.value for each in intervals]).all()
    assert np.isnan([(each.low, each.high) for each in intervals]).all()
    rows = np.stack([each.contributions() for each in others])
    tests = heads_not_worse(rows, claimed.contributions(), 0.05, together)
    p_values = [permute.sign_flip(claimed, others[0], groups=together), *tests.p_value, *tests.certified, *tests.mapped]
    p_values += permute.max_statistic(rows, groups=together, repeats=9).adjusted.tolist()
    assert np.isnan(p_values).all()


def test_intervals_stay_where_scores_can_be() -> None:
    """Weights of few groups are stretched beyond what answers can add up to."""
    truth = np.ones((1, 24))
    truth[0, 3] = 0.0
    groups = np.repeat(np.arange(6), 4)
    nearly = stats.Answers(truth, np.ones((1, 24)))
    interval = resample.score_interval(nearly, resample.resample_weights(24, groups=groups))
    assert interval.low < interval.value < interval.high == 1.0
    none = stats.Answers(np.zeros((1, 24)), np.ones((1, 24)))
    lead = resample.two_way_bootstrap(nearly, [none, none], groups=groups)
    assert lead.value < lead.interval.high == 1.0
    divergence = stats.Answers.of_values(np.linspace(-3, -2, 24)[None])
    assert resample.score_interval(divergence).high < -2
