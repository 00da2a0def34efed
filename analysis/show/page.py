"""The report as one HTML page that needs no other file. In: `Findings` and figures. Out: text."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from ..findings import Findings, judge_notes, notes, overview, title_of
from ..results import Results
from ..scores import SCORE, edit_name
from ..statement import TOPICS, Statement, count
from ..summary import CORRECTED, range_text
from .answers import collect_answers
from .markup import bullets, cell, figure, folded, number, paragraph, row, section, significant, table
from .methods import methods
from .methods_statistics import DESCRIPTIVE

HERE = Path(__file__).parent
SAFE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"  # asks nobody for anything
JUDGED = {"truth": "truth", "info": "info", "truth_info": "Truth*Info"}
OTHERS = {"both": "both", "mc1": "MC1", "mc2": "MC2", "kl_text": "KL text", "kl_answer": "KL answer"}
COMPARED = ("edit", "claimed", "random", "matched in", "role", "claimed score", "random mean (sd)", "draws", "as good")
COMPARED += ("rank p", "joint p", "least p", "shared", "t-test p")
FAILED_SHOWN = 50
FILTERS = {
    "all": "all questions",
    "gained": "now true and informative, not before",
    "lost": "true and informative before, not now",
    "untrue": "not true now",
    "uninformative": "not informative now",
    "changed": "another answer than before",
}


@dataclass(frozen=True)
class Picture:
    """A figure's files, the narrow one for phones, and how to read it."""

    name: str
    caption: str
    wide: Path
    narrow: Path


def make_page(findings: Findings, pictures: Sequence[Picture]) -> str:
    """The whole page."""
    results = findings.results
    title = f"{title_of(results)}: are the claimed heads unusual?"
    sections = {
        "figures": ("Figures", [figure(each.name, each.wide, each.narrow, each.caption) for each in pictures]),
        "statements": ("What the numbers say", _statements(findings.statements)),
        "tables": ("Scores on test questions", _scores(findings)),
        "answers": ("Answers, before and after", _answers(findings)),
        "methods": ("Methods", _methods(results)),
        "missing": ("Missing and failed trials", _missing(findings)),
        "reading": ("How to read this", [bullets([*notes(findings), DESCRIPTIVE])]),
        "files": ("Files", [_files()]),
    }
    made = {key: (name, section(key, name, parts)) for key, (name, parts) in sections.items()}
    links = "".join(f'<a href="#{key}">{escape(name)}</a>' for key, (name, body) in made.items() if body)
    top = [
        *partial_banner(results),
        f"<h1>{escape(title)}</h1>",
        f'<div class="verdict">{paragraph(findings.verdict)}</div>',
        paragraph(overview(results)),
        f'<nav aria-label="contents">{links}</nav>',
    ]
    script = f"<script>{read('page.js')}</script>" if made["answers"][1] else ""
    title = f"{'PARTIAL: ' * bool(partial_banner(results))}{title}"
    return whole_page(title, [*top, *(body for _, body in made.values() if body), script])


def whole_page(title: str, parts: Iterable[str]) -> str:
    """Head and body; nothing in it may ask for another file."""
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{SAFE}">'
        f"<title>{escape(title)}</title><style>{read('page.css')}</style>"
    )
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def read(name: str) -> str:
    """A file beside this one."""
    return (HERE / name).read_text(encoding="utf-8")


def partial_text(results: Results) -> str:
    """Says that trials are missing or have failed; empty for a whole sweep."""
    status = results.trials["status"].value_counts()
    missing, failed = (int(status.get(name, 0)) for name in ("missing", "failed"))
    if not missing and not failed:
        return ""
    have = "has" if missing == 1 else "have"
    words = [f"{missing:,} {have} no outcome yet"] * bool(missing) + [f"{failed:,} failed"] * bool(failed)
    return f"This sweep is partial: of {count(len(results.trials), 'trial')} {' and '.join(words)}."


def partial_banner(results: Results) -> list[str]:
    """For the very top of the page."""
    text = partial_text(results)
    return [f'<div class="partial" role="alert">{paragraph(text)}</div>'] if text else []


