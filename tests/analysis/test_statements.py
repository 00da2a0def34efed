"""Statements of sweeps with a known answer: single heads, localiser, cost, training, controls, noise, groups of questions."""

import re
from pathlib import Path
from types import SimpleNamespace

import h5py
import made_up
import numpy as np
import pandas as pd
import pytest
from made_up import Design
from scipy import stats as scipy_stats
from statements import SETS, Make, assert_sound, one

from analysis.compare.claimed import _is_redrawn
from analysis.compare.sweeps import compare_sweeps


def test_single_heads_and_the_localiser(make: Make) -> None:
    findings = make(Design(seeds=(0, 1), tuned=2, edits={"optimal": [0.1]}), all=0.5)
    assert_sound(findings)
    scores = findings.scores.set_index("unit")["score"]
    singles = scores[findings.scores.set_index("unit")["kind"] == "single"]
    near = int(np.sum(singles >= scores["everywhere"] - 0.05 - 1e-6))
    heads = one(findings, "as-good-as-optimal-everywhere")
    assert heads.sentence.startswith(f"Optimal: {near} of 16 heads are within 0.05 of everywhere")
    exact = scipy_stats.binomtest(near, 16).proportion_ci(0.95, method="exact")
    assert (heads.low, heads.high) == pytest.approx((exact.low, exact.high))
    maps = findings.head_scores[0]
    assert maps.certified.sum() <= maps.mapped.sum() <= near
    assert f"by 0.05: {maps.certified.sum()} (Holm" in heads.sentence and f"map: {maps.mapped.sum()} (Ben" in heads.sentence
    rho = scipy_stats.spearmanr(maps.probe, maps.edited).statistic
    assert one(findings, "spearman-optimal").estimate == pytest.approx(rho)
    assert one(findings, "special-optimal").adjusted == "max-statistic"
    best = findings.results.trials.query("kind == 'single' and not recheck").groupby("unit")["validation_truth_info"].mean()
    assert f"({best.idxmax()})" in one(findings, "best-head-optimal-everywhere").sentence
    near = int(np.sum(singles.drop(best.idxmax()) >= scores[best.idxmax()] - 0.05 - 1e-6))
    beside_best = one(findings, "as-good-as-optimal-the-best-head-on-validation")
    assert beside_best.sentence.startswith(f"Optimal: {near} of 15 heads ") and beside_best.n.startswith("15 heads")


