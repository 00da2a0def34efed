"""Several sweeps side by side: models, behaviours, checkpoints. In: `Findings` by name. Out: tables, forest plots, a page."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from html import escape

import numpy as np
import pandas as pd

from ..compare.sweeps import compare_sweeps
from ..findings import Findings
from ..scores import edit_name
from ..statement import UNUSUAL, count, join
from .figures_sets import draw_forest
from .illustrate import Illustration, forest_rows
from .markup import bullets, cell, figure, number, paragraph, row, section, significant, table
from .page import Picture, partial_text, whole_page

ABOUT = ("sweep", "model", "behaviour", "edit", "claimed", "among (matched in)")
DECIDES = "cautious_joint_p"
P_NAMES = {"rank p": "rank_p", "p of both": "both_rank_p", "joint p": "joint_p", "joint p at worst": DECIDES}
P_NAMES_ALONE = {"rank p": "rank_p", "rank p at worst": DECIDES}  # where no second score must pass


def illustrate_sweeps(found: Mapping[str, Findings]) -> Iterator[Illustration]:
    """The forest plots of all sweeps in one, for each measure."""
    measures = dict.fromkeys(findings.settings.score for findings in found.values())
    for score in measures:
        those = {label: each for label, each in found.items() if each.settings.score == score}
        lines = join(dict.fromkeys(findings.settings.interval_name for findings in those.values()))
        rows = [each for label, findings in those.items() for each in forest_rows(findings, label)]
        name = next(iter(those.values())).settings.score_name
        if rows:
            yield Illustration(
                "forest_of_sweeps" + f"_{score}" * (len(measures) > 1),
                f"Each sweep's locations by {name}. Mark: the location, or the mean over locations; thick line: {lines} "
                "over questions; thin grey line: from the lowest to the highest location. Compare within a sweep first: "
                "models and "
                "behaviours differ in how far any edit can move them.",
                partial(draw_forest, rows, name, np.nan),
            )


def make_page_of_sweeps(
    found: Mapping[str, Findings], pictures: Sequence[Picture], links: Mapping[str, str]
) -> str:
    """Verdicts, a table and a forest plot for each measure; `links` name the folder of each sweep's own report."""
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
        section("claimed", UNUSUAL, [*_tables(found), _aside()]),
        section("figures", "Figures", [figure(each.name, each.wide, each.narrow, each.caption) for each in pictures]),
        paragraph("Tables: tables/sweeps.csv, tables/summary.csv; figures as PDF, PNG and SVG in figures.", "small"),
    ]
    return whole_page(f"{'PARTIAL: ' * bool(partial_ones)}{title}", parts)


def _tables(found: Mapping[str, Findings]) -> Iterator[str]:
    """One for each measure, for scores of two measures have no common scale."""
    for measure, rows in compare_sweeps(found).groupby("measure", sort=False):
        yield f"<h3>By {escape(str(measure))}</h3>"
        yield _table(str(measure), rows)


def _table(measure: str, compared: pd.DataFrame) -> str:
    p_names = P_NAMES if compared.get("both_rank_p", pd.Series()).notna().any() else P_NAMES_ALONE
    header = [*ABOUT, "unedited", f"claimed set's {measure}", "random mean", "draws", "as good", *p_names, "level"]
    header += ["random minus claimed", "equivalence", "questions", "role"]
    rows, last = [], ""
    for _, each in compared.iterrows():
        start = "group" if each["sweep"] != last else ""
        last = each["sweep"]
        words = [each[name] for name in ("sweep", "model", "behaviour")]
        if pd.isna(each.get("rank_p")):
            rows.append(row([cell(word, "text") for word in (*words, "no claimed set among random ones")], start))
            continue
        words += [edit_name(each["edit"]), each["claimed"], _among(each)]
        cells = [cell(word, "text") for word in words]
        cells += [cell(number(each["unedited"])), cell(_span(each, "score", "low", "high")), cell(number(each["random_mean"]))]
        cells += [cell(_draws(each)), cell(f"{each['at_least_as_good']:.0f}")]
        cells += [cell(significant(each[key]), "main" * (key == DECIDES)) for key in p_names.values()]
        cells += [cell(f"{each['level']:g}"), cell(_span(each, "random_minus_claimed", "difference_low", "difference_high"))]
        cells += [cell(_equivalence(each), "text"), cell(_questions(each)), cell(each["role"], "text")]
        rows.append(row(cells, start))
    return table(header, rows, words=len(ABOUT))


def _among(each: pd.Series) -> str:
    return f"{each['random']} ({'layers' if each['matched_in_layers'] else 'size'})"


def _questions(each: pd.Series) -> str:
    text = f"{each['questions']:,}"
    return text if each["groups"] == each["questions"] else f"{text} in {count(each['groups'], 'group')}"


def _draws(each: pd.Series) -> str:
    """`30`, or `28 of 30` where some are not finished."""
    finished, left_out = (int(each[name]) for name in ("draws", "left_out"))
    return f"{finished} of {finished + left_out}" if left_out else str(finished)


def _span(each: pd.Series, value: str, low: str, high: str) -> str:
    ends = [each.get(name, np.nan) for name in (low, high)]
    text = number(each[value])
    return f"{text} [{number(ends[0])}, {number(ends[1])}]" if np.isfinite(ends).all() else text


def _equivalence(each: pd.Series) -> str:
    """`not shown within 0.05 (p = 0.97)`; the p of "not worse" is that of non-inferiority."""
    words = each["equivalence"]
    if words == "not tested":
        return str(words)
    p_value = each["not_worse_p" if words == "not worse" else "equivalent_p"]
    return f"{words} {'by' if words == 'not worse' else 'within'} {each['margin']:g} (p = {significant(p_value)})"


def _aside() -> str:
    return paragraph(
        "In brackets: the interval of 1 - level. Draws: random sets that are finished, of those planned. As good: those "
        "that reach at least what the claimed set reaches; rank p = (as good + 1) / (draws + 1). Where the measure is "
        "Truth*Info, the share of answers both true and informative must pass as well, and the joint p is the larger of "
        "the two. At worst: if all draws that are not finished reached the claimed set, once a look where a sweep was "
        "extended with results known; this p decides at the level. Random minus claimed: mean of random sets, tested "
        "within the margin of its job. Each sweep is tested on its own; p-values of several sweeps are "
        "not adjusted for their number.",
        "small",
    )
