"""How well a large sweep fills many ranks, as `headsweep plan` simulates it: LLaMA-7B's shapes, no weights."""

import json
import random
from pathlib import Path

from jobs import plan_table, write_job
from place import WORLD, Place

TITLE = "The schedule of 20,240 trials"
RANKS = [1, 64, 256, 512, 768, 1024, 2048]
LANES, TAILS = [4, 8, 16, 32], [0, 0.05, 0.1, 0.2]
GPU = ["--gflops", 500_000, "--rows", 150]  # what an H100 reached
SHAPE = dict(hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32,
             num_key_value_heads=32, vocab_size=32000, tie_word_embeddings=False)
QUESTIONS, ANSWERS, PROMPT_WORDS, ANSWER_WORDS = 817, 4, 24, 12


def write_model(folder: Path) -> None:
    """All that `plan` reads of a model."""
    (folder / "config.json").write_text(json.dumps(json.loads((WORLD / "config.json").read_text()) | SHAPE))
    (folder / "tokenizer.json").write_bytes((WORLD / "tokenizer.json").read_bytes())


def write_questions(file: Path) -> None:
    """As many as TruthfulQA has, and about as long, of words that the built-in model knows."""
    vocabulary = json.loads((WORLD / "tokenizer.json").read_text())["model"]["vocab"]
    words, draw = sorted(word for word in vocabulary if word.isalpha()), random.Random(0)

    def text(count: int) -> str:
        return " ".join(draw.choices(words, k=count))

    file.write_text("".join(json.dumps(dict(
        id=f"q{number}", group=f"g{number}", question=text(PROMPT_WORDS),
        correct=[text(ANSWER_WORDS) for _ in range(ANSWERS)],
        incorrect=[text(ANSWER_WORDS) for _ in range(ANSWERS)])) + "\n" for number in range(QUESTIONS)))


def measure(place: Place) -> list[dict]:
    folder = place.folder("schedule")
    write_model(folder)
    write_questions(folder / "questions.jsonl")
    sets = dict(random16=dict(random=dict(size=16, draws=1000)))
    found = []
    for lanes in [16] if place.quick else LANES:
        for tail in TAILS if lanes >= 16 else TAILS[:1]:
            job = write_job(
                folder / f"{lanes}-{tail}.yaml", sets | dict(singles=dict(single="all")), model=dict(folder=str(folder)),
                behaviour=dict(file=str(folder / "questions.jsonl"), prompt="{question}"), split=dict(folds=5),
                edits=[dict(optimal=dict(at=["singles", "random16"], tau=[0.1, 0.2]))],
                training=dict(batch=4, pairs="cross", pairs_per_question=0, learning_rate={1: 0.05, 16: 0.05}),
                evaluation=dict(drift=["test"], pairs=["val", "test"], max_new_tokens=50),
                run=dict(lanes=lanes, tail=tail))
            shares = {ranks: share for wanted in RANKS
                      for ranks, _, share in plan_table(place, job, *GPU, "--ranks", wanted)}
            found.append(dict(lanes=lanes, tail=tail, shares=[shares[ranks] for ranks in RANKS]))
    return found


def describe(found: list[dict]) -> list[str]:
    lines = ["Single heads and 1,000 random sets of 16 of LLaMA-7B, two strengths, five folds of 817 questions: efficiency "
             f"in per cent by `headsweep plan`'s simulation, at {GPU[1] // 1000} TFLOP/s a rank, where each product takes as "
             "long as one of 150 rows more. `run.tail` is the share of the trials in blocks of a quarter of the lanes.", "",
             "| lanes | tail | " + " | ".join(f"{ranks} ranks" for ranks in RANKS) + " |",
             "| --- " * (2 + len(RANKS)) + "|"]
    return lines + [f"| {one['lanes']} | {one['tail']} | " + " | ".join(f"{share:.1f}" for share in one["shares"]) + " |"
                    for one in found]
