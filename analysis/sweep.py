"""A sweep made ready for comparison: what takes part, strengths chosen alike for all that is compared, answers at hand.

In: `Results`.  Out: `Sweep`, which every topic of the comparison computes its statements from.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .results import Results
from .scores import (
    SCORE,
    VALIDATION,
    Choice,
    answers_of,
    choose_strengths,
    edit_kind,
    is_finished,
    is_on_the_map,
    score_unedited,
    score_units,
    takes_part,
    trials_of_units,
    unedited_answers,
    with_scores,
)
from .settings import read_settings
from .stats import Answers, count_groups
from .stats.resample import Lead, resample_weights, two_way_bootstrap

CLAIMED_KINDS = ("top", "list")


class Sweep:
    """Trials of one file, with the job's settings of the comparison."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.settings = read_settings(results)
        self.all_trials = with_scores(results.trials, self.settings)
        self.map_trials = self.all_trials[is_on_the_map(self.all_trials)]
        self.trials = self.all_trials[takes_part(self.all_trials)]
        self.questions = int(results.test_questions.sum())
        self.groups = results.test_groups  # of each test question
        self.n_questions = results.n_test_questions
        self._answers: dict[tuple[int, ...], Answers | None] = {}
        self._leads: dict[tuple[tuple[int, ...], tuple[int, ...]], Lead | None] = {}
        self._choices: dict[tuple[str, ...], Choice] = {}

    @property
    def other_role(self) -> str:
        """Of all that is not the primary test."""
        return "secondary" if self.settings.primary.is_named else "exploratory"

    @cached_property
    def looks(self) -> int:
        """How often results could be looked at: at the end, and each time the sweep was extended with some known."""
        return 1 + int((self.results.extensions["trials_done"] > 0).sum())

    @cached_property
    def edits(self) -> list[str]:
        """Those that take part, in the file's order."""
        return list(self.trials["edit"].unique())

    @property
    def units(self) -> int:
        """Independent ones among the test questions: their groups."""
        return count_groups(self.groups)

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """Bootstrap resamples of the test questions, whole groups at a time."""
        return resample_weights(self.questions, groups=self.groups, level=self.settings.confidence)

    @cached_property
    def unedited(self) -> pd.Series:
        """The unedited model's test scores."""
        return score_unedited(self.results, self.settings)

    @cached_property
    def unedited_answers(self) -> Answers | None:
        """The unedited model's answers; None: not all measured."""
        return unedited_answers(self.results, self.settings.score)

    def sets(self, edit: str, kinds: Iterable[str]) -> list[str]:
        """Names of the location sets of these kinds under an edit."""
        of_edit = self.trials[self.trials["edit"] == edit]
        return list(of_edit.loc[of_edit["kind"].isin(tuple(kinds)), "set"].unique())

    def planned(self, edit: str, sets: Sequence[str]) -> pd.DataFrame:
        """Trials of the named sets at the strengths that all of them share.

        A set of one location shares what it finished, one of many what it was planned at.
        """
        of_edit = self.trials[self.trials["edit"] == edit]
        rows = of_edit[of_edit["set"].isin(tuple(sets))]
        shared = [self._strengths(of_edit[of_edit["set"] == name]) for name in sets]
        return rows[rows["strength"].isin(set.intersection(*shared))]

    def choose(self, edit: str, sets: Sequence[str], by: str = VALIDATION) -> Choice:
        """Strengths of the named sets, chosen from those that all of them share: the same best-of for each."""
        key = (edit, by, *sorted(sets))
        if key not in self._choices:
            self._choices[key] = choose_strengths(self.planned(edit, sets), by)
        return self._choices[key]

    def scores(self, chosen: pd.DataFrame, whole: bool = True) -> pd.DataFrame:
        """Test scores of each (edit, unit); `whole`: only of those that have one."""
        scores = score_units(chosen, self.results.test_questions, self.settings)
        return scores[scores[SCORE].notna()] if whole else scores

    def answers(self, chosen: pd.DataFrame) -> Answers | None:
        """Answers of one unit's chosen trials; None: not all measured question by question."""
        return next(iter(self.answers_by_unit(chosen).values()), None)

    def answers_by_unit(self, chosen: pd.DataFrame) -> dict[str, Answers]:
        """Answers of each unit of one edit; units that lack any are left out."""
        found = {unit: self._answers_of(trials) for unit, trials in trials_of_units(chosen).items()}
        return {unit: answers for unit, answers in found.items() if answers is not None}

    def lead(self, reference: pd.DataFrame, others: pd.DataFrame) -> Lead | None:
        """Score of one location minus the mean of draws; chosen trials of both.

        None for fewer than two draws, or where the location's answers are not all measured.
        """
        key = tuple(reference.index), tuple(others.index)
        if key not in self._leads:
            answers, draws = self.answers(reference), list(self.answers_by_unit(others).values())
            self._leads[key] = (
                two_way_bootstrap(answers, draws, level=self.settings.confidence, groups=self.groups)
                if answers is not None and len(draws) > 1
                else None
            )
        return self._leads[key]

    def plain_edits(self) -> list[str]:
        """Edits confined to heads, of which single heads, sets and all heads are compared."""
        return [edit for edit in self.edits if edit_kind(edit) != "lora"]

    def _answers_of(self, trials: list[list[int]]) -> Answers | None:
        key = tuple(trial for folds in trials for trial in folds)
        if key not in self._answers:
            self._answers[key] = answers_of(self.results, trials, self.settings.score)
        return self._answers[key]

    @staticmethod
    def _strengths(planned: pd.DataFrame) -> set[float]:
        if planned["unit"].nunique() > 1:
            return set(planned["strength"])
        finished = is_finished(planned).groupby(planned["strength"]).all()
        return set(finished.index[finished])
