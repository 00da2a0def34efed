"""Seconds before the first block: of the bare program, and of a sweep of the quickstart."""

import json
import time
from pathlib import Path

from place import ROOT, Child, Place, run

TITLE = "Start-up"
STOPPED = 5


def first_event(sweep: Path) -> float:
    """When the first block began, in seconds since 1970; 0 before that."""
    lines = [line for log in (sweep / "state").glob("*.log") for line in log.read_text().splitlines()]
    events = [json.loads(line) for line in lines if line.endswith("}")]
    return min((event["time"] for event in events if event["event"] == "start"), default=0.0)


def launch_until_first_block(sweep: Path, program: Path) -> dict:
    """The quickstart on one rank, given up when its first block begins."""
    child, began = Child(program, "run", ROOT / "jobs" / "quickstart.yaml", "-o", sweep), 0.0
    while child.runs() and not began:
        time.sleep(0.05)
        began = first_event(sweep)
    child.process.terminate()
    taken = child.wait(STOPPED)
    return dict(seconds=began - child.started, cpu=taken.cpu)


def measure(place: Place) -> dict:
    bare = [run(place.headsweep, "schema") for _ in range(3)]
    return dict(bare=min(one.seconds for one in bare), bare_cpu=min(one.cpu for one in bare),
                sweep=launch_until_first_block(place.folder("start") / "sweep", place.headsweep))


def describe(found: dict) -> list[str]:
    sweep = found["sweep"]
    return [f"The bare program (`headsweep schema`): {found['bare']:.2f} s ({found['bare_cpu']:.2f} CPU seconds). The "
            f"quickstart on one rank, from its launch to its first block (load, probes, packing, unedited model): "
            f"**{sweep['seconds']:.1f} s** ({sweep['cpu']:.1f} CPU seconds)."]