def _statements(statements: Sequence[Statement]) -> list[str]:
    parts = []
    for topic in TOPICS:
        those = [each for each in statements if each.topic == topic]
        if those:
            parts += [f"<h3>{escape(topic)}</h3>", f'<ul class="statements">{"".join(map(_statement, those))}</ul>']
    return parts


def _statement(each: Statement) -> str:
    facts = {}
    if pd.notna(each.estimate):
        interval = f" [{number(each.low)}, {number(each.high)}]" if pd.notna(each.low) else ""
        unit = "" if each.unit in each.effect else f" {each.unit}"
        facts[each.effect or "estimate"] = f"{number(each.estimate)}{interval}{unit}"
    if pd.notna(each.p_value):
        facts["p"] = f"{significant(each.p_value)}{f' ({each.adjusted})' if each.adjusted else ''}"
    facts |= {name: text for name, text in (("n", each.n), ("assumes", each.assumption)) if text}
    shown = "; ".join(f"<b>{escape(name)}</b> {escape(text)}" for name, text in facts.items())
    badge = f'<span class="role">{escape(each.role)}</span>'
    return (
        f'<li class="{each.role}" id="{escape(each.key)}"><p>{badge}{escape(each.sentence)}</p>'
        f'<p class="small">{shown}</p></li>'
    )


def _scores(findings: Findings) -> list[str]:
    return [
        _summary(findings),
        paragraph(
            "both: share of answers true and informative; MC1, MC2: multiple choice; KL text, KL answer: divergence from "
            "the unedited model on running text and along its own answers, nats per token. A mean row takes its interval "
            "over questions and its range over locations.",
            "small",
        ),
        *([bullets(judge_notes(findings.results))] if judge_notes(findings.results) else []),
        *_comparisons(findings),
    ]


def _summary(findings: Findings) -> str:
    """What the job compares by stands in bold; interval and range are its."""
    summary, settings = findings.summary, findings.settings
    corrected = [name for name in CORRECTED if name in summary]
    names = [name.replace("_", " ") for name in corrected]
    main = settings.score if settings.score in JUDGED | OTHERS else SCORE
    others = OTHERS if main != SCORE else {SCORE: settings.score_name} | OTHERS
    header = ["", "locations", *JUDGED.values(), *names, settings.interval_name, "range"]
    header += others.values()
    rows, last_edit = [], ""
    for _, each in summary.iterrows():
        cells = [_labelled(each), cell(str(each["locations"] or ""))]
        cells += [cell(number(each[name]), "main" if name == main else "") for name in JUDGED]
        cells += [cell(number(each[name])) for name in corrected]
        spread = range_text(each["minimum"], each["maximum"]) if each["locations"] > 1 else ""
        cells += [cell(range_text(each["low"], each["high"])), cell(spread)]
        cells += [cell(number(each[name]), "main" if name == main else "") for name in others]
        rows.append(row(cells, "group" if each["edit"] != last_edit else ""))
        last_edit = each["edit"]
    return table(header, rows)


def _labelled(each: pd.Series) -> str:
    """Its name and, below it, its strength; one at an end of its grid is marked."""
    style = "edge" if "(" in each["strength"] else "small"
    strength = f'<div class="{style}">strength {escape(each["strength"])}</div>' if each["strength"] else ""
    return f"<td>{escape(each['label'])}{strength}</td>"


def _comparisons(findings: Findings) -> list[str]:
    rows = []
    for each in findings.comparisons:
        facts = each.as_row()
        words = [edit_name(each.edit), each.claimed, each.random, "layers" if each.matched else "size", each.role]
        interval = f" [{each.score.low:.2f}, {each.score.high:.2f}]" if pd.notna(each.score.low) else ""
        words += [f"{number(each.score.value)}{interval}"]
        words += [f"{number(facts['random_mean'])} ({number(facts['random_sd'])})", str(facts["draws"])]
        words += [str(facts["at_least_as_good"]), *(significant(facts[name]) for name in ("rank_p", "joint_p", "smallest_p"))]
        words += [f"{each.shared_heads:.1f} of {each.size}", significant(facts["mean_p"])]
        styles = ["text"] * 5 + [""] * (len(words) - 5)
        rows.append(row(map(cell, words, styles)))
    aside = "As good: random sets that reach at least what the claimed set reaches. Joint p: the larger one of Truth*Info and of "
    aside += "the share both true and informative. Shared: heads that a random set has in common with the claimed one, on "
    aside += "average. t-test: the paper's, of the random sets' mean against the claimed score."
    return ["<h3>Claimed sets among random sets</h3>", table(COMPARED, rows, words=5), paragraph(aside, "small")] if rows else []


