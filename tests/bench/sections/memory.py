"""Peak memory of a sweep against what `headsweep plan` says: weights and largest block, beyond the bare program."""

import re
import time
from pathlib import Path

from jobs import single_heads, small_job, write_job
from place import Child, Place, run

TITLE = "Memory"
LANES, TOLERANCE = 4, 0.15
UNITS = {"KB": 1e-3, "MB": 1.0, "GB": 1e3}


def planned_megabytes(place: Place, job: Path) -> float:
    """The sum of the sizes in plan's line on memory."""
    line = next(line for line in run(place.headsweep, "plan", job).out.splitlines() if line.startswith("memory"))
    return sum(float(size) * UNITS[unit] for size, unit in re.findall(r"([\d.]+) (KB|MB|GB)", line))


def measure_job(place: Place, job: Path, bare: float) -> dict:
    """A job of one block. What the program touches when it ends is left out."""
    sweep = job.parent / "sweep"
    child, peak = Child(place.headsweep, "run", job, "-o", sweep), 0.0
    while child.runs() and not (sweep / "results.h5").exists():
        peak = max(peak, child.megabytes("VmHWM"))
        time.sleep(0.02)
    child.wait()
    return dict(planned=planned_megabytes(place, job), peak=peak - bare)


def bare_megabytes(place: Place) -> float:
    """The program with its libraries, before it reads a model."""
    model = place.model("tiny")
    return run(place.bench("steps"), "--model", model, "--pairs", model.with_suffix(".jsonl"), "--locations", "5:0",
               "--steps", 1).lines[0]["start_mb"]


def measure(place: Place) -> dict:
    bare = bare_megabytes(place)
    jobs = {"built-in model, 8 lanes": write_job(place.folder("memory-world") / "job.yaml", single_heads([0], 8))}
    if not place.quick:
        file = place.folder("memory-small") / "job.yaml"
        jobs[f"small, {LANES} lanes"] = small_job(file, place.model("small"), [0], LANES)
    return dict(bare=bare, jobs={name: measure_job(place, job, bare) for name, job in jobs.items()})


def describe(found: dict) -> list[str]:
    lines = [f"Peak of one rank less the bare program ({found['bare']:.0f} MB of libraries), against weights and "
             f"largest block as `headsweep plan` says them (target: within {100 * TOLERANCE:.0f} %):"]
    lines += [f"{name}: {one['peak']:.0f} MB, planned {one['planned']:.0f} MB (**{one['peak'] / one['planned']:.2f}**)."
              for name, one in found["jobs"].items()]
    return lines
