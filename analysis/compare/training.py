"""Did the edits train? In: a `Sweep` and its comparisons. Out: statements.

Shares that had not converged, the same trials with twice the epochs, ranks without the unconverged; strengths and
learning rates at an end of their grid.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from .. import stats
from ..scores import TEST, edit_name
from ..statement import KIND_NAMES, TRAINED, Statement, count, join, numbers, p_text, percent, slug, span
from ..sweep import Sweep
from .claimed import Comparison

SAME_TRIAL = ["location", "edit", "strength", "seed", "fold"]


def state_training(sweep: Sweep, comparisons: Sequence[Comparison], chosen: pd.DataFrame) -> Iterator[Statement]:
    """`chosen` are the trials of the map at their chosen strengths."""
    trained = chosen[chosen["steps"] > 0]
    for (edit, kind), rows in trained.groupby(["edit", "kind"], sort=False):
        yield _unconverged(sweep, str(edit), str(kind), rows)
    for each in comparisons:
        if (each.trials["steps"] > 0).any():
            yield _without_unconverged(sweep, each)
    pairs = _rechecked(sweep)
    at_chosen = pd.MultiIndex.from_frame(pairs[SAME_TRIAL]).isin(pd.MultiIndex.from_frame(trained[SAME_TRIAL]))
    for edit, rows in pairs[at_chosen].groupby("edit", sort=False):
        yield from _recheck(sweep, str(edit), rows)
    for each in comparisons:
        yield from _rank_after_recheck(sweep, each, pairs[pairs["edit"] == each.edit])
    yield from _learning_rates(sweep)
    for edit, rows in chosen.groupby("edit", sort=False):
        yield from _strengths(sweep, str(edit), rows)


def _unconverged(sweep: Sweep, edit: str, kind: str, rows: pd.DataFrame) -> Statement:
    level = sweep.settings.confidence
    lost = int((rows["converged"] == 0).sum())
    share = stats.share_interval(lost, len(rows), level)
    return Statement(
        topic=TRAINED,
        key=slug("unconverged", edit, kind),
        role=sweep.other_role,
        sentence=(
            f"{edit_name(edit)}, {KIND_NAMES[kind]}: {lost} of {count(len(rows), 'trial')} at the chosen strengths had "
            f"not converged: {percent(share, level)}.{' Their scores may be too low.' * (lost > 0)}"
        ),
        assumption="exact binomial interval: trials of one kind converge or not independently",
        n=f"{count(len(rows), 'trial')}, {count(rows['unit'].nunique(), 'location')}",
        **numbers(share),
        unit="share",
        effect="share unconverged",
    )


def _without_unconverged(sweep: Sweep, each: Comparison) -> Statement:
    flat = each.trials["converged"].astype(bool) | (each.trials["steps"] == 0)
    lost = set(each.of_random.loc[~flat, "unit"])
    kept = each.draws[~each.draws.index.isin(lost)]
    text = f"{each.label}: without the {count(len(lost), 'random set')} that had not converged, "
    rank = stats.rank_test(each.score.value, kept) if len(kept) else None
    text += (
        f"{rank.at_least} of {rank.draws} reach the claimed one: {p_text(rank.p_value)}, where all {len(each.draws)} give "
        f"{p_text(each.rank.p_value)}{_moves(sweep, rank.p_value, each.rank.p_value)}"
        if rank
        else "none is left"
    )
    if not flat[each.of_claimed.index].all():
        text += "; but the claimed set itself had not converged, so the verdict cannot be repeated among converged edits"
    return Statement(
        topic=TRAINED,
        key=slug("converged-only", each.edit, each.claimed, each.random),
        role=sweep.other_role,
        sentence=text + ".",
        assumption="convergence does not depend on what the edit can reach",
        n=count(len(kept), "draw"),
        estimate=1 - rank.at_least / rank.draws if rank else np.nan,
        unit="share",
        effect="share of converged random sets below the claimed one",
        p_value=rank.p_value if rank else np.nan,
    )


def _rechecked(sweep: Sweep) -> pd.DataFrame:
    """Trials done both as usual and with twice the epochs: one row each, gains in score and loss."""
    trials = sweep.all_trials
    done = trials[(trials["status"] == "done") & (trials["labels"] == "true") & (trials["tuning"] == 0)]
    names = [*SAME_TRIAL, "unit", "set", "kind", "val_loss", TEST]
    again, usual = (done.loc[done["recheck"] == flag, names] for flag in (1, 0))
    pairs = again.merge(usual, on=SAME_TRIAL, suffixes=("", "_usual"))
    return pairs.assign(gain=pairs[TEST] - pairs[f"{TEST}_usual"], fall=pairs["val_loss"] - pairs["val_loss_usual"])


def _recheck(sweep: Sweep, edit: str, pairs: pd.DataFrame) -> Iterator[Statement]:
    measures = (
        ("gain", sweep.settings.score_name, sweep.settings.score_name),
        ("fall", "validation loss", "nats^2"),
    )
    for column, name, unit in measures:
        known = pairs[pairs[column].notna()]
        values = known.groupby("unit")[column].mean()  # a location's trials share its heads
        if values.empty:
            continue
        change, p_value = _mean_change(values.to_numpy(), sweep.settings.level)
        moved = int((known[column].abs() > sweep.settings.margin).sum())
        most = f", {moved} of them by more than {sweep.settings.margin:g}" if column == "gain" else ""
        yield Statement(
            topic=TRAINED,
            key=slug("recheck", column, edit),
            role=sweep.other_role,
            sentence=(
                f"{edit_name(edit)}: trained again with twice the epochs, at the chosen strengths, {name} changes by "
                f"{span(change, sweep.settings.confidence, signed=True)} on average over {count(len(values), 'location')}"
                f" ({p_text(p_value)}); {count(len(known), 'trial')} from {known[column].min():+.3f} to "
                f"{known[column].max():+.3f}{most}."
            ),
            assumption="paired t-test: changes of locations are independent and about normal",
            n=f"{count(len(values), 'location')}, {count(len(known), 'pair')} of trials",
            **numbers(change),
            unit=unit,
            effect=f"{name} with twice the epochs minus as usual",
            p_value=p_value,
        )


def _mean_change(values: np.ndarray, level: float) -> tuple[stats.Interval, float]:
    """Mean with its t interval, and the two-sided p of "no change"; NaN for a single value, p 1 where nothing changes."""
    mean = float(values.mean())
    if len(values) < 2:
        return stats.Interval(mean, np.nan, np.nan), np.nan
    if np.ptp(values) == 0.0:
        return stats.Interval(mean, mean, mean), 1.0 if mean == 0.0 else np.nan
    test = scipy_stats.ttest_1samp(values, 0.0)
    low, high = test.confidence_interval(1.0 - level)
    return stats.Interval(mean, float(low), float(high)), max(float(test.pvalue), np.finfo(float).tiny)


def _rank_after_recheck(sweep: Sweep, each: Comparison, pairs: pd.DataFrame) -> Iterator[Statement]:
    """Rank if the sets of this comparison gained what those of them that were rechecked did, claimed and random alike."""
    mine = pairs.merge(each.trials[SAME_TRIAL], on=SAME_TRIAL)
    of_random, of_claimed = (mine[mine["set"] == name].groupby("unit")["gain"].mean() for name in (each.random, each.claimed))
    if of_random.empty or of_claimed.empty:
        return
    gains = float(of_claimed.iloc[0]), float(of_random.mean())
    rank = stats.rank_test(each.score.value + gains[0], each.draws + gains[1])
    yield Statement(
        topic=TRAINED,
        key=slug("recheck-rank", each.edit, each.claimed, each.random),
        role=sweep.other_role,
        sentence=(
            f"{each.label}: trained twice as long, the claimed set changes by {gains[0]:+.3f}, "
            f"{count(len(of_random), 'rechecked random set')} by {gains[1]:+.3f} on average; if all random sets changed so, "
            f"{p_text(rank.p_value)}, as usual {p_text(each.rank.p_value)}"
            f"{_moves(sweep, rank.p_value, each.rank.p_value)}."
        ),
        assumption="the rechecked random sets are a sample of all, which change alike",
        n=f"{count(rank.draws, 'draw')}, {count(len(of_random), 'rechecked random set')}",
        estimate=1 - rank.at_least / rank.draws,
        unit="share",
        effect="share of random sets below the claimed one",
        p_value=rank.p_value,
    )


def _moves(sweep: Sweep, p_value: float, usual: float) -> str:
    level = sweep.settings.level
    same = (p_value <= level) == (usual <= level)
    return f": by this score the verdict at level {level:g} {'stays' if same else 'changes'}"


def _learning_rates(sweep: Sweep) -> Iterator[Statement]:
    table = sweep.results.tuning
    for (edit, rank, targets, size), rows in table.groupby(["edit", "rank_of_edit", "targets", "size"], sort=False):
        chosen = rows[rows["chosen"].astype(bool)]
        edges = int(chosen["edge"].astype(bool).sum())
        what = edit_name(str(edit)) + (f" rank {rank}, {targets}" if edit == "lora" else "")
        everywhere = int(size) == sweep.results.layers * sweep.results.heads
        locations = 1 if everywhere else int(sweep.results.job_value("training", "tuning_locations") or 8)
        where = (
            "all heads themselves, the one location of this size, which other locations are compared with"
            if everywhere
            else "locations of their own, which enter no test"
        )
        grid = join(f"{rate:g}" for rate in sorted(rows["learning_rate"].unique()))
        rates = join(f"{rate:g}" for rate in sorted(chosen["learning_rate"].unique()))
        text = f"{what}, {count(int(size), 'head')}: learning rate {rates or 'unknown'}, chosen from {grid}"
        if edges:
            text += f"; in {edges} of {count(len(chosen), 'fold')} an end of the grid, a wider one might do better"
        yield Statement(
            topic=TRAINED,
            key=slug("learning-rate", edit, rank, targets, size),
            role=sweep.other_role,
            sentence=text + ".",
            assumption=f"by validation loss at {where}; at the middle one of the strengths, for all of them",
            n=f"{count(locations, 'location')}, {count(rows['fold'].nunique(), 'fold')}, "
            f"{count(rows['learning_rate'].nunique(), 'rate')}",
            estimate=float(chosen["learning_rate"].median()),
            low=float(rows["learning_rate"].min()),
            high=float(rows["learning_rate"].max()),
            unit="learning rate",
            effect="chosen rate (ends of the grid)",
        )


def _strengths(sweep: Sweep, edit: str, rows: pd.DataFrame) -> Iterator[Statement]:
    """How many choices of a strength are an end of the grid that they were chosen from."""
    strengths = sweep.trials[sweep.trials["edit"] == edit].groupby("set")["strength"]
    grid, picks = sorted(set(strengths.obj)), rows.drop_duplicates(["unit", "fold"])
    picks = picks[picks["set"].map(strengths.nunique()) > 1]
    if picks.empty:
        return
    at_end = int((picks["edge"] != "").sum())
    share = stats.share_interval(at_end, len(picks), sweep.settings.confidence)
    by_kind = (picks["edge"] != "").groupby(picks["kind"], sort=False).agg(["sum", "size"])
    told = join(f"{int(row['sum'])} of {row['size']} of {KIND_NAMES[str(kind)]}" for kind, row in by_kind.iterrows())
    yield Statement(
        topic=TRAINED,
        key=slug("strength-edges", edit),
        role=sweep.other_role,
        sentence=(
            f"{edit_name(edit)}: of the strengths chosen on validation an end of the grid ({grid[0]:g} to {grid[-1]:g}) are "
            f"{told}. Where it is the best of the grid, a wider one might do better."
        ),
        assumption="one choice a location and fold, all from the same grid; sets of one strength choose nothing",
        n=count(len(picks), "choice"),
        **numbers(share),
        unit="share",
        effect="share of strengths at an end of the grid",
    )
