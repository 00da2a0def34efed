"""Strengths are chosen on validation alone; scores agree with the answers; comparisons are fair."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up import Design

from analysis import stats
from analysis.compare import compare_claimed, compare_pairs, compare_single_heads
from analysis.results import Results
from analysis.scores import (
    answers_of,
    choose_strengths,
    pick_extreme_unit,
    score_unedited,
    score_units,
    unedited_answers,
)

Write = Callable[[Design], Path]


def make_trials(rows: list[tuple]) -> pd.DataFrame:
    """Rows of (unit, strength, seed, validation, test): optimal trials at single heads, done."""
    frame = pd.DataFrame(rows, columns=["unit", "strength", "seed", "validation_truth_info", "test_truth"])
    constant = {"edit": "optimal", "fold": 0, "status": "done", "set": "singles", "kind": "single"}
    return frame.assign(**constant)


def chosen_strengths(trials: pd.DataFrame) -> dict[str, float]:
    """Unit -> strength."""
    return choose_strengths(trials).trials.groupby("unit")["strength"].first().to_dict()


def test_choice_looks_at_validation_alone_and_averages_seeds() -> None:
    rows = [
        ("a", 0.1, 0, 0.6, 0.1),
        ("a", 0.1, 1, 0.6, 0.1),
        ("a", 0.2, 0, 0.9, 1.0),
        ("a", 0.2, 1, 0.2, 1.0),
    ]
    choice = choose_strengths(make_trials(rows))
    assert choice.trials["strength"].tolist() == [0.1, 0.1]
    assert choice.trials["edge"].tolist() == ["lowest", "lowest"]
    altered = make_trials([(*row[:4], 1.0 - row[4]) for row in rows])
    assert chosen_strengths(altered) == {"a": 0.1}


def test_of_equal_scores_the_smallest_strength_is_taken() -> None:
    trials = make_trials([("a", strength, 0, 0.5, 0.5) for strength in (0.5, 0.1, 0.2)])
    assert chosen_strengths(trials) == {"a": 0.1}


def test_inner_and_lonely_strengths_are_no_edges() -> None:
    inner = make_trials([("a", s, 0, v, 0.0) for s, v in ((0.1, 0.2), (0.2, 0.9), (0.3, 0.4))])
    lonely = make_trials([("a", 0.1, 0, np.nan, 0.0)])
    for trials in (inner, lonely):
        assert choose_strengths(trials).trials["edge"].tolist() == [""]


def test_all_locations_choose_from_the_same_strengths() -> None:
    """A strength that few finished is dropped for all; a location without a common strength is left out."""
    rows = [(f"u{i}", s, 0, s, 0.0) for i in range(20) for s in (0.1, 0.2, 0.3)]
    trials = make_trials(rows)
    trials.loc[(trials["strength"] == 0.3) & trials["unit"].isin([f"u{i}" for i in range(5)]), "status"] = (
        "failed"
    )
    trials.loc[(trials["strength"] == 0.1) & (trials["unit"] == "u7"), "status"] = "missing"
    choice = choose_strengths(trials)
    assert choice.dropped == {"optimal": [0.3]}
    assert choice.incomplete["unit"].tolist() == ["u7"]
    assert choice.trials["unit"].nunique() == 19
    assert set(choice.trials["strength"]) == {0.2} and set(choice.trials["edge"]) == {"highest"}


def test_best_head_is_the_best_on_validation_in_each_fold() -> None:
    trials = make_trials(
        [("a", 0.1, 0, 0.9, 0.0), ("b", 0.1, 0, 0.5, 1.0), ("a", 0.1, 0, 0.2, 0.0), ("b", 0.1, 0, 0.4, 1.0)]
    )
    chosen = trials.assign(fold=[0, 0, 1, 1], edge="")
    assert pick_extreme_unit(chosen, best=True)["test_truth"].tolist() == [0.0, 1.0]
    assert pick_extreme_unit(chosen, best=False)["test_truth"].tolist() == [1.0, 0.0]


@pytest.mark.parametrize("folds", [1, 3])
def test_scores_agree_with_the_answers(write: Write, folds: int) -> None:
    results = Results(write(Design(folds=folds)))
    choice = choose_strengths(results.trials)
    scores = score_units(choice.trials, results.test_questions)
    assert len(scores) == 16 + 2 * 12 + 2 * 1 + 3 * 1
    for _, row in scores.iterrows():
        trials = choice.trials[
            (choice.trials["edit"] == row["edit"]) & (choice.trials["unit"] == row["unit"])
        ]
        answers = answers_of(results, trials)
        assert answers is not None and answers.truth.shape == (row["seeds"], 40 * folds)
        assert row["truth_info"] == pytest.approx(stats.truth_info(answers), abs=1e-6)
        assert row["truth"] == pytest.approx(answers.truth.mean(), abs=1e-6)
        assert row["both"] == pytest.approx((answers.truth * answers.info).mean(), abs=1e-6)
    assert score_unedited(results)["truth_info"] == pytest.approx(
        stats.truth_info(unedited_answers(results)), abs=1e-6
    )


def test_the_paired_questions_are_the_same_for_all_locations(write: Write) -> None:
    """Folds stand in one order, so the k-th answer of every location belongs to one question."""
    results = Results(write(Design(folds=2)))
    trials = choose_strengths(results.trials).trials
    rows = trials[(trials["unit"] == "top2") & (trials["edit"] == "optimal")]
    expected = [
        results.trial_items("truth", rows.index[(rows["seed"] == 1) & (rows["fold"] == fold)][0])
        for fold in (0, 1)
    ]
    assert (
        answers_of(results, rows.sample(frac=1, random_state=0)).truth[1].tolist()
        == np.concatenate(expected).tolist()
    )


def test_claimed_set_is_ranked_among_complete_random_sets(write: Write) -> None:
    lost = {"random2[3]", "random2[8]"}
    results = Results(
        write(Design(draws=40, failed=lambda trial: trial["name"] in lost and trial["strength"] == 0.2))
    )
    comparisons, problems = compare_claimed(results, stats.resample_weights(40))
    assert problems == [] and [each.edit for each in comparisons] == ["optimal", "iti"]
    optimal, iti = comparisons
    assert (len(optimal.draws), optimal.left_out, len(iti.draws), iti.left_out) == (38, 2, 40, 0)
    assert not lost & set(optimal.draws.index) and optimal.matched
    at_least = int(np.sum(optimal.draws >= optimal.score.value - 1e-6))
    assert optimal.rank.p_value == (at_least + 1) / 39
    assert optimal.cautious_p == (at_least + 3) / 41
    heads = results.column("locations/mask")[results.locations["kind"] == "random"]
    assert optimal.shared_heads == pytest.approx(heads[:, [5, 6]].sum(axis=1).mean())


def test_an_unfinished_claimed_set_is_named(write: Write) -> None:
    results = Results(write(Design(missing=lambda trial: trial["name"] == "top2" and trial["edit"] == "iti")))
    comparisons, problems = compare_claimed(results, stats.resample_weights(40))
    assert [each.edit for each in comparisons] == ["optimal"]
    assert problems == ["ITI: top2 is not ranked among random2, for top2 is not complete"]


def test_claimed_set_is_compared_on_the_strengths_that_it_finished(write: Write) -> None:
    """A strength that failed at the claimed set alone is taken from the random sets too."""
    results = Results(
        write(Design(failed=lambda trial: trial["name"] == "top2" and trial["strength"] == 0.2))
    )
    optimal, iti = compare_claimed(results, stats.resample_weights(40))[0]
    assert (optimal.strengths, optimal.all_strengths, iti.all_strengths) == ([0.1, 0.5], False, True)
    trials = results.trials[(results.trials["set"] == "random2") & (results.trials["edit"] == "optimal")]
    choice = choose_strengths(trials[trials["strength"] != 0.2])
    expected = score_units(choice.trials, results.test_questions).set_index("unit")["truth_info"]
    assert optimal.draws.to_dict() == expected.to_dict()


def test_pairs_and_single_heads(write: Write) -> None:
    results = Results(write(Design()))
    choice = choose_strengths(results.trials)
    differences = compare_pairs(results, choice, stats.resample_weights(40))
    assert [(each.first, each.second) for each in differences] == [
        ("Optimal, top2", "Optimal, everywhere"),
        ("Optimal, best single head", "Optimal, everywhere"),
        ("ITI, top2", "ITI, everywhere"),
        ("Optimal, top2", "ITI, top2"),
    ]
    scores = score_units(choice.trials, results.test_questions).set_index(["edit", "unit"])["truth_info"]
    first = differences[0].interval
    assert first.value == pytest.approx(scores["optimal", "top2"] - scores["optimal", "everywhere"], abs=1e-6)
    for each in compare_single_heads(score_units(choice.trials, results.test_questions)):
        singles = [
            value
            for (edit, unit), value in scores.items()
            if edit == each.edit and unit.startswith("singles")
        ]
        assert (each.at_least, each.count) == (
            sum(v >= scores[each.edit, each.reference] - 1e-6 for v in singles),
            16,
        )
