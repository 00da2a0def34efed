"""`make bench`: measures headsweep beside what is used today and writes RESULTS.md.

    compare.py [--build DIR] [--work DIR] [--rounds N] [--quick] [--only SECTION,...] [--assemble]

Each section measures (build/bench/SECTION.json keeps what it found) and describes; RESULTS.md is put together from
the sections found there, so that they may be run apart. One thread a program. --quick: one round of less, kept in a
folder of its own with its own RESULTS.md, for a look; --assemble: only writes RESULTS.md.
"""

import argparse
import json
import sys
import time
import traceback
from pathlib import Path

from place import BENCH, ROOT, Failed, Place, cpu_in_words, stamp, versions_in_words

sys.path.insert(0, str(ROOT))  # for `analysis`
from sections import (  # noqa: E402
    batches, demo, gpu, growth, lanes, localiser, memory, ranks, schedule, start, status, training, trial)

SECTIONS = dict(training=training, trial=trial, lanes=lanes, ranks=ranks, schedule=schedule, memory=memory,
                growth=growth, start=start, status=status, localiser=localiser, demo=demo, batches=batches, gpu=gpu)
SLOW = ("demo", "localiser", "batches")  # not in a quick run

HEAD = """\
# How fast is headsweep?

Written by `make bench`; anyone can repeat it. {machine}. {versions}.
One thread a program. Seconds are CPU seconds of the process where not said otherwise, so that another program on the
machine disturbs little; ratios are medians over rounds in which the programs take turns. The peers (tests/bench/peers)
train the same edits one location at a time: TRL's DPOTrainer as it comes; the same with pi0 computed once; a lean
hand-written loop on transformers. The models `tiny` (6 layers, hidden 128) and `small` (12 layers, hidden 768) are
random; pairs of 25 + 12 + 12 tokens, 4 a step.
"""


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", metavar="SECTION,...", help=", ".join(SECTIONS))
    parser.add_argument("--assemble", action="store_true")
    options = parser.parse_args()
    options.only = options.only.split(",") if options.only else [
        name for name in SECTIONS if not (options.quick and name in SLOW)]
    unknown = set(options.only) - set(SECTIONS)
    if unknown or options.rounds < 1:
        parser.error(f"--only: {', '.join(SECTIONS)}; --rounds: at least 1")
    return options


def place_of(options: argparse.Namespace) -> Place:
    build = options.build.resolve()
    work = (options.work or build / "bench").resolve() / ("quick" if options.quick else "")
    work.mkdir(parents=True, exist_ok=True)
    return Place(build, work, 1 if options.quick else options.rounds, options.quick)


def measure_section(place: Place, name: str) -> None:
    """Keeps what was found; a section that fails says so in its place."""
    print(f"bench: {name} ...", file=sys.stderr, flush=True)
    begin, facts = time.time(), stamp()
    try:
        facts["found"] = SECTIONS[name].measure(place)
    except (Failed, OSError, LookupError, ValueError) as failure:  # the other sections are worth having without it
        facts["failed"] = f"{type(failure).__name__}: {failure}"
        traceback.print_exc()
    facts["took"] = round(time.time() - begin)
    (place.work / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")


def section_lines(name: str, facts: dict) -> list[str]:
    section = SECTIONS[name]
    said = section.describe(facts["found"]) if "found" in facts else [f"Failed: {facts['failed']}"]
    measured = f"({facts['date']}, revision {facts['revision']}, load {facts['load']} before, took {facts['took']} s)"
    return [f"## {section.TITLE}", "", *said, "", measured, ""]


def write_results(place: Place) -> Path:
    """RESULTS.md from all sections that have been measured."""
    lines = [HEAD.format(machine=cpu_in_words(), versions=versions_in_words())]
    if place.quick:
        lines.append("A quick run: one short round, for a look only.\n")
    for name in SECTIONS:
        kept = place.work / f"{name}.json"
        if kept.exists():
            lines += section_lines(name, json.loads(kept.read_text()))
    file = (place.work if place.quick else BENCH) / "RESULTS.md"
    file.write_text("\n".join(lines))
    return file


def main() -> None:
    options = read_options()
    place = place_of(options)
    for name in [] if options.assemble else options.only:
        measure_section(place, name)
    print(f"bench: {write_results(place)}", file=sys.stderr)


if __name__ == "__main__":
    main()
