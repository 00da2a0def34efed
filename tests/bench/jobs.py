"""Job files for the benchmark's sweeps."""

import json
import re
from pathlib import Path

from place import WORLD, Place, run

EVALUATION = dict(judge="exact", max_new_tokens=12, stop=".", answers=["val", "test"], choice=["test"], drift=[],
                  pairs=[], questions=48)
TRAINING = dict(log_prob="sum", pairs="cross", refusals="drop", pairs_per_question=1, batch=8, epochs=2, clip=0.0)


def to_yaml(value: object) -> str:
    """In one line; words stand bare, other texts in quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {to_yaml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_yaml, value)) + "]"
    bare = isinstance(value, str) and re.fullmatch(r"[A-Za-z]\w*(\.H\d+)?", value)
    return value if bare else json.dumps(value)


def single_heads(layers: list[int], heads: int) -> dict[str, dict]:
    """Each head of these layers as a location of its own."""
    return {f"h{layer}_{head}": dict(heads=[f"L{layer}.H{head}"]) for layer in layers for head in range(heads)}


def write_job(file: Path, locations: dict, lanes: int = 8, **changes: dict | list) -> Path:
    """A job on the built-in world that trains one optimal edit at each location; `changes` replaces keys of parts,
    `edits` and `split` whole."""
    job = dict(
        name="bench",
        model=dict(folder=str(WORLD), device="cpu"),
        behaviour=dict(file=str(WORLD / "truthfulness.jsonl"), prompt="Q: {question} A:"),
        split=dict(train=0.6, val=0.2, test=0.2),
        probe=dict(answers=1, c=1.0, batch=64),
        locations=locations,
        edits=[dict(optimal=dict(at=list(locations), tau=[0.1]))],
        training=TRAINING | dict(learning_rate={size: 0.05 for size in sizes_of(locations)}),
        evaluation=EVALUATION,
        run=dict(seeds=[0], lanes=lanes, threads=1),
    )
    for part, values in changes.items():
        job[part] = values if part in ("edits", "split") else job[part] | values
    file.write_text("".join(f"{key}: {to_yaml(value)}\n" for key, value in job.items()))
    return file


def plan_table(place: Place, job: Path, *options: object) -> list[tuple[int, float, float]]:
    """What `headsweep plan` says: ranks, rank-hours and efficiency (per cent) of each row."""
    rows = re.findall(r"^ +(\d+) +.*? +([\d.]+) +([\d.]+) %$", run(place.headsweep, "plan", job, *options).out,
                      re.MULTILINE)
    return [(int(ranks), float(hours), float(share)) for ranks, hours, share in rows]


def sizes_of(locations: dict) -> list[int]:
    """Numbers of heads, each once."""
    return sorted({1 if "single" in one else len(one["heads"]) if "heads" in one else one["random"]["size"]
                   for one in locations.values() if "all" not in one})


def lora_job(file: Path, rank: int, lanes: int, **changes: dict | list) -> Path:
    """LoRA at every linear layer, one block of so many lanes."""
    targets = [f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")]
    taus = [round(0.1 * (lane + 1), 1) for lane in range(lanes)]
    lora = dict(at=["every"], tau=taus, rank=rank, targets=targets, learning_rate=0.001)
    return write_job(file, dict(every=dict(all="all")), lanes, edits=[dict(lora=lora)], **changes)


def small_job(file: Path, model: Path, layers: list[int], lanes: int) -> Path:
    """Few questions on one of the random models, which speak words of their own."""
    return write_job(file, single_heads(layers, lanes), lanes, model=dict(folder=str(model)),
                     behaviour=dict(file=str(model / "questions.jsonl"), prompt="{question}"),
                     training=dict(batch=4, epochs=1),
                     evaluation=dict(answers=["test"], stop="", max_new_tokens=8, questions=8))
