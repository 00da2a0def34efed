"""Which single heads are as good as editing everywhere? In: a `Sweep`. Out: statements, and maps of the heads."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .. import stats
from ..scores import SCORE, edit_name, pick_extreme_unit, training_seeds
from ..statement import HEADS, Statement, count, numbers, p_text, percent, slug
from ..stats import Answers, Array
from ..stats.equivalence import heads_not_worse
from ..stats.permute import max_statistic
from ..sweep import CLAIMED_KINDS, Sweep
from .pairs import Side, sampled, state_pair

MAX_REPEATS = 999  # of the max-statistic, which shuffles every answer of every head


@dataclass(frozen=True)
class HeadScores:
    """Test score of an edit at each single head, and the probe's accuracy there: [L*H], as in /heads.

    Without all heads in the sweep, `certified` and `mapped` are false everywhere.
    """

    edit: str
    edited: Array
    probe: Array
    correlation: stats.Interval | None  # Spearman, over the heads that have both
    units: str  # that its interval takes as a sample
    certified: np.ndarray  # not worse than all heads by the margin, by Holm
    mapped: np.ndarray  # the same by Benjamini and Hochberg
    tuning: np.ndarray  # learning rates were chosen there: takes part in no test

    @property
    def used(self) -> np.ndarray:
        """Heads of the correlation."""
        return np.isfinite(self.edited) & np.isfinite(self.probe) & ~self.tuning


def state_heads(sweep: Sweep) -> Iterator[Statement]:
    """Heads against all heads and claimed sets, the best head, and whether some head is special."""
    for edit in sweep.plain_edits():
        singles = sweep.sets(edit, ("single",))
        if not singles:
            continue
        for everywhere in sweep.sets(edit, ("all",)):
            yield from _as_good_as_all(sweep, edit, singles, everywhere)
            yield from _best_head(sweep, edit, singles, everywhere)
        yield from _as_good_as_best(sweep, edit, singles)
        for claimed in sweep.sets(edit, CLAIMED_KINDS):
            yield from _reaching(sweep, edit, singles, claimed)
            yield from _best_head(sweep, edit, singles, claimed)
        yield from _special(sweep, edit, singles)


def not_worse_heads(sweep: Sweep, edit: str) -> pd.DataFrame:
    """Adjusted p of each head, "worse than all heads by the margin or more": columns certified, mapped, by unit."""
    singles, everywhere = sweep.sets(edit, ("single",)), sweep.sets(edit, ("all",))
    if singles and everywhere:
        chosen = sweep.choose(edit, (*singles, everywhere[0])).trials
        reference = sweep.answers(chosen[chosen["set"] == everywhere[0]])
        heads = sweep.answers_by_unit(chosen[chosen["kind"] == "single"])
        if heads and reference is not None:
            return _tests(sweep, heads, reference)
    return pd.DataFrame({"difference": [], "certified": [], "mapped": []})


def _tests(sweep: Sweep, heads: dict[str, Answers], reference: Answers) -> pd.DataFrame:
    rows = np.stack([each.contributions() for each in heads.values()])
    tests = heads_not_worse(rows, reference.contributions(), sweep.settings.margin, sweep.groups)
    columns = {"difference": tests.difference, "certified": tests.certified, "mapped": tests.mapped}
    return pd.DataFrame(columns, index=list(heads))


def _as_good_as_all(sweep: Sweep, edit: str, singles: list[str], everywhere: str) -> Iterator[Statement]:
    chosen = sweep.choose(edit, (*singles, everywhere)).trials
    reference = sweep.answers(chosen[chosen["set"] == everywhere])
    heads = sweep.answers_by_unit(chosen[chosen["kind"] == "single"])
    if reference is not None and heads:
        end = "That some head is as good as editing everywhere is {}."
        yield _as_good_as(sweep, edit, chosen, heads, (everywhere, reference), end)


def _as_good_as_best(sweep: Sweep, edit: str, singles: list[str]) -> Iterator[Statement]:
    """The other heads against the one that is best on validation."""
    chosen = sweep.choose(edit, singles).trials
    best = pick_extreme_unit(chosen, best=True)
    reference = sweep.answers(best) if len(best) else None
    heads = sweep.answers_by_unit(chosen[~chosen["unit"].isin(chosen.loc[best.index, "unit"])])
    if reference is not None and heads:
        end = "That the best is not the only good one is {}."
        yield _as_good_as(sweep, edit, chosen, heads, ("the best head on validation", reference), end)


def _as_good_as(
    sweep: Sweep, edit: str, chosen: pd.DataFrame, heads: dict[str, Answers], other: tuple[str, Answers], end: str
) -> Statement:
    """How many of these heads are not worse than the other; `end` has a slot for whether it is shown of any."""
    name, reference = other
    settings, tests = sweep.settings, _tests(sweep, heads, reference)
    near = int(np.sum(tests["difference"] >= -settings.margin - stats.TIE))
    share = stats.share_interval(near, len(tests), settings.confidence)
    certified, mapped = (int((tests[column] <= settings.level).sum()) for column in ("certified", "mapped"))
    return Statement(
        topic=HEADS,
        key=slug("as-good-as", edit, name),
        role=sweep.other_role,
        sentence=(
            f"{edit_name(edit)}: {near} of {count(len(tests), 'head')} {'is' if near == 1 else 'are'} within "
            f"{settings.margin:g} of {name} ({reference.score():.3f}) or above: {percent(share, settings.confidence)}. "
            f"Certified as not worse by {settings.margin:g}: {certified} (Holm: any wrong one has a chance of at most "
            f"{settings.level:g}); on the map: {mapped} (Benjamini-Hochberg: of those shown, a share of at most "
            f"{settings.level:g} is wrong). "
            f"{end.format(_shown(tests['certified'].min(), settings.level))}"
        ),
        assumption=f"one-sided test of non-inferiority a head; exact interval if heads are a sample; {sampled(training_seeds(chosen))}",
        n=f"{count(len(tests), 'head')}, {sweep.n_questions}",
        **numbers(share),
        unit="share",
        effect=f"share of heads within {settings.margin:g} of {name} or above",
        p_value=float(tests["certified"].min()),
        adjusted="Holm",
    )


def _shown(p_value: float, level: float) -> str:
    return f"{'shown' if p_value <= level else 'not shown'} ({p_text(p_value)}, Holm)"


def _best_head(sweep: Sweep, edit: str, singles: list[str], other: str) -> Iterator[Statement]:
    """The head that is best on validation against another location, both on test."""
    chosen = sweep.choose(edit, (*singles, other)).trials
    best = pick_extreme_unit(chosen[chosen["kind"] == "single"], best=True)
    answers = sweep.answers(best), sweep.answers(chosen[chosen["set"] == other])
    if None in answers:
        return
    names = sorted(set(sweep.results.locations["name"].to_numpy()[best["location"].to_numpy()]))
    first = Side(f"{edit_name(edit)}, best head on validation ({', '.join(names)})", answers[0])
    second = Side(f"{edit_name(edit)}, {other}", answers[1])
    yield state_pair(sweep, HEADS, slug("best-head", edit, other), first, second)


def _reaching(sweep: Sweep, edit: str, singles: list[str], claimed: str) -> Iterator[Statement]:
    scores = sweep.scores(sweep.choose(edit, (*singles, claimed)).trials)
    heads, own = scores.loc[scores["kind"] == "single", SCORE], scores.loc[scores["set"] == claimed, SCORE]
    if heads.empty or own.empty:
        return
    reached = int(np.sum(heads >= own.iloc[0] - stats.TIE))
    share = stats.share_interval(reached, len(heads), sweep.settings.confidence)
    yield Statement(
        topic=HEADS,
        key=slug("reach-claimed", edit, claimed),
        role=sweep.other_role,
        sentence=(
            f"{edit_name(edit)}: {reached} of {count(len(heads), 'single head')} reach {claimed} ({own.iloc[0]:.3f}): "
            f"{percent(share, sweep.settings.confidence)}."
        ),
        assumption="exact binomial interval: heads are a sample; scores are taken as they are, noise and all",
        n=f"{count(len(heads), 'head')}, {sweep.n_questions}",
        **numbers(share),
        unit="share",
        effect="share of heads that reach the claimed set",
    )


def _special(sweep: Sweep, edit: str, singles: list[str]) -> Iterator[Statement]:
    """Whether the best of all heads is better than the best of equal ones would be."""
    heads = sweep.answers_by_unit(sweep.choose(edit, singles).trials)
    if len(heads) < 2 or len({each.truth.shape for each in heads.values()}) > 1:
        return
    truth, info = (np.stack([getattr(each, part) for each in heads.values()]) for part in ("truth", "info"))
    test = max_statistic(truth, None if np.all(info == 1.0) else info, repeats=MAX_REPEATS, groups=sweep.groups)
    best = list(heads.values())[test.best].score()
    mean = float(np.mean([each.score() for each in heads.values()]))
    special = int(np.sum(test.adjusted <= sweep.settings.level))
    yield Statement(
        topic=HEADS,
        key=slug("special", edit),
        role=sweep.other_role,
        sentence=(
            f"{edit_name(edit)}: were all {count(len(heads), 'head')} alike on every question, the best would reach {best:.3f} (that of "
            f"{list(heads)[test.best]}; mean {mean:.3f}) with {p_text(test.p_value)}; {special} of them are better than "
            "the best of equals."
        ),
        assumption="under the null hypothesis a group's answers are exchangeable among heads",
        n=f"{count(len(heads), 'head')}, {sweep.n_questions}",
        estimate=best - mean,
        unit=sweep.settings.score_name,
        effect="best head minus mean of heads",
        p_value=test.p_value,
        adjusted="max-statistic",
    )
