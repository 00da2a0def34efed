"""Comparisons of scored locations: the claimed set among random sets, paired differences, single heads.

In: `Results` and the choice of strengths.  Out: small records that the report prints.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import stats
from analysis.results import Results
from analysis.scores import (
    SCORE,
    Choice,
    answers_of,
    choose_strengths,
    edit_name,
    is_finished,
    pick_extreme_unit,
    score_units,
)

CLAIMED_KINDS = ("top", "list")


@dataclass(frozen=True)
class Comparison:
    """A claimed set of heads among random sets under one edit."""

    edit: str
    claimed: str
    random: str
    matched: bool  # the random sets have as many heads in each layer as the claimed one
    strengths: list[float]  # those that the claimed set finished and most random sets did
    all_strengths: bool  # whether these are all that were planned
    score: stats.Interval
    draws: pd.Series  # Truth*Info of each random set that is complete
    left_out: int  # random sets that are not complete
    shared_heads: float  # mean number of heads that a random set shares with the claimed one
    size: int

    @property
    def rank(self) -> stats.RankTest:
        """Among the complete random sets."""
        return stats.rank_test(self.score.value, self.draws)

    @property
    def cautious_p(self) -> float:
        """The p if every random set that is not complete were at least as good."""
        rank = self.rank
        return (rank.at_least + self.left_out + 1) / (rank.draws + self.left_out + 1)

    @property
    def mean_p(self) -> float:
        """The t-test of arXiv 2502.11447 on the same scores."""
        return stats.mean_test(self.score.value, self.draws) if len(self.draws) > 1 else float("nan")

    def as_row(self) -> dict[str, object]:
        """For a table."""
        return {
            "edit": self.edit,
            "claimed": self.claimed,
            "random": self.random,
            "matched_in_layers": self.matched,
            "strengths": " ".join(f"{strength:g}" for strength in self.strengths),
            "truth_info": self.score.value,
            "low": self.score.low,
            "high": self.score.high,
            "random_mean": self.draws.mean(),
            "random_sd": self.draws.std(),
            "draws": self.rank.draws,
            "at_least_as_good": self.rank.at_least,
            "rank_p": self.rank.p_value,
            "smallest_p": self.rank.smallest_p,
            "left_out": self.left_out,
            "cautious_p": self.cautious_p,
            "shared_heads": self.shared_heads,
            "mean_p": self.mean_p,
        }


@dataclass(frozen=True)
class Difference:
    """Truth*Info of one location minus another's, on the same questions."""

    first: str
    second: str
    interval: stats.Interval


@dataclass(frozen=True)
class SingleHeads:
    """Share of single heads whose edit is at least as good as a reference."""

    edit: str
    reference: str
    at_least: int
    count: int

    @property
    def share(self) -> stats.Interval:
        """With its exact binomial interval."""
        return stats.share_interval(self.at_least, self.count)


def compare_claimed(results: Results, weights: np.ndarray) -> tuple[list[Comparison], list[str]]:
    """Every claimed set among the random sets of its size, for each edit of both; and what could not be."""
    comparisons: list[Comparison] = []
    problems: list[str] = []
    trials = results.trials
    for edit in trials["edit"].unique():
        planned = trials[trials["edit"] == edit]
        for claimed in planned.loc[planned["kind"].isin(CLAIMED_KINDS), "set"].unique():
            for random in _random_sets(planned, claimed):
                pair = planned[planned["set"].isin((claimed, random))]
                found = _compare(results, pair, claimed, random, weights)
                if isinstance(found, str):
                    problems.append(found)
                else:
                    comparisons.append(found)
    return comparisons, problems


def compare_pairs(results: Results, choice: Choice, weights: np.ndarray) -> list[Difference]:
    """Claimed set and best single head against all heads, per edit; optimal against ITI at claimed sets."""
    differences = []
    for first, second in _pairs(choice.trials):
        answers, others = answers_of(results, first.trials), answers_of(results, second.trials)
        if answers is not None and others is not None:
            interval = stats.paired_difference(answers, others, weights)
            differences.append(Difference(first.label, second.label, interval))
    return differences


def compare_single_heads(scores: pd.DataFrame) -> list[SingleHeads]:
    """How many single heads reach the claimed sets and all heads, on test questions, per edit."""
    found = []
    for edit, rows in scores[scores[SCORE].notna()].groupby("edit", sort=False):
        singles = rows.loc[rows["kind"] == "single", SCORE]
        references = rows[rows["kind"].isin((*CLAIMED_KINDS, "all"))]
        for unit, score in zip(references["unit"], references[SCORE], strict=True):
            if not singles.empty:
                found.append(SingleHeads(edit, unit, int(np.sum(singles >= score - stats.TIE)), len(singles)))
    return found


