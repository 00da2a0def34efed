"""A whole trial with its evaluation: `headsweep run` on the built-in model against the lean loop, which trains on as
many pairs, answers the same questions with `generate` and scores the same given answers."""

import json
import random
from pathlib import Path

import h5py

from jobs import EVALUATION, TRAINING, single_heads, write_job
from place import BENCH, WORLD, Place, median, python, run, spread

TITLE = "A whole trial with evaluation"
HEADS, LAYERS = 8, [0, 1, 4, 7]


def sweep(place: Place, job: Path, name: str, *options: object) -> tuple[float, Path]:
    """CPU seconds of a sweep on one rank, and its folder."""
    folder = place.folder(name)
    return run(place.headsweep, "run", job, "-o", folder / "sweep", *options, allowed=(5,)).cpu, folder / "sweep"


def measure_ours(place: Place) -> tuple[float, Path]:
    """CPU seconds a trial: a sweep of four blocks less one of its first block alone (blocks are drawn by falling cost,
    so the first is layer 0's). Start-up cancels; writing and gathering are in."""
    job = write_job(place.folder("trial-job") / "job.yaml", single_heads(LAYERS, HEADS), lanes=HEADS)
    first, _ = sweep(place, job, "trial-first", "--limit", 1)
    whole, folder = sweep(place, job, "trial-whole")
    return (whole - first) / (HEADS * (len(LAYERS) - 1)), folder / "results.h5"


def write_tasks(results: Path, file: Path) -> None:
    """The texts of the sweep's own split: one random pair of each training question, prompts, given answers."""
    questions = [json.loads(line) for line in (WORLD / "truthfulness.jsonl").read_text().splitlines()]
    with h5py.File(results) as swept:
        part = swept["questions/part"][0]
    draw = random.Random(0)
    of_part = {number: [question for question, its in zip(questions, part) if its == number] for number in range(3)}

    def prompt(question: dict) -> str:
        return f"Q: {question['question']} A:"

    file.write_text(json.dumps(dict(
        pairs=[[prompt(one), draw.choice(one["correct"]), draw.choice(one["incorrect"])] for one in of_part[0]],
        prompts=[prompt(one) for one in of_part[1] + of_part[2]],
        rows=[[prompt(one), answer] for one in of_part[2]
              for answer in one["correct"] + one["incorrect"] + one.get("refusals", [])],
        stop=EVALUATION["stop"], max_new_tokens=EVALUATION["max_new_tokens"])))


def measure_lean(tasks: Path) -> list[dict]:
    locations = ";".join(f"{layer}:0" for layer in LAYERS[1:])
    return run(python(), BENCH / "peers" / "whole_trial.py", "--model", WORLD, "--tasks", tasks, "--locations",
               locations, "--batch", TRAINING["batch"], "--epochs", TRAINING["epochs"]).lines


def measure_round(place: Place) -> dict:
    ours, results = measure_ours(place)
    tasks = results.parent / "tasks.json"
    write_tasks(results, tasks)
    trials = measure_lean(tasks)
    return dict(ours=ours, lean={part: sum(trial[f"{part}_s"] for trial in trials) / len(trials)
                                 for part in ("train", "answers", "choice")})


def measure(place: Place) -> list[dict]:
    return [measure_round(place) for _ in range(place.rounds)]


def describe(found: list[dict]) -> list[str]:
    parts = {part: median([one["lean"][part] for one in found]) for part in found[0]["lean"]}
    ours, whole = median([one["ours"] for one in found]), sum(parts.values())
    ratio = spread([sum(one["lean"].values()) / one["ours"] for one in found], 1)
    layers = ", ".join(map(str, LAYERS[1:]))
    return [f"Built-in model, single heads of layers {layers} at {HEADS} lanes, the quickstart's training (108 steps of 8 "
            "pairs), answers to 288 questions, multiple choice on 144; CPU seconds a trial:",
            f"headsweep **{ours:.2f}**, lean loop {whole:.2f} (training {parts['train']:.2f}, answers "
            f"{parts['answers']:.2f}, multiple choice {parts['choice']:.2f}): **{ratio}** times."]
