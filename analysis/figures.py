"""One function per figure: plain numbers in, a matplotlib figure out.

Colours are Okabe and Ito's, which colour-blind readers tell apart; a kind of location keeps its colour and
its mark everywhere. Knows no statistics but the intervals it is handed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.stats import Interval

Array = NDArray[np.float64]

matplotlib.rcParams.update(
    {
        "font.size": 10,
        "axes.titlesize": 10.5,
        "axes.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "legend.frameon": False,
        "legend.fontsize": 9,
        "svg.hashsalt": "headsweep",  # the same report twice gives the same files
        "svg.fonttype": "none",
    }
)

COLORS = {
    "unedited": "#000000",
    "random": "#56B4E9",
    "single": "#E69F00",
    "top": "#D55E00",
    "list": "#CC79A7",
    "all": "#009E73",
    "lora": "#0072B2",
    "lora1": "#882255",
    "lora2": "#999933",
    "lora3": "#44AA99",
}
WIDE = ("lora1", "lora2", "lora3")  # LoRA of more than rank 1 on o_proj; named by what draws it
MARKS = {"unedited": "*", "random": "o", "single": "s", "top": "D", "list": "P", "all": "X", "lora": "^"}
MARKS |= dict(zip(WIDE, "v<>", strict=True))
NAMES = {
    "unedited": "unedited model",
    "random": "random sets",
    "single": "single heads",
    "top": "claimed set (top)",
    "list": "claimed set (list)",
    "all": "all heads",
    "lora": "plain LoRA",
}


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
class Points:
    """Locations of one kind under one edit, in the plane of two metrics."""

    kind: str
    x: Array
    y: Array
    label: str = ""  # empty: the name of its kind


def draw_histogram(panels: Sequence[Draws]) -> Figure:
    """Scores of random sets, one panel an edit; above them, with intervals, what they are read against."""
    figure, row = _panels(len(panels), width=5.0, height=4.4)
    values = np.concatenate([_panel_values(panel) for panel in panels])
    margin = max(0.03 * float(np.ptp(values)), 0.01)
    limits = float(values.min()) - margin, float(values.max()) + margin
    draws = max(panel.scores.size for panel in panels)
    edges = np.linspace(*limits, 10 + int(min(2 * np.sqrt(draws), 40)))
    tallest = max(float(np.max(np.histogram(panel.scores, edges)[0])) for panel in panels)
    for axes, panel in zip(row, panels, strict=True):
        _draw_histogram_panel(axes, panel, edges, max(tallest, 1.0))
        axes.set_xlim(*limits)
    row[0].set_ylabel("number of random sets")
    return figure


def draw_head_maps(edited: Array, probe: Array, edited_label: str) -> Figure:
    """Layer x head: score of the edit at each single head, beside the probe's accuracy; both [L, H]."""
    layers, heads = probe.shape
    figure, row = _panels(2, width=min(6.5, 2.9 + 0.2 * heads), height=min(8.0, 2.0 + 0.22 * layers))
    titles = [(edited, edited_label, "test Truth*Info"), (probe, "Probe", "validation accuracy")]
    for axes, (values, title, label) in zip(row, titles, strict=True):
        image = axes.imshow(np.ma.masked_invalid(values), cmap="viridis", aspect="auto", origin="lower")
        axes.set_facecolor("0.8")
        figure.colorbar(image, ax=axes, label=label)
        axes.set_title(title)
        axes.set_xlabel("head" if np.isfinite(values).all() else "head (grey: not measured)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.spines[:].set_visible(False)
    row[0].set_ylabel("layer")
    return figure


def draw_probe_scatter(
    probe: Array, edited: Array, layer: Array, correlation: Interval, unedited: float
) -> Figure:
    """Score of the edit at each single head against the probe's accuracy there; colour says the layer."""
    figure, (axes,) = _panels(1, width=5.8, height=4.2)
    marks = axes.scatter(probe, edited, c=layer, cmap="viridis", s=30, edgecolors="white", linewidths=0.4)
    figure.colorbar(marks, ax=axes, label="layer", ticks=MaxNLocator(integer=True))
    if np.isfinite(unedited):
        axes.axhline(unedited, color=COLORS["unedited"], linestyle=":", linewidth=1.2)
        corner = axes.get_yaxis_transform()
        axes.text(0.99, unedited, "unedited model", transform=corner, ha="right", va="bottom", fontsize=8)
    axes.set_title(
        f"Spearman {correlation.value:+.2f} (95 % interval {correlation.low:+.2f} to "
        f"{correlation.high:+.2f}), {probe.size} heads"
    )
    axes.set_xlabel("probe's accuracy on validation questions")
    axes.set_ylabel("Truth*Info on test questions, edited there")
    return figure


def draw_truth_info(panels: Mapping[str, Sequence[Points]], unedited: tuple[float, float]) -> Figure:
    """Share of true against share of informative answers of every location, one panel an edit."""
    figure, row = _panels(len(panels), width=5.0, height=4.6)
    model = Points("unedited", np.array([unedited[0]]), np.array([unedited[1]]))
    everything = [points for groups in panels.values() for points in groups] + [model]
    low_x = np.nanmin(np.concatenate([points.x for points in everything])) - 0.03
    low_y = np.nanmin(np.concatenate([points.y for points in everything])) - 0.03
    for axes, (title, groups) in zip(row, panels.items(), strict=True):
        axes.set_xlim(low_x, 1.02)
        axes.set_ylim(low_y, 1.02)
        axes.set_yticks([tick for tick in axes.get_yticks() if low_y <= tick <= 1.001])
        _draw_product_lines(axes)
        for points in [*groups, model]:
            _scatter(axes, points)
        axes.set_title(title)
        axes.set_xlabel("truth (share of test answers)")
        _legend_below(axes)
    row[0].set_ylabel("info (share of test answers)")
    return figure


def draw_training_curves(
    curves: Mapping[str, Sequence[Array]],
    names: Mapping[str, str],
    band: tuple[float, float] = (0.1, 0.9),
) -> Figure:
    """Loss against step: median over trials and a band of quantiles, one line a kind of location.

    `names` says what those lines are that have no name of their own.
    """
    figure, (axes,) = _panels(1, width=6.2, height=4.0)
    for kind, losses in curves.items():
        steps = min(loss.size for loss in losses)
        stacked = np.stack([_smooth(loss[:steps]) for loss in losses])
        low, middle, high = np.nanquantile(stacked, [band[0], 0.5, band[1]], axis=0)
        position = np.arange(1, middle.size + 1) + (steps - middle.size) / 2
        axes.fill_between(position, low, high, color=COLORS[kind], alpha=0.2, linewidth=0)
        axes.plot(
            position, middle, color=COLORS[kind], linewidth=1.8, label=f"{names.get(kind) or NAMES[kind]} ({len(losses)} trials)"
        )
    axes.set_title(f"Training: median and {100 * (band[1] - band[0]):.0f} % band over trials")
    axes.set_xlabel("optimiser step")
    axes.set_ylabel("loss / loss at the start (smoothed)")
    axes.set_ylim(bottom=0.0)
    axes.legend(loc="best")
    return figure


def save(figure: Figure, folder: Path, name: str) -> Path:
    """Writes NAME.png and NAME.svg, returns the former."""
    folder.mkdir(parents=True, exist_ok=True)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # keeps the layout just made for both files
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    figure.savefig(folder / f"{name}.png", dpi=150, metadata={"Software": None})
    return folder / f"{name}.png"


def _panels(count: int, width: float, height: float, share_y: bool = True) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width * count, height), layout="constrained")
    grid = figure.subplots(1, count, squeeze=False, sharey=share_y)
    return figure, list(grid[0])


