"""The report as one HTML page that needs no other file. In: `Findings` and figures. Out: text."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.findings import Findings, judge_notes, notes, overview, title_of, verdict
from analysis.scores import SCORE, edit_name
from analysis.summary import CORRECTED, range_text

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; }
body { max-width: 74rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0.3rem; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; padding-bottom: 0.2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.84rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.5rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #eee; }
th { vertical-align: bottom; border-bottom: 2px solid #888; font-weight: 600; }
td:first-child, th:first-child, .text { text-align: left; }
td.text { white-space: normal; min-width: 8rem; }
td.main { font-weight: 600; }
tr.group td { border-top: 2px solid #bbb; }
figure { margin: 1.2rem 0; }
figcaption, .small { color: #555; font-size: 0.88rem; max-width: 52rem; }
img { max-width: 100%; }
.missing { background: #fff6e0; border-left: 4px solid #e69f00; padding: 0.5rem 1rem; }
.edge { color: #b34700; }
"""
JUDGED = {"truth": "truth", "info": "info", SCORE: "Truth*Info"}
OTHERS = {"both": "both", "mc1": "MC1", "mc2": "MC2", "kl_text": "KL text", "kl_answer": "KL answer"}


def make_page(findings: Findings, pictures: Sequence[tuple[Path, str]]) -> str:
    """The whole page; `pictures` are PNG files with their captions."""
    title = escape(title_of(findings.results))
    parts = [
        f"<h1>{title}: which heads can be edited?</h1>",
        f"<p>{escape(overview(findings.results))}</p>",
        *_missing(findings.missing),
        "<h2>Scores on test questions</h2>",
        _summary(findings.summary),
        '<p class="small">both: share of answers true and informative; MC1, MC2: multiple choice; KL text, '
        "KL answer: "
        "divergence from the unedited model on running text and along its own answers, nats per token. "
        "A mean row takes its interval over questions and its range over locations.</p>",
        *_list_of(judge_notes(findings.results)),
        *_section("Is the claimed set unusual among random ones?", _comparisons(findings)),
        *_section("Differences on the same questions", _differences(findings)),
        *_section("Single heads", _single_heads(findings)),
        *_section("Figures", [_picture(path, caption) for path, caption in pictures]),
        *_section("How to read this", [_list(notes(findings))]),
        *_section("Files", [_files()]),
        f'<p class="small">{escape(_origin(findings))}</p>',
    ]
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _section(title: str, parts: Iterable[str]) -> list[str]:
    filled = list(parts)
    return [f"<h2>{escape(title)}</h2>", *filled] if filled else []


def _list_of(sentences: Sequence[str]) -> list[str]:
    return [_list(sentences)] if sentences else []


def _missing(sentences: Sequence[str]) -> list[str]:
    return [f'<div class="missing"><b>What is missing</b>{_list(sentences)}</div>'] if sentences else []


def _summary(summary: pd.DataFrame) -> str:
    corrected = [name for name in CORRECTED if name in summary]
    names = [name.replace("_", " ") for name in corrected]
    header = ["", "locations", *JUDGED.values(), *names, "95 % interval", "range", *OTHERS.values(), "strength"]
    rows, last_edit = [], ""
    for _, row in summary.iterrows():
        cells = [_cell(row["label"]), _cell(str(row["locations"] or ""))]
        cells += [_cell(number(row[name]), "main" if name == SCORE else "") for name in JUDGED]
        cells += [_cell(number(row[name])) for name in corrected]
        spread = range_text(row["minimum"], row["maximum"]) if row["locations"] > 1 else ""
        cells += [_cell(range_text(row["low"], row["high"])), _cell(spread)]
        cells += [_cell(number(row[name])) for name in OTHERS]
        cells.append(_cell(row["strength"], "text edge" if "(" in row["strength"] else "text"))
        rows.append(f"<tr{' class=group' if row['edit'] != last_edit else ''}>{''.join(cells)}</tr>")
        last_edit = row["edit"]
    return _table(header, rows)


