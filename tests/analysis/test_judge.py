"""Errors of judges: sensitivity, specificity and corrected shares, by hand and in the report."""
import numpy as np
import pandas as pd
import pytest
from made_up import Design, write_results

from analysis.findings import find, judge_notes
from analysis.judge import Quality, judge_lines, judge_quality, needs_correction, with_corrected
from analysis.show.page import make_page
from analysis.report import text_lines
from analysis.results import Results


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A judge that errs on 2 of 10 correct, 1 of 10 refusing and 3 of 10 incorrect references."""
    return Results(write_results(tmp_path_factory.mktemp("judge") / "results.h5", Design(wrong=(2, 1, 3))))


def test_quality_by_hand(results):
    quality = judge_quality(results)
    assert quality["truth"] == Quality(pytest.approx(17 / 20), pytest.approx(7 / 10), 20, 10, 10)
    assert quality["info"] == Quality(pytest.approx(15 / 20), pytest.approx(9 / 10), 20, 10, 10)


def test_correction_inverts_the_errors_of_a_judge():
    quality = Quality(sensitivity=0.8, specificity=0.9, positives=10, negatives=10)
    for share in (0.0, 0.3, 1.0):
        said = share * 0.8 + (1 - share) * 0.1
        assert quality.correct(said) == pytest.approx(share)
    assert quality.correct([0.05, 0.95]).tolist() == [0.0, 1.0]  # rarer or commoner than errors alone explain
    assert np.isnan(Quality(0.4, 0.6, 10, 10).correct([0.5])).all()
    assert np.isnan(Quality(np.nan, 0.9, 0, 10).correct([0.5])).all()
    assert np.isnan(quality.correct([np.nan])).all()


def test_trials_and_summary_are_corrected(results):
    trials = with_corrected(results, results.trials, ("validation_", "test_"))
    expected = np.clip((trials["test_truth"] + 0.7 - 1) / (0.85 + 0.7 - 1), 0, 1)
    assert np.allclose(trials["test_truth_corrected"], expected)
    expected = np.clip((trials["validation_info"] + 0.9 - 1) / (0.75 + 0.9 - 1), 0, 1)
    assert np.allclose(trials["validation_info_corrected"], expected)
    found = find(results)
    unedited = found.summary.iloc[0]
    assert unedited["truth_corrected"] == pytest.approx(np.clip((unedited["truth"] - 0.3) / 0.55, 0, 1))
    text = "\n".join(text_lines(found))
    assert "truth corrected" in text and "85.0 % (95 % interval 62 to 97 %)" in text and "70.0 % (95 % interval 35 to 93 %)" in text
    assert "Rogan and Gladen" in make_page(found, [])


def test_a_judge_without_errors_changes_no_report(tmp_path):
    for design in (Design(), Design(judged=False)):
        results = Results(write_results(tmp_path / "results.h5", design))
        assert not needs_correction(results) and judge_lines(results) == [] == judge_notes(results)
        found = find(results)
        assert "truth_corrected" not in found.summary and "corrected" not in "\n".join(text_lines(found))


def test_a_judge_by_chance_is_named(tmp_path):
    results = Results(write_results(tmp_path / "results.h5", Design(wrong=(5, 5, 5))))
    assert all("no better than chance" in line for line in judge_lines(results))
    assert isinstance(find(results).summary, pd.DataFrame)
    assert find(results).summary["truth_corrected"].isna().all()


def test_truth_alone_is_the_score_where_nobody_judged_information(tmp_path):
    results = Results(write_results(tmp_path / "results.h5", Design(info_judged=False)))
    judged = results.trials[results.trials["status"] == "done"]
    assert (judged["test_info"] == 1).all() and (judged["test_truth_info"] == judged["test_truth"]).all()
    assert (results.trial_items("info", judged.index[0]) == 1).all()
    found = find(results)
    assert found.summary["truth_info"].notna().all()
    assert any("Truth*Info is truth" in line for line in judge_notes(results))
