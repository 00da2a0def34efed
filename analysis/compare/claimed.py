"""The claimed set of heads among random sets. In: a `Sweep`. Out: one `Comparison` for each claimed set, random sets and edit."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .. import stats
from ..scores import SCORE, TEST, choose_strengths, edit_name
from ..statement import count
from ..stats import Interval
from ..stats.equivalence import Equivalence, equivalence, mean_of_draws
from ..stats.multiple import bonferroni
from ..stats.resample import score_interval
from ..sweep import CLAIMED_KINDS, Sweep


@dataclass(frozen=True)
class MeanEquivalence:
    """The mean of random sets minus a reference, and whether both are equivalent."""

    difference: Interval  # of the draws that finished
    test: Equivalence  # the others count at their worst
    draws: int  # that finished
    planned: int

    @property
    def n(self) -> str:
        """`40 draws`, or `14 of 40 draws`."""
        return count_finished(self.draws, self.planned, "draw")

    @property
    def caveat(self) -> str:
        """How draws that were lost count."""
        lost = self.planned - self.draws
        return f", {count(lost, 'unfinished draw')} at worst" if lost else ""


@dataclass(frozen=True)
class Comparison:
    """A claimed set of heads among random sets under one edit."""

    edit: str
    claimed: str
    random: str
    matched: bool  # the random sets have as many heads in each layer as the claimed one
    role: str  # "primary", if the job names this one, else "secondary" or "exploratory"
    strengths: list[float]  # those that the claimed set finished and most random sets did
    all_strengths: bool  # whether these are all that were planned
    score: stats.Interval
    draws: pd.Series  # score of each random set that is complete, by draw
    planned: int  # random sets
    looks: int  # at results, before draws were added and since
    shared: pd.Series  # heads that each random set of `draws` shares with the claimed one, mean over folds
    size: int
    redrawn: bool  # a draw keeps fewer of its heads from fold to fold than the claimed set
    trials: pd.DataFrame  # of both, at the strengths chosen on validation
    equivalence: MeanEquivalence | None  # of the mean of random sets and the claimed one
    both: stats.RankTest | None  # the same trials by the share true and informative, if the score is Truth*Info
    best_on_test: stats.RankTest | None  # by the paper's own convention: each location's best strength on test

    @property
    def rank(self) -> stats.RankTest:
        """Among the complete random sets."""
        return stats.rank_test(self.score.value, self.draws)

    @property
    def left_out(self) -> int:
        """Random sets that are not complete."""
        return self.planned - len(self.draws)

    @property
    def cautious_p(self) -> float:
        """The rank p if every random set that is not complete were at least as good; it counts once a look."""
        return self.counted(self.rank.at_worst(self.planned))

    @property
    def joint_p(self) -> float:
        """Of the co-primary tests, which must both be passed: the larger p, uncorrected (intersection-union; Berger 1982).

        That of the rank where the score is not Truth*Info.
        """
        return max(self.rank.p_value, self.both.p_value if self.both else 0.0)

    @property
    def cautious_joint_p(self) -> float:
        """The joint p if every random set that is not complete were at least as good; it decides what is unusual."""
        return max(self.cautious_p, self.counted(self.both.at_worst(self.planned)) if self.both else 0.0)

    def counted(self, p_value: float) -> float:
        """A p of these draws, as often as the results could be looked at."""
        return bonferroni(p_value, self.looks)

    @property
    def percentile(self) -> float:
        """Share of the random sets, in percent, that the claimed set beats."""
        return 100.0 * (1.0 - self.rank.at_least / self.rank.draws)

    @property
    def mean_p(self) -> float:
        """The t-test of arXiv 2502.11447 on the same scores."""
        return stats.mean_test(self.score.value, self.draws) if len(self.draws) > 1 else float("nan")

    @property
    def shared_heads(self) -> float:
        """Mean number of heads that a random set shares with the claimed one."""
        return float(self.shared.mean())

    @property
    def label(self) -> str:
        """`Optimal: top16 among matched16`."""
        return f"{edit_name(self.edit)}: {self.claimed} among {self.random}"

    @property
    def of_claimed(self) -> pd.DataFrame:
        """Chosen trials of the claimed set."""
        return self.trials[self.trials["set"] == self.claimed]

    @property
    def of_random(self) -> pd.DataFrame:
        """Chosen trials of the random sets."""
        return self.trials[self.trials["set"] == self.random]

    def as_row(self) -> dict[str, object]:
        """For a table."""
        rank, same = self.rank, self.equivalence
        return {
            "edit": self.edit,
            "claimed": self.claimed,
            "random": self.random,
            "role": self.role,
            "matched_in_layers": self.matched,
            "strengths": " ".join(f"{strength:g}" for strength in self.strengths),
            "score": self.score.value,
            "low": self.score.low,
            "high": self.score.high,
            "random_mean": self.draws.mean(),
            "random_sd": self.draws.std(),
            "draws": rank.draws,
            "at_least_as_good": rank.at_least,
            "percentile": self.percentile,
            "rank_p": rank.p_value,
            "smallest_p": rank.smallest_p,
            "left_out": self.left_out,
            "looks": self.looks,
            "cautious_p": self.cautious_p,
            "random_minus_claimed": same.difference.value if same else np.nan,
            "equivalent_p": same.test.p_value if same else np.nan,
            "not_worse_p": same.test.p_lower if same else np.nan,
            "shared_heads": self.shared_heads,
            "both_rank_p": self.both.p_value if self.both else np.nan,
            "joint_p": self.joint_p,
            "cautious_joint_p": self.cautious_joint_p,
            "best_on_test_rank_p": self.best_on_test.p_value if self.best_on_test else np.nan,
            "mean_p": self.mean_p,
        }


def compare_claimed(sweep: Sweep) -> tuple[list[Comparison], list[str]]:
    """Every claimed set among the random sets of its size, for each edit of both, the primary test first.

    Also what could not be compared, in sentences.
    """
    comparisons: list[Comparison] = []
    problems: list[str] = []
    for edit in sweep.edits:
        for claimed in sweep.sets(edit, CLAIMED_KINDS):
            for random in _random_sets(sweep, edit, claimed):
                found = _compare(sweep, edit, claimed, random)
                if isinstance(found, str):
                    problems.append(found)
                else:
                    comparisons.append(found)
    return sorted(comparisons, key=lambda each: each.role != "primary"), problems


def count_finished(finished: int, planned: int, noun: str) -> str:
    """`40 draws`, or `14 of 40 draws`."""
    return count(planned, noun) if finished == planned else f"{finished} of {count(planned, noun)}"


def mean_equivalence(
    sweep: Sweep, reference: pd.DataFrame, others: pd.DataFrame, planned: int
) -> MeanEquivalence | None:
    """Mean of draws minus a reference, questions and draws resampled; None where the resamples show no spread."""
    lead, settings = sweep.lead(reference, others), sweep.settings
    if lead is None or not np.ptp(lead.resampled) > 0.0:
        return None
    difference, draws = lead.interval, list(sweep.answers_by_unit(others).values())
    test = equivalence(-lead.resampled, settings.margin, settings.level)
    if len(draws) < planned:
        ours, lost = sweep.answers(reference), planned - len(draws)
        test = mean_of_draws(ours, draws, lost, settings.margin, settings.level, sweep.groups, settings.bounded)
    return MeanEquivalence(
        Interval(-difference.value, -difference.high, -difference.low), test, len(draws), planned
    )


def rank_of(scores: pd.DataFrame, claimed: str, random: str, name: str = SCORE) -> stats.RankTest | None:
    """Rank of the claimed set's score among the random sets'; None where either lacks one."""
    known = scores[scores[name].notna()]
    own, draws = (known.loc[known["set"] == one, name] for one in (claimed, random))
    return stats.rank_test(float(own.iloc[0]), draws) if len(own) and len(draws) else None


def _random_sets(sweep: Sweep, edit: str, claimed: str) -> list[str]:
    """Random sets matched to the claimed one first, then others of its size."""
    planned = sweep.trials[sweep.trials["edit"] == edit]
    sizes = set(planned.loc[planned["set"] == claimed, "size"])
    random = planned[planned["kind"] == "random"].drop_duplicates("set")
    matched = random[random["matched_to"] == claimed]
    others = random[(random["matched_to"] != claimed) & random["size"].isin(sizes)]
    return [*matched["set"], *others["set"]]


def _compare(sweep: Sweep, edit: str, claimed: str, random: str) -> Comparison | str:
    """On strengths that the claimed set finished, and that both sets were planned at; or why it cannot be."""
    choice = sweep.choose(edit, (claimed, random))
    scores = sweep.scores(choice.trials)
    draws = scores[scores["set"] == random].set_index("unit")[SCORE]
    if claimed not in scores["set"].to_numpy() or draws.empty:
        lacking = random if claimed in scores["set"].to_numpy() else claimed
        return f"{edit_name(edit)}: {claimed} is not ranked among {random}, for {lacking} is not complete"
    trials = sweep.trials[(sweep.trials["edit"] == edit) & sweep.trials["set"].isin((claimed, random))]
    of_random = trials[trials["set"] == random]
    primary = sweep.settings.primary
    is_primary = (edit, claimed, random) == (primary.edit, primary.claimed, primary.among)
    on_test = choose_strengths(sweep.planned(edit, (claimed, random)), TEST)
    own, others = (choice.trials[choice.trials["set"] == name] for name in (claimed, random))
    planned = of_random["unit"].nunique()
    return Comparison(
        edit=edit,
        claimed=claimed,
        random=random,
        matched=bool((of_random["matched_to"] == claimed).all()),
        role="primary" if is_primary else sweep.other_role,
        strengths=choice.strengths[edit],
        all_strengths=set(choice.strengths[edit]) == set(trials["strength"]),
        score=_with_interval(sweep, scores, own),
        draws=draws,
        planned=planned,
        looks=sweep.looks,
        redrawn=_is_redrawn(sweep, claimed, random),
        shared=_shared_heads(sweep, claimed, random).loc[draws.index],
        size=int(trials.loc[trials["set"] == claimed, "size"].iloc[0]),
        trials=choice.trials,
        equivalence=mean_equivalence(sweep, own, others, planned),
        both=rank_of(scores, claimed, random, "both") if sweep.settings.score == "truth_info" else None,
        best_on_test=rank_of(sweep.scores(on_test.trials), claimed, random),
    )


def _with_interval(sweep: Sweep, scores: pd.DataFrame, trials: pd.DataFrame) -> stats.Interval:
    """The score of one location, with a bootstrap interval over questions where its answers are known."""
    value = float(scores.set_index("unit").loc[trials["unit"].iloc[0], SCORE])
    answers = sweep.answers(trials)
    if answers is None:
        return stats.Interval(value, float("nan"), float("nan"))
    interval = score_interval(answers, sweep.weights, level=sweep.settings.confidence)
    return stats.Interval(value, interval.low, interval.high)


def _is_redrawn(sweep: Sweep, claimed: str, random: str) -> bool:
    """Whether draws keep fewer of their heads from fold to fold than the claimed set does."""
    kept, of_claimed = (_heads_kept(sweep, name) for name in (random, claimed))
    return kept < of_claimed - 0.5


def _heads_kept(sweep: Sweep, name: str) -> float:
    """Heads that a location shares with itself in another fold: mean over folds and locations of a set."""
    own = np.flatnonzero(sweep.results.locations["set"] == name)
    mask = sweep.results.column("locations/mask")[own].astype(np.float64)
    units = sweep.results.locations["unit"].iloc[own].reset_index(drop=True)
    shared = []
    for rows in units.groupby(units).indices.values():
        pairs = mask[rows] @ mask[rows].T
        shared.append(pairs[np.triu_indices(len(rows), min(1, len(rows) - 1))].mean())
    return float(np.mean(shared))


def _shared_heads(sweep: Sweep, claimed: str, random: str) -> pd.Series:
    """Heads that each random set shares with the claimed one, fold by fold, mean over folds."""
    locations = sweep.results.locations
    mask = sweep.results.column("locations/mask").astype(np.float64)
    fold = locations["fold"].to_numpy()
    first, second = (np.flatnonzero(locations["set"] == name) for name in (random, claimed))
    same_fold = (fold[first, None] == fold[second]) | (fold[first, None] == -1) | (fold[second] == -1)
    shared = np.where(same_fold, mask[first] @ mask[second].T, np.nan)
    return pd.Series(np.nanmean(shared, axis=1)).groupby(locations["unit"].to_numpy()[first]).mean()
