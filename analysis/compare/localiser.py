"""Does the localiser predict editability? In: a `Sweep`. Out: statements, and the maps of probe and edit over heads."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from ..scores import SCORE, TEST, edit_name
from ..statement import LOCALISER, Statement, count, numbers, p_text, slug, span
from ..stats import Array, Interval
from ..stats.correlation import (
    partial_spearman,
    permutation_within_layer,
    seed_reliability,
    spearman,
    spearman_two_way,
)
from ..sweep import Sweep
from .heads import HeadScores, not_worse_heads


def head_scores(sweep: Sweep, scores: pd.DataFrame, chosen: pd.DataFrame) -> Iterator[HeadScores]:
    """One map for each edit at single heads; `scores` has a row a location, tuning heads too, of the trials `chosen`."""
    singles = scores[(scores["kind"] == "single") & scores[SCORE].notna()]
    probe = sweep.results.probe_score.mean(axis=0).astype(np.float64)
    for edit, rows in singles.groupby("edit", sort=False):
        heads = _heads_of(sweep, rows["unit"])
        edited = _on_map(probe.size, heads, rows[SCORE].to_numpy(), np.nan)
        tuning = _on_map(probe.size, heads, rows["tuning"].to_numpy(), False)
        tests, level = not_worse_heads(sweep, str(edit)), sweep.settings.level
        shown = {
            name: _on_map(probe.size, _heads_of(sweep, tests.index[tests[name] <= level]), True, False)
            for name in ("certified", "mapped")
        }
        used = np.flatnonzero(np.isfinite(edited) & np.isfinite(probe) & ~tuning)
        found = _correlate(sweep, chosen[(chosen["edit"] == edit) & (chosen["kind"] == "single")], used, probe, edited)
        yield HeadScores(str(edit), edited, probe, *found, shown["certified"], shown["mapped"], tuning)


def state_localiser(sweep: Sweep, maps: Sequence[HeadScores], chosen: pd.DataFrame) -> Iterator[Statement]:
    """Rank correlation of probe and edited score, over all heads and within layers; how far seeds agree.

    `chosen` are the trials of the maps.
    """
    singles = chosen[(chosen["kind"] == "single") & (chosen["tuning"] == 0)]
    for each in maps:
        if each.correlation is not None and np.isfinite(each.correlation.value):
            yield from _correlations(sweep, each)
        yield from _reliability(sweep, each.edit, singles[singles["edit"] == each.edit])


def _correlate(
    sweep: Sweep, chosen: pd.DataFrame, heads: Array, probe: Array, edited: Array
) -> tuple[Interval | None, str]:
    """Rank correlation over these heads, and the units that its interval takes as a sample.

    Layers and questions; heads of a layer are not independent. Fewer, where answers are not known or layers are too few.
    """
    if len(heads) < 3:
        return None, ""
    layer, level = sweep.results.head_table["layer"].to_numpy()[heads], sweep.settings.confidence
    answers = sweep.answers_by_unit(chosen)
    places = dict(zip(_heads_of(sweep, answers), answers.values(), strict=True))
    if set(heads) <= set(places):
        added = np.stack([places[head].contributions() for head in heads])
        found = spearman_two_way(probe[heads], added, layer, level, sweep.groups)
        if np.isfinite(found.low):
            return found, "layers and questions"
    found = spearman(probe[heads], edited[heads], layer, level)
    if np.isfinite(found.low):
        return found, "layers"
    return spearman(probe[heads], edited[heads], level=level), "heads"


def _correlations(sweep: Sweep, each: HeadScores) -> Iterator[Statement]:
    heads = np.flatnonzero(each.used)
    probe, edited = each.probe[heads], each.edited[heads]
    layer = sweep.results.head_table["layer"].to_numpy()[heads]
    level, name = sweep.settings.confidence, edit_name(each.edit)
    folds = f" (mean of {sweep.results.folds} folds)" if sweep.results.folds > 1 else ""
    within = partial_spearman(probe, edited, layer, level=level)
    p_value = permutation_within_layer(probe, edited, layer)
    n = f"{count(len(heads), 'head')}, {count(len(set(layer)), 'layer')}, {sweep.n_questions}"
    yield _statement(
        sweep,
        slug("spearman", each.edit),
        f"{name}: rank correlation of the probe's accuracy with the edited score over heads "
        f"{span(each.correlation, level, True)}.",
        each.correlation,
        "Spearman's rank correlation",
        assumption=f"{each.units} are a sample (Fisher's z, jackknife); the probe's accuracy{folds} is taken as known",
        n=n,
    )
    yield _statement(
        sweep,
        slug("partial", each.edit),
        f"{name}: within layers (each layer's mean rank taken away) the correlation is {span(within, level, True)}; "
        f"{p_text(p_value)} by permuting heads within their layer.",
        within,
        "partial rank correlation, given the layer",
        assumption="layers are a sample (Fisher's z, jackknife); p: heads of one layer are exchangeable where nothing is to be found",
        n=n,
        p_value=p_value,
    )


def _reliability(sweep: Sweep, edit: str, chosen: pd.DataFrame) -> Iterator[Statement]:
    weight = sweep.results.test_questions[chosen["fold"].to_numpy()]
    table = chosen.assign(weighted=chosen[TEST] * weight).pivot_table(
        index="seed", columns="unit", values="weighted", aggfunc="sum", sort=False
    )
    table = table.dropna(axis=1)
    if len(table) < 2 or table.shape[1] < 3:
        return
    level = sweep.settings.confidence
    interval = seed_reliability(table.to_numpy(), level=level)
    if not np.isfinite(interval.value):
        return
    alike, seeds = max(interval.value, 0.0), len(table)
    most = np.sqrt(seeds * alike / (1.0 + (seeds - 1) * alike))  # of their mean, by Spearman and Brown (1910)
    yield _statement(
        sweep,
        slug("reliability", edit),
        f"{edit_name(edit)}: scores of heads under two seeds correlate by {span(interval, level, True)}; no "
        f"localiser can be expected to correlate with the mean of {count(seeds, 'seed')} by more than {most:.2f}.",
        interval,
        "mean rank correlation between seeds",
        assumption="heads are a sample; seeds share the test questions",
        n=f"{count(table.shape[1], 'head')}, {count(len(table), 'seed')}",
    )


def _statement(
    sweep: Sweep, key: str, sentence: str, interval: Interval, effect: str, **more: object
) -> Statement:
    role = sweep.other_role
    return Statement(
        LOCALISER, key, role, sentence, **numbers(interval), unit="correlation", effect=effect, **more
    )


def _heads_of(sweep: Sweep, units: Iterable[str]) -> Array:
    """Row of /heads of each single-head unit."""
    place = sweep.results.locations.drop_duplicates("unit").set_index("unit").index.get_indexer(list(units))
    return sweep.results.column("locations/mask")[place].argmax(axis=1)


def _on_map(size: int, heads: Array, values: object, empty: object) -> Array:
    full = np.full(size, empty)
    full[heads] = values
    return full
