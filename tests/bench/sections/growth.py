"""Memory over many small blocks: a sweep that runs until it is done or its time is up, watched from outside."""

import time
from pathlib import Path

import numpy as np

from jobs import write_job
from place import WORLD, Child, Place

TITLE = "Memory over 1,000 blocks"
BLOCKS, STOPPED = 1000, 5


def blocks_done(sweep: Path) -> int:
    return sum(log.read_text().count('"event":"done"') for log in (sweep / "state").glob("*.log"))


def write_small_job(folder: Path) -> Path:
    """Blocks of one lane on a few questions."""
    questions = folder / "questions.jsonl"
    lines = (WORLD / "truthfulness.jsonl").read_text().splitlines()[:20]
    questions.write_text("".join(line + "\n" for line in lines))
    return write_job(folder / "job.yaml", dict(pairs=dict(random=dict(size=2, draws=BLOCKS))), lanes=1,
                     behaviour=dict(file=str(questions)), training=dict(epochs=1),
                     evaluation=dict(answers=["test"], choice=[], max_new_tokens=4))


def measure(place: Place) -> dict:
    """(blocks done, megabytes)."""
    folder = place.folder("growth")
    seconds = 20 if place.quick else 120
    job = write_small_job(folder)
    child = Child(place.headsweep, "run", job, "-o", folder / "sweep", "--max-hours", seconds / 3600)
    seen: dict[int, float] = {}  # the first look at each number of blocks: the program's end is not among them
    while child.runs():
        seen.setdefault(blocks_done(folder / "sweep"), child.megabytes("VmRSS"))
        time.sleep(0.25)
    child.wait(STOPPED)
    return dict(seen=sorted(one for one in seen.items() if one[0] > 0))


def describe(found: dict) -> list[str]:
    blocks, megabytes = np.array(found["seen"]).T
    half = blocks >= blocks[-1] / 2
    slope = np.polyfit(blocks[half], megabytes[half], 1)[0]
    done = int(blocks[-1])
    first = megabytes[np.searchsorted(blocks, done / 10)]
    more = f"; the other {BLOCKS - done} would add {slope * (BLOCKS - done):.1f} MB at that rate"
    return [f"{done} blocks of one lane: {first:.1f} MB after a tenth of them, {megabytes[-1]:.1f} MB at the end; over "
            f"the second half **{1e3 * slope:.1f} KB a block**{more if done < 0.99 * BLOCKS else ''}."]