def _answers(findings: Findings) -> list[str]:
    data = collect_answers(findings)
    if not data["locations"]:
        return []
    left_out = data.pop("left_out")
    text = "Test questions with the answers of the unedited and of the edited model at its chosen strength, and how they were judged."
    if left_out:
        text += f" {count(left_out, 'location')} found no room here; `headsweep answers` writes the answers of all."
    options = "".join(f'<option value="{key}">{escape(name)}</option>' for key, name in FILTERS.items())
    form = (
        '<div class="choose"><label>edit<select id="choose-edit"></select></label>'
        '<label>location<select id="choose-at"></select></label>'
        f'<label>show<select id="choose-show">{options}</select></label>'
        '<label>with the words<input id="choose-find" type="search"></label></div>'
    )
    packed = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return [
        paragraph(text, "small"),
        "<noscript><p>This part needs JavaScript; nothing else on the page does.</p></noscript>",
        form,
        '<p id="answers-count" class="small" aria-live="polite"></p>',
        '<div class="tall"><table><thead><tr><th>question</th><th>unedited model</th><th>edited model</th></tr></thead>',
        '<tbody id="answers-rows"></tbody></table></div>',
        f'<script type="application/json" id="answers-data">{packed}</script>',
    ]


def _methods(results: Results) -> list[str]:
    parts = []
    for title, sentences in methods(results).items():
        parts += [f"<h3>{escape(title)}</h3>", *map(paragraph, sentences)]
    job = str(results.attributes.get("resolved_job", ""))
    return [*parts, folded("The whole job, with all defaults", f"<pre>{escape(job)}</pre>")]


def _missing(findings: Findings) -> list[str]:
    trials = findings.results.trials
    counts = trials.groupby(["edit", "set"], sort=False)["status"].value_counts().unstack(fill_value=0)
    lacking = counts[counts.drop(columns="done", errors="ignore").sum(axis=1) > 0]
    parts = [f'<div class="missing">{bullets(findings.missing)}</div>'] if findings.missing else []
    if len(lacking):
        names = [name for name in ("done", "failed", "missing") if name in lacking]
        rows = [
            row([cell(edit_name(str(edit))), cell(str(name), "text"), *(cell(str(each[status])) for status in names)])
            for (edit, name), each in lacking.iterrows()
        ]
        parts.append(table(["edit", "set", *names], rows, words=2))
    failed = trials[trials["status"] == "failed"]
    if len(failed):
        columns = ["name", "edit", "strength", "seed", "fold", "stage", "message"]
        first = failed[columns].head(FAILED_SHOWN).astype({"strength": str})
        styles = ["long" if name == "message" else "text" for name in columns]
        rows = [row(map(cell, map(str, each), styles)) for each in first.itertuples(index=False)]
        shown = f"{len(rows)} of {len(failed)}; " * (len(rows) < len(failed))
        title = f"{count(len(failed), 'failed trial')} ({shown}all stand in tables/trials.csv)"
        parts.append(folded(title, table(columns, rows, words=len(columns))))
    return parts or [paragraph("Nothing is missing; no trial failed.")]


def _files() -> str:
    names = {
        "tables/statements.csv": "all statements with their numbers",
        "tables/summary.csv": "the table of scores",
        "tables/comparisons.csv": "claimed sets among random ones",
        "tables/locations.csv": "every location at its chosen strength",
        "tables/trials.csv": "every trial",
        "methods.md": "the methods as text",
        "figures": "all figures as PDF, PNG and SVG",
    }
    items = [f'<li><a href="{name}">{name}</a>: {escape(text)}</li>' for name, text in names.items()]
    return f"<ul>{''.join(items)}</ul>"