@dataclass(frozen=True)
class _Side:
    """One side of a paired difference."""

    label: str
    unit: str
    trials: pd.DataFrame


def _pairs(chosen: pd.DataFrame) -> Iterator[tuple[_Side, _Side]]:
    for edit in chosen["edit"].unique():
        rows = chosen[chosen["edit"] == edit]
        yield from itertools.product(
            [*_sides(rows, CLAIMED_KINDS), *_sides(_best_single_head(rows), ("single",))],
            _sides(rows, ("all",)),
        )
    for optimal in _sides(chosen[chosen["edit"] == "optimal"], CLAIMED_KINDS):
        for iti in _sides(chosen[chosen["edit"] == "iti"], CLAIMED_KINDS):
            if optimal.unit == iti.unit:
                yield optimal, iti


def _sides(rows: pd.DataFrame, kinds: tuple[str, ...]) -> list[_Side]:
    units = rows[rows["kind"].isin(kinds)].groupby(["edit", "unit"], sort=False)
    return [_Side(f"{edit_name(edit)}, {unit}", unit, trials) for (edit, unit), trials in units]


def _best_single_head(rows: pd.DataFrame) -> pd.DataFrame:
    return pick_extreme_unit(rows[rows["kind"] == "single"], best=True)


def _random_sets(planned: pd.DataFrame, claimed: str) -> list[str]:
    """Random sets matched to the claimed one first, then others of its size."""
    sizes = set(planned.loc[planned["set"] == claimed, "size"])
    random = planned[planned["kind"] == "random"].drop_duplicates("set")
    matched = random[random["matched_to"] == claimed]
    others = random[(random["matched_to"] != claimed) & random["size"].isin(sizes)]
    return [*matched["set"], *others["set"]]


def _compare(
    results: Results, planned: pd.DataFrame, claimed: str, random: str, weights: np.ndarray
) -> Comparison | str:
    """On strengths that the claimed set finished, and that both sets were planned at; or why it cannot be."""
    edit = planned["edit"].iloc[0]
    strengths = _common_strengths(planned, claimed, random)
    choice = choose_strengths(planned[planned["strength"].isin(strengths)])
    scores = score_units(choice.trials, results.test_questions)
    scores = scores[scores[SCORE].notna()].set_index("unit")
    draws = scores.loc[scores["set"] == random, SCORE]
    if claimed not in scores["set"].to_numpy() or draws.empty:
        lacking = random if claimed in scores["set"].to_numpy() else claimed
        return f"{edit_name(edit)}: {claimed} is not ranked among {random}, for {lacking} is not complete"
    of_random = planned[planned["set"] == random]
    return Comparison(
        edit=edit,
        claimed=claimed,
        random=random,
        matched=bool((of_random["matched_to"] == claimed).all()),
        strengths=choice.strengths[edit],
        all_strengths=set(choice.strengths[edit]) == set(planned["strength"]),
        score=_with_interval(results, choice.trials[choice.trials["set"] == claimed], weights, scores),
        draws=draws,
        left_out=of_random["unit"].nunique() - len(draws),
        shared_heads=_shared_heads(results, claimed, random),
        size=int(planned.loc[planned["set"] == claimed, "size"].iloc[0]),
    )


def _common_strengths(planned: pd.DataFrame, claimed: str, random: str) -> set[float]:
    of_claimed = planned[planned["set"] == claimed]
    finished = is_finished(of_claimed).groupby(of_claimed["strength"]).all()
    return set(finished.index[finished]) & set(planned.loc[planned["set"] == random, "strength"])


def _with_interval(
    results: Results, trials: pd.DataFrame, weights: np.ndarray, scores: pd.DataFrame
) -> stats.Interval:
    value = float(scores.loc[trials["unit"].iloc[0], SCORE])
    answers = answers_of(results, trials)
    if answers is None:
        return stats.Interval(value, float("nan"), float("nan"))
    interval = stats.truth_info_interval(answers, weights)
    return stats.Interval(value, interval.low, interval.high)


def _shared_heads(results: Results, claimed: str, random: str) -> float:
    """Heads that a random set shares with the claimed one: mean over the sets, fold by fold."""
    mask = results.column("locations/mask").astype(np.int64)
    fold = results.locations["fold"].to_numpy()
    first, second = (np.flatnonzero(results.locations["set"] == name) for name in (random, claimed))
    shared = mask[first] @ mask[second].T
    same_fold = (fold[first, None] == fold[second]) | (fold[first, None] == -1) | (fold[second] == -1)
    return float(shared[same_fold].mean())
