"""The command `python -m analysis.report FILE [-o FOLDER] [--text]`: one results.h5 in, a report folder out.

Writes FOLDER/index.html (one file that stands alone), figures/ and tables/, and prints the short table.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from analysis import figures
from analysis.findings import Findings, find, overview, verdict
from analysis.illustrate import illustrate
from analysis.judge import judge_lines, with_corrected
from analysis.page import make_page
from analysis.results import BadResults, Results
from analysis.summary import summary_lines

BAD_INPUT = 3  # as headsweep's own exit codes


def text_lines(findings: Findings) -> list[str]:
    """The report in short: what was swept, the table, the verdicts and what is missing."""
    lines = [overview(findings.results), "", *summary_lines(findings.summary), ""]
    lines += judge_lines(findings.results)
    lines += [verdict(comparison) for comparison in findings.comparisons]
    return lines + [f"missing: {sentence}" for sentence in findings.missing]


def write_report(findings: Findings, folder: Path) -> Path:
    """Writes tables, figures and the page; returns the page's path."""
    tables = folder / "tables"
    tables.mkdir(parents=True, exist_ok=True)
    findings.summary.to_csv(tables / "summary.csv", index=False, float_format="%.6g")
    comparisons = pd.DataFrame([comparison.as_row() for comparison in findings.comparisons])
    comparisons.to_csv(tables / "comparisons.csv", index=False, float_format="%.6g")
    findings.scores.to_csv(tables / "locations.csv", index=False, float_format="%.6g")
    trials = with_corrected(findings.results, findings.results.trials, ("validation_", "test_"))
    trials.to_csv(tables / "trials.csv", index_label="trial", float_format="%.6g")
    pictures = []
    for illustration in illustrate(findings):
        pictures.append(
            (figures.save(illustration.figure, folder / "figures", illustration.name), illustration.caption)
        )
    page = folder / "index.html"
    page.write_text(make_page(findings, pictures), encoding="utf-8")
    return page


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0, or 3 for a file that cannot be read as results."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.report", description="Tables and figures of one sweep."
    )
    parser.add_argument("results", type=Path, help="results.h5 of a sweep")
    parser.add_argument(
        "-o", "--output", type=Path, help="report folder (default: report/ beside results.h5)"
    )
    parser.add_argument("--text", action="store_true", help="print the short table only, write nothing")
    options = parser.parse_args(arguments)
    try:
        findings = find(Results(options.results))
    except BadResults as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    print("\n".join(text_lines(findings)))
    if not options.text:
        folder = options.output or options.results.parent / "report"
        print(f"\nreport: {write_report(findings, folder)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
