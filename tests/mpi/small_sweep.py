"""A sweep that takes seconds: the built-in model, a few questions, a few locations; and how two results are compared."""
import json
import subprocess
import time
from pathlib import Path

import h5py
import numpy

from launch import BUILD, ROOT, environment, launch_line, run_ranks

WORLD = ROOT / "jobs" / "tinyworld"
# What may differ between two runs of the same sweep: when, by whom and how fast.
UNEQUAL = {"trials/seconds", "trials/rank", "trials/attempt"}

JOB = """\
name: small
seed: 3
model: {{folder: {world}, device: cpu}}
behaviour: {{file: {questions}, prompt: "Q: {{question}} A:", text: {world}/text.txt, text_documents: 6, text_tokens: 32}}
split: {{train: 0.6, val: 0.2, test: 0.2}}
probe: {{text: "Q: {{question}} A: {{answer}} Q: {{other}} A:", sigma_text: "Q: {{question}} A: {{answer}}", answers: 2, c: 1.0, batch: 32}}
locations:
  claimed: {{heads: [L2.H7, L6.H7]}}
  pairs: {{random: {{size: 2, draws: 4}}}}
  top2: {{top: {{size: 2}}}}
  all: all
edits:
  - optimal: {{at: [claimed, pairs, top2, all], tau: [0.1, 0.3]}}
  - iti: {{at: [top2, pairs], alpha: [5], draws: 2}}
  - lora: {{at: [all], tau: [0.1]}}
  - lora: {{at: [all], tau: [0.1], rank: 2, targets: [q_proj, o_proj, down_proj], learning_rate: 0.002}}
training: {{log_prob: sum, answer_end: none, read: layer, edit_from: all, pairs: cross, refusals: keep,
  pairs_per_question: 1, batch: 8, epochs: 1, clip: 1.0, learning_rate: {{2: 0.02, 64: 0.005, lora: 0.005}}}}
evaluation: {{judge: exact, max_new_tokens: 8, stop: ".", answers: [val, test], choice: [test], drift: [test], pairs: [val],
  questions: 8}}
run: {{seeds: [0], lanes: {lanes}, threads: 1}}
"""


def write_job(folder: Path, questions: int = 40, lanes: int = 2, **replaced: str) -> Path:
    """A job in `folder` on the first questions of the built-in world; `replaced` changes words of its text."""
    lines = (WORLD / "truthfulness.jsonl").read_text().splitlines()[:questions]
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n")
    text = JOB.format(world=WORLD, questions=folder / "questions.jsonl", lanes=lanes)
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    job = folder / "job.yaml"
    job.write_text(text)
    return job


def sweep(job: Path, folder: Path, *options: str, ranks: int = 1, launcher=()):
    return run_ranks(ranks, "headsweep", "run", job, "-o", folder, *options, options=launcher, timeout=600)


def start(job: Path, folder: Path, *options: str, ranks: int = 1, launched: bool = True) -> subprocess.Popen:
    """The same, left running in a process group of its own."""
    line = launch_line(ranks, "headsweep", "run", job, "-o", folder, *options)
    return subprocess.Popen(line if launched else line[line.index(str(BUILD / "headsweep")):], env=environment(),
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)


def headsweep(*words) -> subprocess.CompletedProcess:
    return subprocess.run([BUILD / "headsweep", *map(str, words)], capture_output=True, text=True, timeout=120)


def parts(folder: Path) -> list[Path]:
    return sorted((folder / "parts").glob("*.h5"))


def events(folder: Path) -> list[dict]:
    lines = [line for log in (folder / "state").glob("*.log") for line in log.read_text().splitlines()]
    return [json.loads(line) for line in lines if line.endswith("}")]


def starts(folder: Path) -> int:
    return sum(event["event"] == "start" for event in events(folder))


def wait_until(condition, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def ranks_of(runs: Path) -> list[int]:
    """Processes of the program, not of its launcher, that work on `runs`."""
    found = subprocess.run(["pgrep", "-f", f"^[^ ]*/headsweep run .*{runs}"], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]


def kill_everything(process: subprocess.Popen, runs: Path) -> None:
    """SIGKILL for the launcher and for every rank that works on `runs`."""
    process.kill()
    process.wait()
    while subprocess.run(["pkill", "-9", "-f", f"headsweep run .*{runs}"]).returncode == 0:
        time.sleep(0.05)


def datasets(file: Path) -> dict[str, numpy.ndarray]:
    found = {}
    with h5py.File(file) as results:
        results.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def differing(one: Path, other: Path) -> list[str]:
    """Names of the datasets whose bytes differ, apart from those that must."""
    first, second = datasets(one), datasets(other)
    assert first.keys() == second.keys()
    return [name for name in first if name not in UNEQUAL and first[name].tobytes() != second[name].tobytes()]
