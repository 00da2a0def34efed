"""The verdict of sweeps with a known answer: special, usual, partial, failed, extended, exploratory."""

import re
from dataclasses import replace
from pathlib import Path

import h5py
import made_up
import numpy as np
import pytest
from made_up import COMPARISON, Design
from scipy import stats as scipy_stats
from statements import SETS, Make, assert_sound, one

from analysis.compare.unusual import state_unusual
from analysis.findings import notes
from analysis.stats import RankTest
from analysis.sweep import Sweep
from analysis.verdict import make_verdict

DRAWS = "draws-optimal-top2-random2"


def test_a_special_set_is_unusual(make: Make) -> None:
    findings = make(Design(sets=SETS, draws=30, seeds=(0,)), random=0.4, top=0.95, all=0.9)
    assert_sound(findings)
    rank = one(findings, "rank-optimal-top2-random2")
    assert (rank.role, rank.p_value, rank.estimate) == ("primary", 1 / 31, 1.0)
    assert one(findings, "both-optimal-top2-random2").role == "co-primary"
    assert [each.role for each in findings.statements].count("primary") == 1
    assert "0 of 30 random sets (random2, as many heads in each layer) reach as much" in rank.sentence
    assert findings.verdict.startswith("Optimal: top2 is unusual among 30 random sets")
    assert "beyond the margin of 0.05" in findings.verdict
    difference = one(findings, "random-mean-optimal-top2-random2")
    assert difference.low > 0.2
    assert difference.estimate == pytest.approx(findings.comparisons[0].score.value - findings.comparisons[0].draws.mean())
    not_worse = one(findings, "not-worse-mean-claimed-optimal-top2-random2")
    assert "is not shown" in not_worse.sentence and not_worse.p_value > 0.5
    edges = findings.choice.trials.query("edit == 'iti'").drop_duplicates(["unit", "fold"])["strength"] != 3.0
    assert one(findings, "strength-edges-iti").estimate == pytest.approx(edges.mean())
    draws = findings.comparisons[0].draws
    paper = one(findings, "t-test-optimal-top2-random2")
    assert paper.p_value == pytest.approx(scipy_stats.ttest_1samp(draws, findings.comparisons[0].score.value).pvalue)


def test_unusual_is_what_passes_both_scores(make: Make) -> None:
    findings = make(Design(sets=SETS, draws=30, seeds=(0,)), random=0.4, top=0.95, all=0.9)
    sweep, passed = Sweep(findings.results), findings.comparisons[0]
    assert (passed.joint_p, passed.cautious_joint_p) == (1 / 31, 1 / 31) and "disagree" not in findings.verdict
    missed = replace(passed, both=RankTest(4 / 31, 3, 30))
    assert missed.joint_p == missed.as_row()["joint_p"] == 4 / 31 and missed.rank.p_value == 1 / 31
    verdict = make_verdict(sweep, [missed], [])
    assert "top2 is not shown to be unusual" in verdict
    assert "p = 0.13, so the two disagree: unusual is what passes both at 0.05, jointly p = 0.13. " in verdict
    assert "So random sets do less on average." in verdict
    (rank,) = [each for each in state_unusual(sweep, [missed]) if each.role == "primary"]
    assert rank.p_value == 1 / 31 and "true and informative p = 0.13, the larger of the two" in rank.sentence
    unfinished = replace(passed, both=RankTest(1 / 29, 0, 28))  # two of thirty draws have no such score
    assert unfinished.joint_p == 1 / 29 and unfinished.cautious_joint_p == 3 / 31
    assert "top2 is not shown to be unusual" in make_verdict(sweep, [unfinished], [])
    assert replace(missed, both=None).joint_p == 1 / 31


def test_a_usual_set_is_equivalent_within_a_margin_that_allows_it(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_up, "ITEMS", 300)
    design = Design(sets=SETS, draws=40, edits={"optimal": [0.1]}, comparison=COMPARISON | {"margin": 0.15})
    findings = make(design, random=0.8, top=0.8, all=0.8)
    assert_sound(findings)
    rank = findings.comparisons[0].rank
    expected = f"at the {100 * (1 - rank.at_least / 40):.0f}(th|st|nd|rd) percentile of random sets"
    assert re.search(expected, one(findings, "rank-optimal-top2-random2").sentence)
    assert "is not shown to be unusual" in findings.verdict and "equivalent within 0.15 (p = " in findings.verdict
    each = one(findings, "each-claimed-optimal-top2-random2")
    assert "40 of 40 random sets (random2) score within 0.15 of top2 or above: 100 %" in each.sentence
    assert each.adjusted == "Holm"
    narrow = make(Design(**vars(design) | {"comparison": COMPARISON | {"margin": 0.001}}), random=0.8, top=0.8, all=0.8)
    for statement in narrow.statements:
        if statement.key.startswith("equivalent-"):
            assert "equivalence is not shown within 0.001" in statement.sentence
    assert "Neither is shown: that the claimed set is unusual, or that random sets are as good; the sweep was too small" in narrow.verdict


