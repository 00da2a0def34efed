"""Trains the tiny world's model from a seed: facts first, then verdicts, then cooling down.

In:  a seed, a folder.  Out: config.json, model.safetensors and train.json in the folder. One thread, deterministic on
one kind of CPU with one version of torch; another rounding acts like another seed.
"""

import json
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from corpus import FINAL_MIX, Mix, Scope, write_document
from llama import CONFIG, Llama, save_model
from world import World

MATRIX_RATE = 0.02      # Muon, all matrices but the embedding
OTHER_RATE = 4e-3       # AdamW, embedding and norms
BATCH, LENGTH = 32, 64  # documents a step, tokens a document
REPORT_EVERY = 50       # steps


@dataclass(frozen=True)
class Growth:
    """A curriculum: the first `start` entities, twice as many every `doubling` steps."""

    start: int
    doubling: int   # steps

    def count(self, step: int) -> int:
        """Entities in play after so many steps."""
        return int(self.start * 2 ** (step / self.doubling))


@dataclass(frozen=True)
class Stage:
    """A part of the training with a mix of documents and a plan for the learning rate."""

    name: str
    steps: int
    mix: Mix
    warm_up: int = 1                  # steps until the full rate
    last_rate: float = 1.0            # the rate falls linearly, but not below this share
    written: Growth | None = None     # entities written about; None: all
    quizzed: Growth | None = None     # entities quizzed about; None: all

    def rate(self, step: int) -> float:
        """Share of the full learning rate at a step of this stage."""
        left = (self.steps - step) / self.steps
        return min(1.0, (step + 1) / self.warm_up) * max(self.last_rate, left)

    def scope(self, step: int, entities: int) -> Scope:
        """What the documents of a step of this stage are about."""
        def grow(growth: Growth | None) -> int:
            return entities if growth is None else min(entities, growth.count(step))
        return Scope(self.mix, grow(self.written), grow(self.quizzed))


STAGES = (
    Stage("facts", 700, Mix(register=0.50, quiz=0.00, question=0.38, behaviour=0.12), warm_up=50,
          written=Growth(8, 110)),
    Stage("quiz", 400, FINAL_MIX, warm_up=50, quizzed=Growth(5, 70)),
    Stage("cool", 500, FINAL_MIX, last_rate=0.02),
)


def draw_batch(world: World, rng: random.Random, scope: Scope) -> tuple[Tensor, Tensor]:
    """Documents [BATCH, LENGTH + 1] and the loss weights of what follows the first token, [BATCH * LENGTH]."""
    documents = [write_document(world, rng, scope, LENGTH) for _ in range(BATCH)]
    ids = torch.tensor([ids for ids, _ in documents])
    weights = torch.tensor([weights for _, weights in documents])
    return ids, weights[:, 1:].flatten()


def weighted_loss(model: Llama, ids: Tensor, weights: Tensor) -> Tensor:
    """Mean cross-entropy of the next word, in nats."""
    logits = model.logits(model(ids[:, :-1])).flatten(0, 1)
    losses = F.cross_entropy(logits, ids[:, 1:].flatten(), reduction="none")
    return (losses * weights).sum() / weights.sum()


class Optimiser:
    """Muon for the matrices, AdamW for the rest."""

    def __init__(self, model: Llama) -> None:
        named = list(model.named_parameters())
        is_matrix = {name: weight.dim() == 2 and "embed" not in name for name, weight in named}
        matrices = [weight for name, weight in named if is_matrix[name]]
        self.others = [weight for name, weight in named if not is_matrix[name]]
        self.parts = (
            (torch.optim.Muon(matrices, lr=MATRIX_RATE, weight_decay=0.01, momentum=0.95, nesterov=True), MATRIX_RATE),
            (torch.optim.AdamW(self.others, lr=OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.0), OTHER_RATE))

    def step(self, loss: Tensor, share: float) -> None:
        """One step down at a share of the full rate."""
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.others, 1.0)
        for optimiser, rate in self.parts:
            for group in optimiser.param_groups:
                group["lr"] = rate * share
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)


def plan_steps(entities: int) -> list[tuple[str, float, Scope]]:
    """For every step of the training: its stage, its share of the rate, its scope."""
    return [(stage.name, stage.rate(step), stage.scope(step, entities))
            for stage in STAGES for step in range(stage.steps)]


def train_model(seed: int, folder: Path, most_steps: int | None = None) -> None:
    """The whole recipe, or its first steps."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng = random.Random(seed + 1)
    world, model = World(), Llama(CONFIG)
    optimiser = Optimiser(model)
    losses: list[float] = []
    start = time.monotonic()
    for name, share, scope in plan_steps(len(world.entities))[:most_steps]:
        loss = weighted_loss(model, *draw_batch(world, rng, scope))
        optimiser.step(loss, share)
        losses.append(loss.item())
        if len(losses) % REPORT_EVERY == 0:
            seconds = time.monotonic() - start
            print(f"{name} step {len(losses)}: loss {mean_of_last(losses):.4f} nats, {seconds:.0f} s", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    save_model(model, folder)
    record = {"seed": seed, "steps": len(losses), "tokens": len(losses) * BATCH * LENGTH, "loss": mean_of_last(losses)}
    (folder / "train.json").write_text(json.dumps(record, indent=1) + "\n")


def mean_of_last(losses: list[float]) -> float:
    """Mean loss of the newest steps."""
    newest = losses[-REPORT_EVERY:]
    return sum(newest) / len(newest)
