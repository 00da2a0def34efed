"""What every peer trains: pairs of token ids, locations, the start of a, the clock; and what it says of one location.

The objective is headsweep's: IPO, (log pi/pi0 (y+) - log pi/pi0 (y-) - 1 / (2 tau))^2 with log-probabilities summed
over an answer's tokens, mean over the pairs of a batch; batches in the order of the file. The edit of a layer adds
<a, o> * W_o b with b zero outside the location's heads; b starts at zero. AdamW, cosine to zero, no clipping.
Letters: B pairs, T tokens, C width of o_proj's input, D head width.
"""

import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

START_SPREAD = 0.02  # of a


@dataclass(frozen=True)
class Setting:
    """What is equal for all locations and methods."""

    model: Path
    steps: int = 16
    batch: int = 4
    tau: float = 0.1
    learning_rate: float = 0.01
    seed: int = 0
    precision: str = "f32"  # or bf16
    device: str = "cpu"

    @property
    def target(self) -> float:
        """Nats."""
        return 1 / (2 * self.tau)


@dataclass(frozen=True)
class Pair:
    """Token ids."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]


@dataclass(frozen=True)
class Location:
    """A set of heads (layer, index), written `0:1,2:7`."""

    name: str
    heads: tuple[tuple[int, int], ...]

    @property
    def first_layer(self) -> int:
        return min(layer for layer, _ in self.heads)

    def columns(self, head_dim: int) -> dict[int, list[int]]:
        """Layer -> the columns of W_o that belong to the heads."""
        found: dict[int, list[int]] = {}
        for layer, head in sorted(self.heads):
            found.setdefault(layer, []).extend(range(head * head_dim, (head + 1) * head_dim))
        return found


@dataclass
class Report:
    """What one location took, in CPU seconds (on a GPU: wall seconds), and its losses."""

    setup: float = 0.0
    precompute: float = 0.0  # of pi0, where it is made anew for each location
    steps: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)  # nats^2


def read_pairs(file: Path, most: int) -> list[Pair]:
    """The first `most` pairs."""
    lines = file.read_text().splitlines()[:most]
    return [Pair(**json.loads(line)) for line in lines]


def read_locations(text: str) -> list[Location]:
    """Locations between `;`, heads `layer:head` between commas."""
    def heads(part: str) -> tuple[tuple[int, int], ...]:
        pairs = (word.split(":") for word in part.split(","))
        return tuple((int(layer), int(head)) for layer, head in pairs)

    return [Location(part, heads(part)) for part in text.split(";")]


def in_batches(pairs: list[Pair], setting: Setting) -> list[list[Pair]]:
    """One batch a step; the pairs are gone through again where they do not last."""
    cut = [pairs[begin:begin + setting.batch] for begin in range(0, len(pairs), setting.batch)]
    return [cut[step % len(cut)] for step in range(setting.steps)]


def start_of_a(layer: int, width: int, seed: int) -> Tensor:
    """[C]: the same for every location, and what headsweep's benchmark starts from."""
    return torch.randn(width, generator=torch.Generator().manual_seed(seed + layer)) * START_SPREAD


def cosine(step: int, steps: int) -> float:
    """Share of the learning rate."""
    return 0.5 * (1 + math.cos(math.pi * step / steps))


def now(device: str) -> float:
    """CPU seconds of this process; on a GPU wall seconds, when it has done what it was told."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()