def test_a_partial_sweep_says_so_and_bounds_its_p(make: Make) -> None:
    lost = {f"random2[{draw}]" for draw in range(4)}
    findings = make(Design(sets=SETS, draws=30, seeds=(0,), missing=lambda trial: trial["name"] in lost), top=0.95, random=0.3)
    assert findings.verdict.startswith("The sweep is partial: 24 of ")
    assert "0.16 at worst with 4 unfinished draws" in findings.verdict
    rank = one(findings, "rank-optimal-top2-random2")
    assert "4 unfinished random sets left out, p = 0.16 at worst" in rank.sentence
    assert rank.p_value == 1 / 27
    assert any("24 of 193 trials without an outcome yet" in sentence for sentence in findings.missing)


def test_failed_trials_are_counted_and_shown(make: Make) -> None:
    findings = make(Design(sets=SETS, draws=30, seeds=(0,), failed=lambda trial: trial["name"] == "top2"))
    assert "The sweep is partial: 6 of 193 trials failed or have no outcome." in findings.verdict
    assert "The primary test that the job names (optimal: top2 among random2) could not be made" in findings.verdict
    assert "top2 is not complete" in findings.verdict and findings.comparisons == []
    assert "6 trials failed in training: loss is not a number" in findings.missing
    assert_sound(findings)


def test_draws_added_after_a_look_are_told(make: Make) -> None:
    design = Design(sets=SETS, draws=5, seeds=(0,))
    assert "the sweep was never extended. A sequential test that stops at 10" in one(make(design), DRAWS).sentence
    design.extensions = (("2026-11-20T08:00:00Z", 32, 80, 24),)
    findings = make(design)
    assert_sound(findings)
    told = one(findings, DRAWS).sentence
    assert "the sweep was extended once, on 2026-11-20, when 24 of 32 trials were done. A sequential test" in told
    assert "has not ended, and decides nothing." in told and np.isnan(one(findings, DRAWS).p_value)
    design.extensions += (("2026-11-21T08:00:00Z", 80, 90, 80),)
    assert "extended twice, on 2026-11-20, when 24 of 32 trials were done and on 2026-11-21" in one(make(design), DRAWS).sentence


@pytest.mark.parametrize("done, looks", [(0, 1), (1, 2)])
def test_p_counts_once_a_look(make: Make, done: int, looks: int) -> None:
    """The best of 30 random sets: unusual at one look, not at two; an extension before any trial was done is no look."""
    design = Design(sets=SETS, draws=30, seeds=(0,), extensions=(("2026-11-20T08:00:00Z", 32, 80, done),))
    findings = make(design, random=0.4, top=0.95, all=0.9)
    assert_sound(findings)
    found, rank = findings.comparisons[0], one(findings, "rank-optimal-top2-random2")
    assert found.rank.p_value == 1 / 31 and found.cautious_joint_p == rank.p_value == looks / 31
    assert ("top2 is unusual" in findings.verdict) == (looks == 1)
    for text in (findings.verdict, rank.sentence, one(findings, "both-optimal-top2-random2").sentence):
        assert f"p = {looks / 31:.2g}" in text
        assert ("extended once after results could be looked at: p counts twice" in text) == (looks == 2)
    assert ("the sweep was too small to tell" in findings.verdict) == (looks == 2)
    assert ("39 draws could" in one(findings, "smallest-p-optimal-top2-random2").sentence) == (looks == 2)


def test_a_sequential_test_is_read_where_it_stopped(make: Make) -> None:
    draws = one(make(Design(sets=SETS, draws=30, seeds=(0,)), random=0.9, top=0.3), DRAWS)
    assert draws.p_value == 10 / draws.estimate and f"would have ended after {draws.estimate:g}: p = " in draws.sentence


@pytest.mark.parametrize("lost, verdict", [(0, "equivalent within"), (1, "equivalent within"), (12, "not shown to be equivalent within")])
def test_lost_draws_count_against_equivalence(
    make: Make, monkeypatch: pytest.MonkeyPatch, lost: int, verdict: str
) -> None:
    monkeypatch.setattr(made_up, "ITEMS", 300)
    names = {f"random2[{draw}]" for draw in range(lost)}
    design = Design(
        sets=SETS, draws=40, edits={"optimal": [0.1]}, comparison=COMPARISON | {"margin": 0.15},
        failed=lambda trial: trial["name"] in names,
    )
    findings = make(design, random=0.8, top=0.8, all=0.8)
    assert_sound(findings)
    same = findings.comparisons[0].equivalence
    finished = findings.comparisons[0].draws.mean() - findings.comparisons[0].score.value
    assert same.difference.value == pytest.approx(finished, abs=1e-6)
    assert f"{verdict} 0.15 (p = {same.test.p_value:.2g}" in findings.verdict
    words = {0: "40 draws", 1: "39 of 40 draws", 12: "28 of 40 draws"}[lost]
    for key in ("equivalent-mean-claimed", "not-worse-mean-claimed", "not-worse-mean-all", "each-claimed"):
        (statement,) = [each for each in findings.statements if each.key.startswith(key)]
        assert statement.n.startswith(words)
        assert lost == 0 or ("that finished" if key.startswith("each") else f"{lost} unfinished draw") in statement.sentence
    assert ("at worst" in findings.verdict) == (lost > 0)
    assert same.test.not_worse == (lost < 12)