def _comparisons(findings: Findings) -> list[str]:
    if not findings.comparisons:
        return []
    header = ["edit", "claimed set", "random sets", "matched in", "Truth*Info", "random mean", "sd", "n"]
    header += ["at least as good", "rank p", "smallest p", "heads shared", "t-test p"]
    rows = []
    for each in findings.comparisons:
        rank = each.rank
        spread = each.draws.std() if rank.draws > 1 else np.nan
        words = [
            edit_name(each.edit),
            each.claimed,
            each.random,
            "layers and size" if each.matched else "size",
        ]
        numbers = [
            number(each.score.value),
            number(each.draws.mean()),
            number(spread),
            str(rank.draws),
            str(rank.at_least),
        ]
        numbers += [f"{rank.p_value:.3g}", f"{rank.smallest_p:.2g}"]
        numbers += [f"{each.shared_heads:.1f} of {each.size}", _significant(each.mean_p)]
        rows.append(f"<tr>{''.join(map(_cell, [*words, *numbers]))}</tr>")
    aside = (
        "Heads shared: mean number of heads that a random set has in common with the claimed one. t-test p: "
        "of the random sets' mean against the claimed score taken as a constant, as arXiv 2502.11447 "
        "computes it; it answers another question, and shrinks with the number of draws however many of "
        "them beat the claimed set."
    )
    return [
        _list([verdict(each) for each in findings.comparisons]),
        _table(header, rows),
        f'<p class="small">{aside}</p>',
    ]


def _differences(findings: Findings) -> list[str]:
    rows = []
    for each in findings.differences:
        interval = each.interval
        words = [
            f"{each.first} − {each.second}",
            f"{interval.value:+.3f}",
            f"{interval.low:+.3f} to {interval.high:+.3f}",
        ]
        rows.append(f"<tr>{''.join(map(_cell, words))}</tr>")
    return [_table(["Truth*Info", "difference", "95 % interval"], rows)] if rows else []


def _single_heads(findings: Findings) -> list[str]:
    lines = []
    for each in findings.single_heads:
        share = each.share
        lines.append(
            f"{edit_name(each.edit)}: {each.at_least} of {each.count} single heads reach the score of "
            f"{each.reference} on test questions: {100 * share.value:.0f} % (exact 95 % interval "
            f"{100 * share.low:.0f} to {100 * share.high:.0f} %)"
        )
    for scores in findings.head_scores:
        if scores.correlation is not None and np.isfinite(scores.correlation.value):
            interval = scores.correlation
            lines.append(
                f"{edit_name(scores.edit)}: Spearman correlation of probe accuracy with edited score over "
                f"heads {interval.value:+.2f} (95 % interval {interval.low:+.2f} to {interval.high:+.2f}, "
                "heads resampled)"
            )
    return [_list(lines)] if lines else []


def _picture(path: Path, caption: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    text = escape(caption)
    image = f'<img alt="{text}" src="data:image/png;base64,{data}">'
    return f"<figure>{image}<figcaption>{text}</figcaption></figure>"


def _files() -> str:
    names = {
        "tables/summary.csv": "the table above",
        "tables/comparisons.csv": "claimed sets among random ones",
        "tables/locations.csv": "every location at its chosen strength",
        "tables/trials.csv": "every trial",
        "figures": "all figures as PNG and SVG",
    }
    items = [f'<li><a href="{name}">{name}</a>: {text}</li>' for name, text in names.items()]
    return f"<ul>{''.join(items)}</ul>"


def _origin(findings: Findings) -> str:
    attributes = findings.results.attributes
    names = ("build", "command_line", "device", "model_hash", "data_hash", "sweep_hash")
    return "; ".join(
        f"{name.replace('_', ' ')}: {attributes[name]}" for name in names if attributes.get(name)
    )


def number(value: float) -> str:
    """Three decimals; a dash for what is not measured."""
    return f"{value:.3f}" if np.isfinite(value) else "–"


def _significant(value: float) -> str:
    return f"{value:.2g}" if np.isfinite(value) else "–"


def _cell(text: str, style: str = "") -> str:
    return f'<td class="{style}">{escape(text)}</td>' if style else f"<td>{escape(text)}</td>"


def _table(header: Sequence[str], rows: Sequence[str]) -> str:
    names = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(rows)
    return f'<div class="scroll"><table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>'


def _list(sentences: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in sentences)}</ul>"
