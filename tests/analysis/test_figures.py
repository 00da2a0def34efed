"""Figures can be read: no text is cut off or hides another, wide or narrow; colours are Okabe and Ito's."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from made_up import Design, write_results
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox

from analysis.findings import Findings, find
from analysis.results import LINEAR, Results
from analysis.show.figures import COLORS, NARROW
from analysis.show.figures_sets import Draws, Level, draw_histogram
from analysis.show.illustrate import Illustration, illustrate
from analysis.stats import Interval

OKABE_ITO = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999"}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """Of a sweep with all kinds of edits."""
    edits = {"optimal": [0.1, 0.2, 0.5], "iti": [1.0, 3.0], "lora": [0.1], "wide": [0.1]}
    design = Design(edits=edits, wide={"wide": (16, " ".join(LINEAR), 0.0)}, seeds=(0,))
    path = write_results(tmp_path_factory.mktemp("figures") / "results.h5", design)
    return find(Results(path))


@pytest.fixture(scope="module")
def illustrations(found: Findings) -> list[Illustration]:
    """Every figure of that sweep."""
    return list(illustrate(found))


def test_every_figure_of_the_comparison_is_there(illustrations: list[Illustration]) -> None:
    names = [each.name for each in illustrations]
    assert names[0].startswith("histogram_")
    assert set(names[1:]) == {"forest", "truth_info", "kl_mc2", "heads_optimal", "probe_optimal", "training", "power"}
    assert all(len(each.caption) > 100 for each in illustrations)


@pytest.mark.parametrize("narrow", (False, True))
def test_no_text_is_cut_off_or_hides_another(illustrations: list[Illustration], narrow: bool) -> None:
    problems = []
    for each in illustrations:
        figure = each.draw(narrow=narrow)
        figure.draw_without_rendering()
        boxes = text_boxes(figure)
        assert len(boxes) > 8
        outside = [text for text, box in boxes if not contains(figure.bbox, box)]
        over = [f"{a} / {b}" for (a, first), (b, second) in combinations(boxes, 2) if overlap(first, second) > 2.0]
        problems += [f"{each.name}: cut off: {text}" for text in outside]
        problems += [f"{each.name}: one over the other: {pair}" for pair in over]
        if narrow:
            assert figure.get_figwidth() <= NARROW
        sizes = [text.get_fontsize() for axes in figure.axes for text in (axes.title, axes.xaxis.label, axes.yaxis.label)]
        assert min(sizes) >= 9
    assert not problems, "\n".join(problems)


def test_columns_end_with_the_scores() -> None:
    full = [Draws("all true", np.array([0.7, 0.96, 1.0, 1.0]), [Level("unedited model", "unedited", Interval(0.2, 0.1, 0.3))])]
    for groups, ends in ((full, [0.7, 1.0]), ([replace(full[0], scores=np.ones(3))], [None, 1.0])):
        (axes,) = draw_histogram(groups, "Truth*Info").axes
        columns = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
        assert sum(column.get_height() for column in columns) == groups[0].scores.size
        assert max(column.get_x() + column.get_width() for column in columns) == pytest.approx(ends[1], abs=1e-12)
        assert ends[0] is None or min(column.get_x() for column in columns) == pytest.approx(ends[0])


def test_captions_say_which_test_is_primary_and_how_sets_are_matched(illustrations: list[Illustration]) -> None:
    caption = illustrations[0].caption
    assert "The panel of Optimal edits is the primary test; the others are secondary." in caption
    assert "Each random set has as many heads in each layer as the claimed one." in caption


def test_marks_grow_from_the_weakest_edit_to_the_strongest(illustrations: list[Illustration], found: Findings) -> None:
    (figure,) = (each.draw() for each in illustrations if each.name == "truth_info")
    trials = found.results.trials
    for edit, axes, order in (("optimal", figure.axes[0], [0.5, 0.2, 0.1]), ("iti", figure.axes[1], [1.0, 3.0])):
        rows = trials[(trials["edit"] == edit) & (trials["kind"] == "top")].set_index("strength")
        (marks,) = (each for each in axes.collections if each.get_label() == "claimed set (top)")
        assert np.diff(marks.get_sizes()).min() > 0
        assert marks.get_offsets()[:, 0].tolist() == pytest.approx(rows.loc[order, "test_truth"].tolist())


def test_colours_are_those_that_colour_blind_readers_tell_apart() -> None:
    assert set(COLORS.values()) <= OKABE_ITO


def text_boxes(figure: Figure) -> list[tuple[str, Bbox]]:
    """All texts with where they stand, in pixels: titles, labels, numbers of the axes, legends, free texts."""
    found = []
    for axes in figure.axes:
        legend = axes.get_legend()
        texts = [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            shown = (tick.label1 for tick in axis.get_major_ticks() if min(limits) <= tick.get_loc() <= max(limits))
            texts += [label for label in shown if label.get_visible()]
        texts += legend.get_texts() if legend else []
        found += [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text().strip()]
    return [(text, box) for text, box in found if box.width > 0]


def contains(outer: Bbox, inner: Bbox) -> bool:
    return outer.x0 - 1 <= inner.x0 and inner.x1 <= outer.x1 + 1 and outer.y0 - 1 <= inner.y0 and inner.y1 <= outer.y1 + 1


def overlap(first: Bbox, second: Bbox) -> float:
    """The smaller side of what both cover, in pixels."""
    both = Bbox.intersection(first, second)
    return 0.0 if both is None else min(both.width, both.height)
