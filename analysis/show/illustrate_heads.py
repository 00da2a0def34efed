"""Figures of single heads. In: `Findings`. Out: name, caption and how to draw, for `illustrate`."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from ..findings import Findings
from ..scores import SCORE, edit_name
from .figures_heads import draw_head_maps, draw_probe_scatter

Drawn = tuple[str, str, Callable[..., Figure]]


def illustrate_heads(findings: Findings) -> Iterator[Drawn]:
    """Two figures for each edit at single heads: maps over layers and heads, and edit against localiser."""
    claimed = claimed_heads(findings)
    for place in range(len(findings.head_scores)):
        yield from _maps(findings, place, claimed)
        yield from _scatter(findings, place, claimed)


def claimed_heads(findings: Findings) -> np.ndarray:
    """[L*H]: whether the head belongs to a claimed set, in any fold."""
    results = findings.results
    rows = results.locations["kind"].isin(("top", "list")).to_numpy()
    return results.column("locations/mask")[rows].astype(bool).any(axis=0)


def _maps(findings: Findings, place: int, claimed: np.ndarray) -> Iterator[Drawn]:
    results, scores = findings.results, findings.head_scores[place]
    if not np.isfinite(scores.probe).any():
        return
    shape = (results.layers, results.heads)
    score_name = findings.settings.score_name
    maps = {
        f"{edit_name(scores.edit)} edits at one head": (scores.edited.reshape(shape), f"{score_name} on test questions"),
        "Localiser: probe": (scores.probe.reshape(shape), "accuracy on validation questions"),
    }
    yield (
        f"heads_{scores.edit}",
        f"What an edit ({edit_name(scores.edit)}) at one head alone reaches, beside how well a probe reads the behaviour "
        "there. Framed: the claimed heads. If the localiser found what can be edited, both maps would look alike; bright "
        "cells on one map that are dark on the other speak against it.",
        partial(draw_head_maps, maps, [divmod(head, results.heads) for head in np.flatnonzero(claimed)]),
    )


def _scatter(findings: Findings, place: int, claimed: np.ndarray) -> Iterator[Drawn]:
    results, scores = findings.results, findings.head_scores[place]
    interval = scores.correlation
    if interval is None or not np.isfinite(interval.value):
        return
    both = scores.used
    score_name = findings.settings.score_name
    words = {
        "title": f"Spearman {interval.value:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}], {both.sum()} heads",
        "x": "probe's accuracy on validation questions",
        "y": f"{score_name} on test questions",
    }
    everywhere = findings.scores[(findings.scores["edit"] == scores.edit) & (findings.scores["kind"] == "all")]
    levels = {"all": ("all heads", float(everywhere[SCORE].max()))} if len(everywhere) else {}
    levels["unedited"] = ("unedited model", float(findings.summary[SCORE].iloc[0]))
    yield (
        f"probe_{scores.edit}",
        f"Does the localiser predict editability? Each mark is a head: what an edit ({edit_name(scores.edit)}) there reaches "
        "against the probe's accuracy there; rings mark the claimed heads. Marks high up on the left can be edited though "
        "the probe finds little there; marks low on the right are read well and edited badly. In the title: the rank correlation "
        f"and its {findings.settings.interval_name} ({scores.units} are a sample).",
        partial(
            draw_probe_scatter,
            scores.probe[both],
            scores.edited[both],
            results.head_table["layer"].to_numpy()[both],
            claimed[both],
            words,
            levels,
        ),
    )
