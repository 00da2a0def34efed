"""Part of the section on GPUs: a whole sweep of two blocks of 8 lanes, for start-up, evaluation and memory."""

import json
import subprocess
import time
from pathlib import Path

from jobs import single_heads, write_job
from place import Child, Place
from sections.memory import planned_megabytes

LANES, TOKENS = 8, 50


def used_megabytes() -> float:
    """Of the first GPU, whoever takes them."""
    words = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    return 1.049 * float(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[0])


def write_gpu_job(file: Path, model: Path) -> Path:
    """Optimal edits, trained and measured, and shifts, which are measured alone, at heads of layer 0."""
    locations = single_heads([0], LANES)
    return write_job(file, locations, LANES, model=dict(folder=str(model), device="cuda", precision="bf16"),
                     behaviour=dict(file=str(model / "questions.jsonl"), prompt="{question}"),
                     edits=[dict(optimal=dict(at=list(locations), tau=[0.1])), dict(iti=dict(at=list(locations), alpha=[5]))],
                     training=dict(batch=4, pairs_per_question=0),
                     evaluation=dict(answers=["val", "test"], choice=["val", "test"], stop="", max_new_tokens=TOKENS))


def events_of(sweep: Path) -> list[dict]:
    lines = [line for log in (sweep / "state").glob("*.log") for line in log.read_text().splitlines()]
    return [json.loads(line) for line in lines if line.endswith("}")]


def block_seconds(events: list[dict]) -> list[float]:
    """In the order of the blocks."""
    begun = {event["block"]: event["time"] for event in events if event["event"] == "start"}
    return [event["time"] - begun[event["block"]] for event in events if event["event"] == "done"]


def measure(place: Place, model: Path) -> dict:
    folder = place.folder("gpu-sweep")
    job = write_gpu_job(folder / "job.yaml", model)
    before, peak = used_megabytes(), 0.0
    child = Child(place.headsweep, "run", job, "-o", folder / "sweep")
    while child.runs():
        peak = max(peak, used_megabytes())
        time.sleep(0.1)
    child.wait()
    events = events_of(folder / "sweep")
    seconds = block_seconds(events)
    start = min(event["time"] for event in events if event["event"] == "start") - child.started
    return dict(start_s=start, trained_s=max(seconds), shifted_s=min(seconds), peak_mb=peak - before,
                planned_mb=planned_megabytes(place, job), questions=count_questions(model))


def count_questions(model: Path) -> int:
    """Those of validation and test: 0.4 of all."""
    return round(0.4 * len((model / "questions.jsonl").read_text().splitlines()))


def describe(found: dict) -> list[str]:
    evaluated = found["shifted_s"] / LANES
    return [f"A sweep of {LANES} lanes at layer 0: **{found['start_s']:.0f} s** from the launch to the first block (weights, probes, "
            f"unedited model); evaluation (answers of {TOKENS} tokens to {found['questions']} questions, multiple choice on them) "
            f"**{evaluated:.2f} s a lane**. The GPU's memory at its peak: {1e-3 * found['peak_mb']:.1f} GB, "
            f"planned {1e-3 * found['planned_mb']:.1f} GB."]