def test_scores_at_the_same_cost(make: Make) -> None:
    """A cap between the costs of the weaker strengths and the strongest takes tau 0.2, a cap below all the unedited model."""
    costs = {0.1: 0.3, 0.2: 0.04, 0.5: 0.02, 1.0: 0.02, 3.0: 0.04, 10.0: 0.3}

    def set_costs(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            file["metrics/validation/kl_text"][:] = [costs[strength] for strength in file["trials/strength"][:]]

    findings = make(Design(sets=SETS, draws=20, seeds=(0,)), set_costs, top=0.9)
    trials = findings.results.trials
    rows = trials[(trials["edit"] == "optimal") & (trials["strength"] == 0.2)].set_index("unit")["test_truth_info"]
    draws = rows[rows.index.str.startswith("random2")]
    under = one(findings, "cap-0.05-optimal-top2-random2")
    assert "the claimed set (strength 0.2) reaches" in under.sentence
    assert under.p_value == (np.sum(draws >= rows["top2"] - 1e-6) + 1) / 21
    assert under.estimate == pytest.approx(rows["top2"] - draws.mean(), abs=1e-6)
    least = one(findings, "cap-0.01-optimal-top2-random2")
    assert np.isnan(least.p_value) and "no set has a strength of at most 0.01 nats/token" in least.sentence
    assert "(strength 3)" in one(findings, "cap-0.05-iti-top2-random2").sentence  # a large alpha is a large change
    assert "from 0.02 to 0.3 nats/token" in one(findings, "area-optimal-top2-random2").sentence


def test_unmeasured_cost_is_said(make: Make) -> None:
    def forget(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            file["metrics/validation/kl_text"][:] = np.nan

    findings = make(Design(sets=SETS, seeds=(0,)), forget)
    said = one(findings, "not-measured").sentence
    assert "KL on the running text was not measured for validation" in said and "Optimal: top2 among random2" in said


def test_training_controls_and_noise(make: Make) -> None:
    design = Design(
        sets=SETS, seeds=(0, 1, 2), draws=20, edits={"optimal": [0.1], "iti": [1.0]},
        controls=("swapped",), rechecked=12, tuned=2, subspaces=4,
    )
    findings = make(design, top=0.9)
    assert_sound(findings)
    trials = findings.results.trials
    keys = ["location", "edit", "strength", "seed", "fold"]
    usual = trials[(trials["labels"] == "true") & ~trials["recheck"]]
    pairs = trials[trials["recheck"]].merge(usual, on=keys, suffixes=("", "_usual"))
    gains = (pairs["test_truth_info"] - pairs["test_truth_info_usual"]).groupby(pairs["unit"]).mean()
    recheck = one(findings, "recheck-gain-optimal")
    assert recheck.estimate == pytest.approx(gains.mean())
    assert recheck.p_value == pytest.approx(scipy_stats.ttest_1samp(gains, 0).pvalue)
    lost = usual[(usual["kind"] == "random") & (usual["edit"] == "optimal") & ~usual["tuning"]]["converged"] == 0
    assert one(findings, "unconverged-optimal-random").estimate == pytest.approx(lost.mean())
    assert "chosen from 0.02 and 0.05; in 1 of 1 fold an end of the grid" in one(
        findings, "learning-rate-optimal-1-o-proj-2").sentence
    swapped = one(findings, "swapped-optimal-top2")
    mean = trials[(trials["unit"] == "top2") & (trials["edit"] == "optimal")].groupby("labels")["test_truth_info"].mean()
    assert swapped.estimate == pytest.approx(mean["true"] - mean["swapped"]) and swapped.low > 0
    assert "of 4 random subspaces" in one(findings, "subspace-optimal-subspace2").sentence
    assert 0 <= one(findings, "real-optimal-random2").estimate <= 1
    kinds = findings.scores.query("edit == 'optimal' and not tuning").groupby("kind")["both"].mean()
    assert one(findings, "kind-optimal-top2-random2").estimate == pytest.approx(kinds["top"] - kinds["random"], abs=1e-6)
    assert "ITI, random2: 1 seed at 20 locations" in one(findings, "not-enough").sentence
    assert "2 locations that learning rates were chosen on take part in no test (8 trials)" in findings.missing


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_one_group_of_questions_says_that_nothing_is_known_of_others(make: Make) -> None:
    findings = make(Design(draws=20, seeds=(0, 1, 2), edits={"optimal": [0.1]}, group_size=1000))
    assert_sound(findings)
    assert any(sentence.startswith("40 questions in 1 group: nothing tells") for sentence in findings.missing)
    assert findings.summary[["low", "high"]].isna().all(axis=None)
    for key in ("all-heads-optimal-top2-everywhere", "equivalent-claimed-all-optimal-top2-everywhere", "special-optimal"):
        assert np.isnan([one(findings, key).low, one(findings, key).p_value]).all()
    assert findings.comparisons[0].rank.p_value > 0 and "Equivalence is not tested" in findings.verdict
    assert not [each.key for each in findings.statements if each.key.startswith(("questions-", "real-", "variance-"))]


def test_groups_of_questions_stand_for_questions(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where questions of a group are answered alike, four times as many of them detect no more."""
    plain = made_up._Writer._judge

    def fourfold(writer: made_up._Writer, chances: list, count: int) -> tuple[np.ndarray, ...]:
        return tuple(np.repeat(part, 4, axis=1) for part in plain(writer, chances, count // 4))

    few = {"draws": 20, "seeds": (0, 1, 2), "edits": {"optimal": [0.1]}, "sets": SETS}
    once = make(Design(**few, group_size=1))
    monkeypatch.setattr(made_up, "ITEMS", 160)
    monkeypatch.setattr(made_up, "VALIDATION", 80)
    monkeypatch.setattr(made_up._Writer, "_judge", fourfold)
    grouped = make(Design(**few, group_size=4))
    key = "questions-optimal-top2-random2"
    assert one(grouped, key).estimate == pytest.approx(one(once, key).estimate, rel=1e-6)
    assert "with 160 questions in 40 groups" in one(grouped, key).sentence
    assert re.search(r"needs [\d,]+ groups of as many questions each", one(grouped, key).sentence)
    for name in ("real-optimal-random2", "variance-optimal-random2"):
        assert [getattr(one(grouped, name), end) for end in ("estimate", "low", "high")] == pytest.approx(
            [getattr(one(once, name), end) for end in ("estimate", "low", "high")]
        )
    assert "location x group" in one(grouped, "variance-optimal-random2").sentence
    assert "location x question" in one(once, "variance-optimal-random2").sentence


def test_sweeps_side_by_side(make: Make) -> None:
    first = make(Design(sets=SETS, seeds=(0,), model="a"), random=0.4, top=0.9)
    second = make(Design(sets=("random2",), seeds=(0,), model="b"))
    table = compare_sweeps({"one": first, "other": second})
    assert table["model"].tolist() == ["a", "a", "b"] and table["behaviour"].unique().tolist() == ["truthfulness"]
    assert table["rank_p"].tolist()[:2] == [each.rank.p_value for each in first.comparisons]
    assert table["equivalence"].tolist()[0] == "not shown" and np.isnan(table["rank_p"][2])


@pytest.mark.parametrize("kept", [True, False])
def test_draws_that_change_more_from_fold_to_fold_than_the_claimed_set_are_told(kept: bool) -> None:
    locations = pd.DataFrame({"set": ["c", "c", "r", "r"], "unit": ["c", "c", "r[0]", "r[0]"]})
    masks = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1] if kept else [1, 1, 0, 0]], np.uint8)
    results = SimpleNamespace(locations=locations, column=lambda path: masks)
    assert _is_redrawn(SimpleNamespace(results=results), "c", "r") is not kept
