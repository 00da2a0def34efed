"""The command `python -m analysis.report FILE... [-o FOLDER] [--text]` (installed: `headsweep-report`).

In: results.h5 of one sweep, or of several.  Out: FOLDER/index.html (one file that stands alone), figures/, tables/ and
methods.md, and the short table in print. Of several sweeps FOLDER holds a page that sets them side by side, and each one's
own report in a folder below it.
"""

import argparse
import re
import sys
from pathlib import Path

import pandas as pd

from .compare.sweeps import compare_sweeps
from .findings import Findings, find, overview
from .judge import judge_lines, with_corrected
from .results import BadResults
from .show.figures import save
from .show.illustrate import Illustration, illustrate
from .show.methods import methods_text
from .show.page import Picture, make_page
from .show.page_of_sweeps import illustrate_sweeps, make_page_of_sweeps
from .statement import as_table
from .summary import summary_lines
from .sweeps import open_many

BAD_INPUT = 3  # as headsweep's own exit codes


def text_lines(findings: Findings) -> list[str]:
    """The report in short: the verdict, what was swept, the table and what is missing."""
    lines = [findings.verdict, "", overview(findings.results), ""]
    lines += [*summary_lines(findings.summary, findings.settings), ""]
    lines += judge_lines(findings.results)
    return lines + [f"missing: {sentence}" for sentence in findings.missing]


def write_report(findings: Findings, folder: Path) -> Path:
    """Writes tables, figures, methods and the page; returns the page's path."""
    results = findings.results
    trials = with_corrected(results, results.trials, ("validation_", "test_"))
    _write_table(folder, "statements", as_table(findings.statements))
    _write_table(folder, "summary", findings.summary)
    _write_table(folder, "comparisons", pd.DataFrame([each.as_row() for each in findings.comparisons]))
    _write_table(folder, "locations", findings.scores)
    _write_table(folder, "trials", trials.rename_axis("trial").reset_index())
    (folder / "methods.md").write_text(methods_text(results), encoding="utf-8")
    pictures = [_draw(folder, each) for each in illustrate(findings)]
    page = folder / "index.html"
    page.write_text(make_page(findings, pictures), encoding="utf-8")
    return page


def write_report_of_sweeps(found: dict[str, Findings], folder: Path) -> Path:
    """Each sweep's own report in a folder of its name, and a page that sets them side by side."""
    links = {}
    for label, findings in found.items():
        name = re.sub(r"[^\w.-]+", "_", label).strip("_.") or "sweep"
        while name in links.values():
            name += "_"
        write_report(findings, folder / name)
        links[label] = name
    _write_table(folder, "sweeps", compare_sweeps(found))
    summaries = [findings.summary.assign(sweep=label) for label, findings in found.items()]
    _write_table(folder, "summary", pd.concat(summaries))
    pictures = [_draw(folder, each) for each in illustrate_sweeps(found)]
    page = folder / "index.html"
    page.write_text(make_page_of_sweeps(found, pictures, links), encoding="utf-8")
    return page


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0, or 3 for a file that cannot be read as results."""
    installed = Path(sys.argv[0]).stem == "headsweep-report"
    parser = argparse.ArgumentParser(
        prog="headsweep-report" if installed else "python -m analysis.report",
        description="Tables, figures and a page of one sweep, or of several side by side.",
    )
    parser.add_argument("results", type=Path, nargs="+", help="results.h5 of a sweep")
    parser.add_argument(
        "-o", "--output", type=Path, help="report folder (default: report/ beside the first results.h5, report-NAME/ beside NAME.h5)"
    )
    parser.add_argument("--text", action="store_true", help="print the short table only, write nothing")
    options = parser.parse_args(arguments)
    try:
        found = {label: find(results) for label, results in open_many(options.results).items()}
    except BadResults as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    lines = [""]
    if not options.text:
        folder = options.output or _folder_of(options.results[0])
        alone = len(found) == 1
        page = write_report(*found.values(), folder) if alone else write_report_of_sweeps(found, folder)
        lines += [f"report: {page}"]
    for label, findings in found.items():
        print("\n".join([f"== {label}"] * (len(found) > 1) + text_lines(findings)))
    print("\n".join(lines))
    return 0


def _folder_of(results: Path) -> Path:
    """Each file's own, so that judged.h5 beside results.h5 takes no other's place."""
    return results.parent / ("report" if results.stem == "results" else f"report-{results.stem}")


def _write_table(folder: Path, name: str, table: pd.DataFrame) -> None:
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "tables" / f"{name}.csv", index=False, float_format="%.6g")


def _draw(folder: Path, each: Illustration) -> Picture:
    """Its files for people, and the narrow one for the page on a phone."""
    wide, *_ = save(each.draw(), folder / "figures", each.name)
    (narrow,) = save(each.draw(narrow=True), folder / "figures" / "narrow", each.name, ("svg",))
    return Picture(each.name, each.caption, wide, narrow)


if __name__ == "__main__":
    sys.exit(main())