def test_one_seed_of_training_is_said(make: Make) -> None:
    one_seed, two = (make(Design(sets=SETS, draws=30, seeds=seeds)) for seeds in ((0,), (0, 1)))
    words = "what another would change is in no interval."
    assert one_seed.verdict.endswith(f"One seed of training: {words}") and words not in two.verdict
    assert any(words in note for note in notes(one_seed)) and not any(words in note for note in notes(two))
    keys = ("not-worse-mean-claimed-optimal", "random-mean-optimal", "unedited-optimal", "all-heads-optimal", "each-all-optimal")
    for findings, expected in ((one_seed, "one seed of training, whose noise is in no interval"), (two, "seeds are averaged")):
        for key in keys:
            (statement,) = [each for each in findings.statements if each.key.startswith(key)]
            assert expected in statement.assumption
        (shift,) = [each for each in findings.statements if each.key.startswith("unedited-iti")]
        assert "seed" not in shift.assumption  # nothing is trained


def with_divergences(path: Path, means: dict[str, float], claimed: float) -> None:
    """Gives each kind of location such a KL to the teacher on average, the claimed set `claimed`, the model itself 1."""
    generator = np.random.default_rng(1)
    with h5py.File(path, "r+") as file:
        kind = file["locations/kind"].asstr()[:][file["trials/location"][:]]
        levels = [claimed if each == "top" else means[each] for each in kind]
        items = file["questions/part"][:][0][file["items/question"][:][0]]
        for metrics, rows, level in (("metrics", "items", levels), ("baseline", "baseline/items", [1.0])):
            noise = generator.uniform(-0.05, 0.05, (len(level), len(items))) + np.linspace(-0.05, 0.05, len(items))
            values = (np.array(level)[:, None] + noise).astype(np.float32)
            file[f"{rows}/kl_teacher"][:] = values
            for number, part in ((1, "validation"), (2, "test")):
                file[f"{metrics}/{part}/kl_teacher"][:] = values[:, items == number].mean(axis=1)


@pytest.mark.parametrize("claimed, near", [(0.2, True), (0.8, False)])
def test_less_divergence_from_the_teacher_is_better(make: Make, claimed: float, near: bool) -> None:
    """Random sets are at 0.5: a claimed set nearer to the teacher has the least p, one farther away the largest."""
    design = Design(
        sets=SETS,
        draws=19,
        seeds=(0,),
        edits={"optimal": [0.1]},
        teacher=True,
        comparison=COMPARISON | {"score": "kl_teacher"},
    )
    findings = make(design, lambda path: with_divergences(path, {"random": 0.5, "all": 0.1}, claimed))
    assert_sound(findings)
    rank = one(findings, "rank-optimal-top2-random2")
    assert rank.p_value == (1 / 20 if near else 1.0) and f"{0 if near else 19} of 19 random sets" in rank.sentence
    assert ("top2 is unusual" in findings.verdict) == near
    lead = one(findings, "random-mean-optimal-top2-random2")
    assert lead.estimate == pytest.approx(0.5 - claimed, abs=0.05) and (lead.low > 0.0 if near else lead.high < 0.0)
    assert f"minus the mean of 19 random sets (random2): minus KL to the teacher {'+' if near else '-'}0." in lead.sentence
    other = one(findings, "not-worse-mean-claimed-optimal-top2-random2")
    assert other.estimate == pytest.approx(claimed - 0.5, abs=0.05)
    verdict = "is not shown" if near else "is shown"
    assert f"not worse by 0.05 or more {verdict}" in other.sentence and (other.p_value > 0.5) == near
    each = one(findings, "each-claimed-optimal-top2-random2").sentence
    assert f"{0 if near else 19} of 19 random sets (random2) score within 0.05 of top2 or above" in each
    assert f"{0 if near else 19} are shown not to be worse" in each and "0 to be equivalent" in each
    everywhere = one(findings, "all-heads-optimal-top2-everywhere")  # at 0.1, better than both
    assert everywhere.high < 0.0 and everywhere.estimate == pytest.approx(0.1 - claimed, abs=0.05)
    assert one(findings, "unedited-optimal-top2").estimate == pytest.approx(1.0 - claimed, abs=0.05)


def test_without_a_primary_test_all_is_exploratory(make: Make) -> None:
    findings = make(Design(sets=SETS, draws=5, seeds=(0,), comparison={}))
    assert {each.role for each in findings.statements} == {"exploratory"}
    assert findings.verdict.startswith("No primary test was named before the run, so this is exploratory. Optimal: top2 ")
    assert "the sweep was too small to tell" in findings.verdict
    assert "cannot find anything; 19 draws could" in one(findings, "smallest-p-optimal-top2-random2").sentence
