"""Equivalence, non-inferiority and many tests at once against statsmodels and published cases."""

import numpy as np
import pytest
from scipy import optimize
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired
from test_stats import make_answers

from analysis.stats import equivalence, multiple, resample
from analysis import stats


def test_equivalence_by_an_error_agrees_with_statsmodels() -> None:
    generator = np.random.default_rng(1)
    first = generator.normal(0.50, 0.4, 163)
    second = first + generator.normal(0.02, 0.3, 163)
    p, lower, upper = ttost_paired(first, second, -0.08, 0.08)
    added = first - second
    ours = equivalence.equivalence((added.mean(), stats.clustered_error(added)), 0.08, freedom=162)
    assert (ours.p_lower, ours.p_upper, ours.p_value) == pytest.approx((lower[1], upper[1], p), rel=1e-9)
    assert ours.equivalent == (p <= 0.05) and ours.not_worse == (lower[1] <= 0.05)


def test_equivalence_of_resamples_counts_those_beyond_the_margin() -> None:
    resampled = np.concatenate([np.full(3, -0.2), np.full(95, 0.0), np.full(1, 0.3)])
    result = equivalence.equivalence(resampled, 0.1)
    assert (result.p_lower, result.p_upper) == (4 / 100, 2 / 100)
    assert result.equivalent and result.not_worse
    assert not equivalence.equivalence(resampled, 0.1, level=0.03).not_worse


def test_resamples_and_errors_agree() -> None:
    generator = np.random.default_rng(2)
    first, second = make_answers(generator, 0.7, 0.9, 1, 817), make_answers(generator, 0.7, 0.9, 1, 817)
    weights = resample.resample_weights(817, repeats=20_000)
    by_resamples = equivalence.equivalence(
        resample.resample_difference(first, second, "truth_info", weights), 0.05
    )
    exact = equivalence.paired_equivalence(first, second, 0.05)
    assert (by_resamples.p_lower, by_resamples.p_upper) == pytest.approx(
        (exact.p_lower, exact.p_upper), abs=0.01
    )


def test_lost_draws_count_with_all_answers_wrong_or_right() -> None:
    generator = np.random.default_rng(4)
    claimed, *draws = (make_answers(generator, 0.6, 0.9, 2, 163) for _ in range(15))
    wrong, right = (stats.Answers(*[np.full((2, 163), each)] * 2) for each in (0.0, 1.0))
    by_hand = [
        equivalence.equivalence(-resample.two_way_bootstrap(claimed, [*draws, *more]).resampled, 0.1)
        for more in ([], [wrong] * 2, [right] * 2)
    ]
    assert equivalence.mean_of_draws(claimed, draws, 0, 0.1) == by_hand[0]
    counted = equivalence.mean_of_draws(claimed, draws, 2, 0.1)
    assert (counted.p_lower, counted.p_upper) == (by_hand[1].p_lower, by_hand[2].p_upper)
    assert counted.p_lower > by_hand[0].p_lower and counted.p_upper > by_hand[0].p_upper
    worst, best = min(draws, key=stats.Answers.score), max(draws, key=stats.Answers.score)
    ends = equivalence.mean_of_draws(claimed, draws, 2, 0.1, bounded=False)
    for end, p_value, side in ((worst, ends.p_lower, "p_lower"), (best, ends.p_upper, "p_upper")):
        lead = resample.two_way_bootstrap(claimed, [*draws, end, end])
        assert p_value == getattr(equivalence.equivalence(-lead.resampled, 0.1), side)


def test_one_of_several_looks_counts_for_each() -> None:
    assert (multiple.bonferroni(0.02, 1), multiple.bonferroni(0.02, 3), multiple.bonferroni(0.6, 2)) == (0.02, 0.06, 1.0)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="margin of 0"):
        equivalence.equivalence((0.0, 0.1), 0.0)
    with pytest.raises(ValueError, match="error of 0"):
        equivalence.equivalence((0.0, 0.0), 0.05)


@pytest.mark.parametrize(
    ("up", "down", "count", "margin"), [(3, 5, 163, 0.05), (0, 0, 163, 0.05), (20, 11, 90, 0.1)]
)
def test_paired_shares_are_tangos_score_test(up: int, down: int, count: int, margin: float) -> None:
    """The restricted likelihood is maximised by brute force; the test is the score over its null error."""
    first, second = np.zeros(count), np.zeros(count)
    first[:up], second[up : up + down] = 1.0, 1.0

    def minus_likelihood(share: float) -> float:
        shares = np.array([share, share + margin, 1 - 2 * share - margin])
        return -float(scipy_stats.multinomial(count, shares).logpmf([up, down, count - up - down]))

    share = optimize.minimize_scalar(
        minus_likelihood, bounds=(1e-9, (1 - margin) / 2 - 1e-9), method="bounded", options={"xatol": 1e-10}
    ).x
    error = np.sqrt((2 * share + margin - margin**2) / count)
    expected = scipy_stats.t.sf(((up - down) / count + margin) / error, count - 1)
    ours = equivalence.paired_equivalence(
        stats.Answers.of_values(first), stats.Answers.of_values(second), margin
    )
    assert ours.p_lower == pytest.approx(expected, rel=1e-3)
    mirrored = equivalence.paired_equivalence(
        stats.Answers.of_values(second), stats.Answers.of_values(first), margin
    )
    assert mirrored.p_upper == pytest.approx(ours.p_lower, rel=1e-12)


def test_heads_are_each_tested_and_adjusted() -> None:
    generator = np.random.default_rng(3)
    reference = make_answers(generator, 0.9, 0.9, 2, 163)
    heads = [make_answers(generator, share, 0.9, 2, 163) for share in (0.9, 0.5, 0.88, 0.2)] + [reference]
    groups = np.arange(163) // 3
    tests = equivalence.heads_not_worse(
        np.stack([head.contributions() for head in heads]), reference.contributions(), 0.2, groups
    )
    alone = [equivalence.paired_equivalence(head, reference, 0.2, groups=groups).p_lower for head in heads]
    assert tests.p_value == pytest.approx(alone)
    assert tests.difference == pytest.approx([head.score() - reference.score() for head in heads])
    assert list(tests.certified <= 0.05) == [True, False, True, False, True]
    assert np.all(tests.p_value > 0)
    assert np.all(tests.mapped <= tests.certified)


def test_adjusted_p_values_agree_with_statsmodels() -> None:
    p_values = np.random.default_rng(4).random(40) ** 3
    assert multiple.holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
    assert multiple.benjamini_hochberg(p_values) == pytest.approx(multipletests(p_values, method="fdr_bh")[1])
    assert multiple.holm([]).size == multiple.benjamini_hochberg([]).size == 0
