"""Several sweeps side by side: models, behaviours, checkpoints. In: `Findings` by name. Out: a table, a forest plot, a page."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from html import escape

import numpy as np
import pandas as pd

from ..compare.sweeps import compare_sweeps
from ..findings import Findings
from ..scores import edit_name
from ..statement import UNUSUAL, join
from .figures_sets import draw_forest
from .illustrate import Illustration, forest_rows
from .markup import bullets, cell, figure, number, paragraph, row, section, significant, table
from .page import Picture, partial_text, whole_page


def illustrate_sweeps(found: Mapping[str, Findings]) -> Iterator[Illustration]:
    """The forest plots of all sweeps in one, if they have one score."""
    names = {findings.settings.score_name for findings in found.values()}
    lines = join(dict.fromkeys(findings.settings.interval_name for findings in found.values()))
    rows = [each for label, findings in found.items() for each in forest_rows(findings, label)]
    if rows and len(names) == 1:
        yield Illustration(
            "forest_of_sweeps",
            f"Each sweep's locations. Mark: the location, or the mean over locations; thick line: {lines} over "
            "questions; thin grey line: from the lowest to the highest location. Compare within a sweep first: models and "
            "behaviours differ in how far any edit can move them.",
            partial(draw_forest, rows, names.pop(), np.nan),
        )


def make_page_of_sweeps(
    found: Mapping[str, Findings], pictures: Sequence[Picture], links: Mapping[str, str]
) -> str:
    """Verdicts, one table, one forest plot; `links` name the folder of each sweep's own report."""
    verdicts = "".join(
        f'<li><a href="{escape(links[label])}/index.html">{escape(label)}</a>: {escape(findings.verdict)}</li>'
        for label, findings in found.items()
    )
    partial_ones = [
        f"{label}: {partial_text(findings.results)}" for label, findings in found.items() if partial_text(findings.results)
    ]
    title = f"{len(found)} sweeps side by side"
    parts = [
        *([f'<div class="partial" role="alert">{bullets(partial_ones)}</div>'] if partial_ones else []),
        f"<h1>{title}</h1>",
        f'<div class="verdict"><ul>{verdicts}</ul></div>',
        section("claimed", UNUSUAL, [_table(found), _aside()]),
        section("figures", "Figures", [figure(each.name, each.wide, each.narrow, each.caption) for each in pictures]),
        paragraph("Tables: tables/sweeps.csv, tables/summary.csv; figures as PDF, PNG and SVG in figures.", "small"),
    ]
    return whole_page(f"{'PARTIAL: ' * bool(partial_ones)}{title}", parts)


def _table(found: Mapping[str, Findings]) -> str:
    header = ["sweep", "edit", "claimed", "among", "unedited", "claimed set", "random mean", "draws", "as good", "rank p", "joint p"]
    rows, last = [], ""
    for _, each in compare_sweeps(found).iterrows():
        start = "group" if each["sweep"] != last else ""
        last = each["sweep"]
        if pd.isna(each.get("rank_p")):
            rows.append(row([cell(last), cell("no claimed set among random ones")], start))
            continue
        words = [last, edit_name(each["edit"]), each["claimed"], each["random"]]
        cells = [cell(word, "text") for word in words]
        cells += [cell(number(each[name])) for name in ("unedited", "score", "random_mean")]
        cells += [cell(f"{each[name]:.0f}") for name in ("draws", "at_least_as_good")]
        cells += [cell(significant(each["rank_p"]), "main"), cell(significant(each["joint_p"]))]
        rows.append(row(cells, start))
    return table(header, rows, words=4)


def _aside() -> str:
    return paragraph(
        "As good: random sets that reach at least what the claimed set reaches; rank p = (as good + 1) / (draws + 1); joint p: "
        "the larger one of Truth*Info and of the share both true and informative. Each sweep is tested on its own; p-values of "
        "several sweeps are not adjusted for their number.",
        "small",
    )
