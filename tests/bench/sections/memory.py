"""Peak memory of a sweep's rank against what `headsweep plan` says of it."""

import re
import sys
import time
from pathlib import Path

from jobs import lora_job, small_job, write_job
from place import ROOT, Child, Place, on_ranks, run

sys.path.insert(0, str(ROOT / "tests" / "mpi"))
from small_world import PRIMER, make_world  # noqa: E402

TITLE = "Memory"
TOLERANCE = 0.15
UNITS = {"KB": 1e-3, "MB": 1.0, "GB": 1e3}


def planned_megabytes(place: Place, job: Path) -> float:
    """The sum of the sizes in plan's line on memory."""
    line = next(line for line in run(place.headsweep, "plan", job).out.splitlines() if line.startswith("memory:"))
    return sum(float(size) * UNITS[unit] for size, unit in re.findall(r"([\d.]+) (KB|MB|GB)", line))


def measure_job(place: Place, job: Path) -> dict:
    """A job of one block. What the program touches when it ends is left out."""
    sweep = job.parent / "sweep"
    child, peak = Child(place.headsweep, "run", job, "-o", sweep), 0.0
    while child.runs() and not (sweep / "results.h5").exists():
        peak = max(peak, child.megabytes("VmHWM"))
        time.sleep(0.02)
    child.wait()
    return dict(planned=planned_megabytes(place, job), peak=peak)


def paper_job(place: Place, lanes: int, judge: str) -> Path:
    """One block of the paper's formats: a primer before each question, answers and multiple choice, judges."""
    folder = place.folder(f"memory-paper{lanes}-{judge}")
    shape = dict(hidden_size=512, intermediate_size=1376, num_hidden_layers=8, max_position_embeddings=1024)
    world = make_world(folder, 200, primer=PRIMER * 5, **shape)
    heads = ", ".join(f"L0.H{head}" for head in range(8))
    judges = f"{{truth: {world['evaluation.judge.truth']}, info: {world['evaluation.judge.info']}}}"
    job = folder / "job.yaml"
    job.write_text(f"""extends: {ROOT}/jobs/paper.yaml
model: {{folder: {world['model.folder']}, device: cpu, precision: f32}}
behaviour: {{file: {world['behaviour.file']}}}
locations: {{some: {{heads: [{heads}]}}}}
edits: [{{optimal: {{at: [some], tau: [{', '.join(f'0.{k + 1}' for k in range(lanes))}]}}}}]
training: {{learning_rate: {{8: 0.001}}, pairs_per_question: 1, epochs: 1}}
evaluation: {{primer: {world['evaluation.primer']}, judge: {judges if judge == 'models' else judge}, questions: 16}}
run: {{lanes: {lanes}, prefixes: recomputed}}
""")
    return job


def pairs_of_heads(count: int) -> dict[str, dict]:
    """Locations with one first layer: a head of layer 0 and one above."""
    return {f"pair{k}": dict(heads=[f"L0.H{k % 8}", f"L{1 + k // 8}.H0"]) for k in range(count)}


def proportional_megabytes(sweep: Path) -> list[float]:
    """Of each rank that works on `sweep`: its own pages, and its share of those that ranks have in common."""
    sizes = []
    for pid in run("pgrep", "-f", f"^[^ ]*/headsweep run .*{sweep}", allowed=(1,)).out.split():
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:  # it has just ended
            continue
        sizes.append(1.024e-3 * int(re.search(r"^Pss:\s*(\d+) kB", lines, re.MULTILINE)[1]))
    return sizes


def measure_ranks(place: Place, ranks: int) -> float:
    """The most that all ranks hold together, in megabytes."""
    folder = place.folder(f"memory-ranks{ranks}")
    job = small_job(folder / "job.yaml", place.model("small"), [0], 2)
    child, peak = Child(*on_ranks(ranks, place.headsweep, "run", job, "-o", folder / "sweep")), 0.0
    while child.runs():
        peak = max(peak, sum(proportional_megabytes(folder / "sweep")))
        time.sleep(0.1)
    child.wait()
    return peak


def measure(place: Place) -> dict:
    def world(lanes: int) -> Path:
        return write_job(place.folder(f"memory-world{lanes}") / "job.yaml", pairs_of_heads(lanes), lanes)

    jobs = {f"built-in model, {lanes} lanes": world(lanes) for lanes in ([8] if place.quick else [1, 8, 32])}
    for lanes in [] if place.quick else [1, 8]:
        file = place.folder(f"memory-small{lanes}") / "job.yaml"
        jobs[f"small, {lanes} lanes"] = small_job(file, place.model("small"), [0], lanes)
    for judge in [] if place.quick else ["none", "models"]:
        jobs[f"the paper's formats, judge: {judge}, 8 lanes"] = paper_job(place, 8, judge)
    for rank in [] if place.quick else [4, 64]:
        file = place.folder(f"memory-lora{rank}") / "job.yaml"
        jobs[f"built-in model, 4 lanes of LoRA of rank {rank}"] = lora_job(file, rank, 4)
    weights = place.model("small").joinpath("model.safetensors").stat().st_size / 1e6
    return dict(jobs={name: measure_job(place, job) for name, job in jobs.items()}, weights=weights,
                ranks={ranks: measure_ranks(place, ranks) for ranks in ([] if place.quick else [1, 2])})


def describe(found: dict) -> list[str]:
    lines = ["Peak of one rank, weights and libraries in, against what `headsweep plan` says (target: within "
             f"{100 * TOLERANCE:.0f} %):", "", "| | peak, MB | planned, MB | peak / planned |", "| --- | --- | --- | --- |"]
    lines += [f"| {name} | {one['peak']:.0f} | {one['planned']:.0f} | **{one['peak'] / one['planned']:.2f}** |"
              for name, one in found["jobs"].items()]
    if not found["ranks"]:
        return lines
    one, two = found["ranks"].values()
    return lines + ["", f"Ranks of a host share its weights: on `small` ({found['weights']:.0f} MB of weights) one rank held "
                    f"{one:.0f} MB at most, two together {two:.0f} MB: the second added **{two - one:.0f} MB**."]
