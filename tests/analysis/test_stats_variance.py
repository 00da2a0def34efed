"""The variance split and the mixed model against statsmodels and made-up effects of known size."""

import warnings

import numpy as np
import pytest
import statsmodels.formula.api as smf
from scipy import stats as scipy_stats
from statsmodels.stats.anova import anova_lm

from analysis.stats import variance
from tests.analysis.worlds import as_table


def test_split_agrees_with_the_mean_squares_of_statsmodels() -> None:
    generator = np.random.default_rng(1)
    correct = (
        generator.normal(size=(4, 1, 1)) + generator.normal(size=(1, 1, 6)) + generator.normal(size=(4, 3, 6))
    )
    table = as_table(correct)
    fit = smf.ols("correct ~ C(location) * C(question) + C(location):C(seed)", table).fit()
    square = (lambda anova: anova["sum_sq"] / anova["df"])(anova_lm(fit, typ=1))
    rest = square["Residual"]
    parts = np.array(
        [
            (square["C(location)"] - square["C(location):C(seed)"] - square["C(location):C(question)"] + rest)
            / 18,
            (square["C(location):C(seed)"] - rest) / 6,
            (square["C(question)"] - square["C(location):C(question)"]) / 12,
            (square["C(location):C(question)"] - rest) / 3,
            rest,
        ]
    ).clip(0)
    split = variance.variance_split(table)
    assert [split.shares[name].value for name in variance.PARTS] == pytest.approx(list(parts / parts.sum()))
    assert split.real.value == pytest.approx(parts[0] / (parts[0] + parts[1] + (parts[3] + parts[4]) / 6))
    assert (split.locations, split.seeds, split.questions, split.left_out) == (4, 3, 6, 0)


def test_split_finds_effects_of_known_size() -> None:
    generator = np.random.default_rng(2)
    shape, sizes = (
        (150, 4, 150),
        {"location": 0.3, "seed": 0.1, "question": 0.4, "location x question": 0.15, "rest": 0.05},
    )
    places = {
        "location": (150, 1, 1),
        "seed": (150, 4, 1),
        "question": (1, 1, 150),
        "location x question": (150, 1, 150),
        "rest": shape,
    }
    correct = sum(np.sqrt(sizes[name]) * generator.normal(size=places[name]) for name in sizes)
    split = variance.variance_split(as_table(correct))
    for name, share in sizes.items():
        assert split.shares[name].value == pytest.approx(share, abs=0.06)
        assert split.shares[name].low < share < split.shares[name].high
    assert sum(share.value for share in split.shares.values()) == pytest.approx(1.0)


def test_split_of_one_seed_and_of_gaps() -> None:
    generator = np.random.default_rng(3)
    correct = (generator.random((12, 2, 30)) < 0.6).astype(float)
    table = as_table(correct)
    gaps = table.drop(
        index=table.index[(table["location"] == 3) & (table["question"] == 7) & (table["seed"] == 1)]
    )
    split = variance.variance_split(gaps)
    assert (split.locations, split.left_out) == (11, 1)
    whole = variance.variance_split(table[table["location"] != 3])
    assert split.shares == whole.shares
    one = variance.variance_split(table[table["seed"] == 0])
    assert np.isnan(one.shares["seed"].value) and np.isfinite(one.shares["location"].value)
    with pytest.raises(ValueError, match="1 locations with all answers"):
        variance.variance_split(table[table["location"] == 0])


def test_mixed_model_agrees_with_crossed_random_effects_of_statsmodels() -> None:
    """Locations and questions random and crossed, all variances clear: REML on a balanced table of equal spreads."""
    generator = np.random.default_rng(6)
    kind = np.repeat(["random", "single"], 8)
    quality = generator.normal(size=8)
    correct = np.concatenate([quality, 0.7 + quality])[:, None, None] + generator.normal(size=(1, 1, 12))
    table = as_table(correct + generator.normal(size=(16, 1, 12)), kind)
    fit = smf.mixedlm(
        "correct ~ kind",
        table,
        groups=np.ones(len(table)),
        vc_formula={"location": "0 + C(location)", "question": "0 + C(question)"},
    ).fit(reml=True)
    means = table.groupby(["kind", "location"])["correct"].mean()
    ours = variance.kind_effect(means["single"], means["random"])
    error = np.sqrt(means.groupby("kind").var().sum() / 8)  # of Welch's test, and with equal numbers of Student's
    freedom = scipy_stats.ttest_ind(means["single"], means["random"], equal_var=False).df
    reach = (ours.difference.high - ours.difference.value) / scipy_stats.t.ppf(0.975, freedom)
    assert ours.difference.value == pytest.approx(fit.params["kind[T.single]"], abs=1e-4)
    assert reach == pytest.approx(error) and error == pytest.approx(fit.bse["kind[T.single]"], rel=0.02)


def test_mixed_model_is_welchs_test_of_location_means() -> None:
    generator = np.random.default_rng(5)
    random, single, top = generator.random(16), generator.random(30), generator.random(1)
    effect = variance.kind_effect(single, random)
    welch = scipy_stats.ttest_ind(single, random, equal_var=False)
    assert effect.p_value == pytest.approx(welch.pvalue)
    assert (effect.difference.low, effect.difference.high) == pytest.approx(tuple(welch.confidence_interval()))
    error = random.std(ddof=1) * np.sqrt(1 + 1 / 16)
    t = (top[0] - random.mean()) / error
    assert variance.kind_effect(top, random).p_value == pytest.approx(2 * scipy_stats.t.sf(abs(t), 15))
    with pytest.raises(ValueError, match="2 locations beside 1"):
        variance.kind_effect(single[:2], top)
