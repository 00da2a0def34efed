"""Sweeps with a known answer, from results.h5 to statements and verdict: special, usual, partial, failed, exploratory."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import made_up
import numpy as np
import pandas as pd
import pytest
from made_up import COMPARISON, Design, write_results
from scipy import stats as scipy_stats

from analysis.compare.claimed import _is_redrawn
from analysis.compare.sweeps import compare_sweeps
from analysis.compare.unusual import state_unusual
from analysis.findings import Findings, find
from analysis.results import Results
from analysis.statement import TOPICS, Statement
from analysis.stats import RankTest
from analysis.sweep import Sweep
from analysis.verdict import make_verdict

SETS = ("random2", "top2", "everywhere")
DRAWS = "draws-optimal-top2-random2"
Make = Callable[..., Findings]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Findings of a made-up sweep whose locations have the named chances of a true answer, by kind."""
    plain = made_up.make_locations

    def made(design: Design, change: Callable[[Path], None] = lambda path: None, **quality: float) -> Findings:
        def with_quality(design: Design) -> list[dict]:
            return [row | {"quality": quality.get(row["kind"], row["quality"])} for row in plain(design)]

        monkeypatch.setattr(made_up, "make_locations", with_quality)
        path = write_results(tmp_path / "results.h5", design)
        change(path)
        return find(Results(path))

    return made


def one(findings: Findings, key: str) -> Statement:
    """The statement of that key; there must be exactly one."""
    (found,) = [each for each in findings.statements if each.key == key]
    return found


def assert_sound(findings: Findings) -> None:
    """What holds of all statements."""
    keys = [each.key for each in findings.statements]
    assert len(set(keys)) == len(keys)
    assert [TOPICS.index(each.topic) for each in findings.statements] == sorted(
        TOPICS.index(each.topic) for each in findings.statements
    )
    for each in findings.statements:
        assert re.fullmatch(r"[A-Zt].*\.", each.sentence) and "nan" not in each.sentence, each.sentence
        assert not 0.0 >= each.p_value and not each.p_value > 1.0
        if np.isfinite(each.low):
            assert each.low - 1e-9 <= each.estimate <= each.high + 1e-9 and each.assumption and each.n


def test_a_special_set_is_unusual(make: Make) -> None:
    findings = make(Design(sets=SETS, draws=30, seeds=(0,)), random=0.4, top=0.95, all=0.9)
    assert_sound(findings)
    rank = one(findings, "rank-optimal-top2-random2")
    assert (rank.role, rank.p_value, rank.estimate) == ("primary", 1 / 31, 1.0)
    assert one(findings, "both-optimal-top2-random2").role == "co-primary"
    assert [each.role for each in findings.statements].count("primary") == 1
    assert "0 of 30 random sets (random2, as many heads in each layer) reach as much" in rank.sentence
    assert findings.verdict.startswith("Optimal: top2 is unusual among 30 random sets")
    assert "not shown to be equivalent within 0.05" in findings.verdict
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
    assert (
        "the sweep was extended once, on 2026-11-20, when 24 of 32 trials were done; if after a look at them, read the "
        "sequential test instead of the rank." in one(findings, DRAWS).sentence
    )
    design.extensions += (("2026-11-21T08:00:00Z", 80, 90, 80),)
    assert "extended twice, on 2026-11-20, when 24 of 32 trials were done and on 2026-11-21" in one(make(design), DRAWS).sentence


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
    assert f"{maps.certified.sum()} are certified" in heads.sentence and f"{maps.mapped.sum()} are on the map" in heads.sentence
    rho = scipy_stats.spearmanr(maps.probe, maps.edited).statistic
    assert one(findings, "spearman-optimal").estimate == pytest.approx(rho)
    assert one(findings, "special-optimal").adjusted == "max-statistic"
    best = findings.results.trials.query("kind == 'single' and not recheck").groupby("unit")["validation_truth_info"].mean()
    assert f"({best.idxmax()})" in one(findings, "best-head-optimal-everywhere").sentence


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
    assert least.p_value == 1.0 and "20 of them have no strength under the cap" in least.sentence
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
