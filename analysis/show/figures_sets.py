"""Figures of sets of heads: plain numbers in, a matplotlib figure out. Intervals are handed in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..stats import Interval
from .figures import COLORS, LINES, MARKS, NAMES, Array, label_y, legend_below, name_axes, panels

SMALL = 22  # area of the mark of one location among many


@dataclass(frozen=True)
class Level:
    """A named score that a histogram is read against; `kind` chooses its colour."""

    label: str
    kind: str
    score: Interval


@dataclass(frozen=True)
class Draws:
    """One panel of the histogram: scores of random sets under one edit, and the levels beside them."""

    title: str
    scores: Array
    levels: Sequence[Level]


@dataclass(frozen=True)
class Trace:
    """A location, or a mean over locations, in the plane of two metrics, from its weakest edit to its strongest."""

    kind: str
    x: Array
    y: Array
    label: str = ""  # empty: stands in no legend
    faint: bool = False  # one location of many


@dataclass(frozen=True)
class Plane:
    """What a trace is drawn in."""

    x_label: str
    y_label: str
    log_x: bool = False
    products: bool = False  # grey curves of equal x * y


@dataclass(frozen=True)
class Row:
    """A row of a forest plot; `spread` is the range over locations."""

    label: str
    kind: str
    score: Interval
    spread: tuple[float, float] | None = None
    heading: str = ""  # stands above the row


def draw_histogram(groups: Sequence[Draws], score_name: str, narrow: bool = False) -> Figure:
    """Scores of random sets, one panel an edit; above them, with intervals, what they are read against."""
    figure, row = panels(len(groups), 5.0, 4.4, narrow)
    values = np.concatenate([_values(group) for group in groups])
    margin = max(0.03 * float(np.ptp(values)), 0.01)
    limits = float(values.min()) - margin, float(values.max()) + margin
    edges = _columns(groups, limits[1] - limits[0])
    tallest = max(float(np.max(np.histogram(group.scores, edges)[0])) for group in groups)
    for axes, group in zip(row, groups, strict=True):
        _draw_histogram_panel(axes, group, edges, max(tallest, 1.0))
        axes.set_xlim(*limits)
        name_axes(axes, narrow, group.title, f"{score_name} on test questions")
        legend_below(axes, narrow)
    label_y(row, "number of random sets", narrow)
    return figure


def draw_traces(
    groups: Mapping[str, Sequence[Trace]], plane: Plane, unedited: tuple[float, float], narrow: bool = False
) -> Figure:
    """Two metrics of locations over their strengths, one panel an edit; marks grow along each trace."""
    figure, row = panels(len(groups), 5.0, 4.8, narrow)
    shown = [trace for traces in groups.values() for trace in traces]
    for axes, (title, traces) in zip(row, groups.items(), strict=True):
        name_axes(axes, narrow, title, plane.x_label)
        if plane.log_x:
            axes.set_xscale("log")
            axes.axhline(unedited[1], color=COLORS["unedited"], linestyle=":", label=NAMES["unedited"])
        axes.set_xlim(*_limits([trace.x for trace in shown] + [[unedited[0]]], plane.log_x))
        axes.set_ylim(*_limits([trace.y for trace in shown] + [[unedited[1]]], False))
        if plane.products:
            _draw_product_lines(axes)
        for trace in traces:
            _draw_trace(axes, trace)
        if not plane.log_x:
            _draw_trace(axes, Trace("unedited", np.array([unedited[0]]), np.array([unedited[1]]), NAMES["unedited"]))
        legend_below(axes, narrow)
    label_y(row, plane.y_label, narrow)
    return figure


def draw_forest(rows: Sequence[Row], score_name: str, unedited: float, narrow: bool = False) -> Figure:
    """One row a kind of location: mean, interval (thick) and range over locations (thin), with its numbers."""
    places, height = [], 0.0
    for each in rows:
        height += 1.7 if each.heading else 1.0
        places.append(height)
    figure, (axes,) = panels(1, 7.2, 0.75 + 0.36 * height, narrow)
    ends = [end for each in rows for end in (each.score.value, each.score.low, each.score.high, *(each.spread or ()))]
    axes.set_xlim(*_limits([ends, [unedited]], False))
    axes.set_ylim(height + 0.4, -0.2)
    for place, each in zip(places, rows, strict=True):
        _draw_row(axes, place, each)
    if np.isfinite(unedited):
        axes.axvline(unedited, color=COLORS["unedited"], linestyle=":", linewidth=1.0, zorder=0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    dotted = " (dotted: unedited model)" if np.isfinite(unedited) else ""
    name_axes(axes, narrow, x=f"{score_name} on test questions{dotted}")
    return figure


def _draw_row(axes: Axes, place: float, row: Row) -> None:
    """Its words stand above its lines, so that neither hides the other."""
    side = axes.get_yaxis_transform()
    color = COLORS[row.kind]
    numbers = f"{row.score.value:.2f}"
    if np.isfinite(row.score.low):
        numbers += f" [{row.score.low:.2f}, {row.score.high:.2f}]"
    if row.heading:
        axes.text(0, place - 0.95, row.heading, transform=side, ha="left", va="center", fontweight="bold")
    axes.text(0, place - 0.33, row.label, transform=side, ha="left", va="center", fontsize=8.5)
    axes.text(1, place - 0.33, numbers, transform=side, ha="right", va="center", fontsize=8.5)
    if row.spread:
        axes.plot(row.spread, [place] * 2, color="0.7", linewidth=1.2)
    axes.plot([row.score.low, row.score.high], [place] * 2, color=color, linewidth=3.5, solid_capstyle="butt")
    axes.plot(row.score.value, place, color=color, marker=MARKS[row.kind], markersize=8, markeredgecolor="white")


def _values(group: Draws) -> Array:
    ends = [value for level in group.levels for value in (level.score.value, level.score.low, level.score.high)]
    values = np.concatenate([group.scores, np.asarray(ends, dtype=np.float64)])
    return values[np.isfinite(values)]


def _columns(groups: Sequence[Draws], width: float) -> Array:
    """Edges of about equal columns from the least draw to the largest: none reaches past 1 where no score can."""
    draws = np.concatenate([group.scores for group in groups])
    most = max(group.scores.size for group in groups)
    step = width / (10 + int(min(2 * np.sqrt(most), 40)))
    low, high = float(draws.min()), float(draws.max())
    return np.linspace(low, high, 2 + int((high - low) / step)) if high - low > 1e-9 else np.array([high - step, high])


def _draw_histogram_panel(axes: Axes, group: Draws, edges: Array, tallest: float) -> None:
    label = f"{NAMES['random']} (n = {group.scores.size})"
    axes.hist(
        group.scores, bins=edges.tolist(), color=COLORS["random"], edgecolor="white", linewidth=0.6, label=label
    )
    for place, level in enumerate(group.levels):
        color, height = COLORS[level.kind], tallest * (1.12 + 0.11 * place)
        style = {"color": color, "linestyle": LINES.get(level.kind, "-")}
        axes.plot([level.score.value] * 2, [0, height], linewidth=1.6, **style)
        axes.plot(
            [level.score.low, level.score.high], [height] * 2, color=color, linewidth=3.0, solid_capstyle="butt"
        )
        axes.plot(
            level.score.value,
            height,
            marker=MARKS[level.kind],
            markersize=14 if level.kind == "unedited" else 9,
            markeredgecolor="white",
            label=f"{level.label}: {level.score.value:.2f}",
            **style,
        )
    axes.set_ylim(0, tallest * (1.15 + 0.11 * len(group.levels)))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def _limits(values: Sequence[Sequence[float] | Array], log: bool) -> tuple[float, float]:
    """Around all finite values, with a margin."""
    known = np.concatenate([np.asarray(each, dtype=np.float64) for each in values])
    known = known[np.isfinite(known) & ((known > 0) if log else True)]
    if known.size == 0:
        return (0.1, 1.0) if log else (0.0, 1.0)
    low, high = (float(end) for end in (known.min(), known.max()))
    if log:
        return low / 1.4, high * 1.4
    margin = 0.05 * (high - low) + 0.01
    return low - margin, high + margin


def _draw_product_lines(axes: Axes) -> None:
    """Grey curves of equal product."""
    x, y = (np.linspace(*limits, 100) for limits in (axes.get_xlim(), axes.get_ylim()))
    lines = axes.contour(x, y, np.outer(y, x), levels=np.arange(0.1, 1.0, 0.1), colors="0.85", linewidths=0.8, zorder=0)
    axes.clabel(lines, fontsize=7, colors="0.5", fmt="%.1f")


def _draw_trace(axes: Axes, trace: Trace) -> None:
    growing = np.linspace(0.5, 1.0, trace.x.size) if trace.x.size > 1 else np.ones(1)
    whole = {"unedited": 150, "random": 60}.get(trace.kind, 80)
    if trace.x.size > 1:
        axes.plot(
            trace.x,
            trace.y,
            color=COLORS[trace.kind],
            linestyle=LINES.get(trace.kind, "-"),
            linewidth=0.5 if trace.faint else 1.8,
            alpha=0.35 if trace.faint else 1.0,
            zorder=1 if trace.faint else 3,
        )
    axes.scatter(
        trace.x,
        trace.y,
        s=(SMALL if trace.faint else whole) * growing,
        color=COLORS[trace.kind],
        marker=MARKS[trace.kind],
        edgecolors="white",
        linewidths=0.3 if trace.faint else 0.6,
        alpha=0.5 if trace.faint else 1.0,
        zorder=2 if trace.faint else 4,
        label=trace.label or None,
    )