def _panel_values(panel: Draws) -> Array:
    ends = [
        value for level in panel.levels for value in (level.score.value, level.score.low, level.score.high)
    ]
    values = np.concatenate([panel.scores, np.asarray(ends, dtype=np.float64)])
    return values[np.isfinite(values)]


def _draw_histogram_panel(axes: Axes, panel: Draws, edges: Array, tallest: float) -> None:
    label = f"{NAMES['random']} (n = {panel.scores.size})"
    axes.hist(
        panel.scores,
        bins=edges.tolist(),
        color=COLORS["random"],
        edgecolor="white",
        linewidth=0.6,
        label=label,
    )
    for place, level in enumerate(panel.levels):
        color, height = COLORS[level.kind], tallest * (1.12 + 0.11 * place)
        axes.plot(
            [level.score.value] * 2,
            [0, height],
            color=color,
            linewidth=1.6,
            linestyle=_line_style(level.kind),
        )
        axes.plot(
            [level.score.low, level.score.high],
            [height] * 2,
            color=color,
            linewidth=3.0,
            solid_capstyle="butt",
        )
        axes.plot(
            level.score.value,
            height,
            color=color,
            marker=MARKS[level.kind],
            markersize=14 if level.kind == "unedited" else 9,
            markeredgecolor="white",
            linestyle=_line_style(level.kind),
            label=f"{level.label}: {level.score.value:.2f}",
        )
    axes.set_ylim(0, tallest * (1.15 + 0.11 * len(panel.levels)))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.set_title(panel.title)
    axes.set_xlabel("Truth*Info on test questions")
    _legend_below(axes)


def _line_style(kind: str) -> str:
    return ":" if kind == "unedited" else "-"


def _legend_below(axes: Axes) -> None:
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, columnspacing=1.2, handletextpad=0.5
    )


def _draw_product_lines(axes: Axes) -> None:
    """Grey curves of equal Truth*Info."""
    truth, info = (np.linspace(*limits, 100) for limits in (axes.get_xlim(), axes.get_ylim()))
    levels = np.arange(0.1, 1.0, 0.1)
    lines = axes.contour(
        truth, info, np.outer(info, truth), levels=levels, colors="0.85", linewidths=0.8, zorder=0
    )
    axes.clabel(lines, fontsize=7, colors="0.5", fmt="%.1f")


def _scatter(axes: Axes, points: Points) -> None:
    small = 22 if points.x.size < 200 else 10
    name = points.label or NAMES[points.kind]
    sizes = {"unedited": 150, "random": small, "single": small}
    axes.scatter(
        points.x,
        points.y,
        s=sizes.get(points.kind, 70),
        color=COLORS[points.kind],
        marker=MARKS[points.kind],
        edgecolors="white",
        linewidths=0.5 if points.x.size < 200 else 0.2,
        alpha=0.9,
        zorder=2 if points.kind in ("random", "single") else 3,
        label=f"{name} ({points.x.size})" if points.x.size > 1 else name,
    )


def _smooth(loss: Array) -> Array:
    """Running mean over a twentieth of the steps, relative to the first of them."""
    width = max(1, loss.size // 20)
    mean = np.convolve(loss, np.full(width, 1.0 / width), mode="valid")
    return mean / mean[0]
