"""Edits of a model in K lanes: constant shifts along probe directions, and rank-one edits trained by IPO.

In:  a Bench, sets of heads.  Out: `Edits`, one lane a set (or a strength). One thread.
Letters: K lanes, B pairs, L layers, H heads, D head width, C = H*D. Log-probabilities in nats.
"""

import math
import random
from dataclasses import dataclass

import torch
from torch import Tensor

from llama import Edits
from measure import Bench, Probes, Texts

Head = tuple[int, int]      # layer, head
HeadSet = list[Head]

TAU = 0.1                   # the preference margin aimed at is 1 / (2 tau) = 5 nats
STEPS = 108
BATCH = 16                  # pairs a step
PAIRS_PER_QUESTION = 2
RATE_ONE, RATE_ALL = 0.02, 0.005   # learning rates for one head and for all heads


def shift_heads(heads: HeadSet, strengths: list[float], probes: Probes, first: int) -> Edits:
    """Constant shifts: strength * spread * direction at each head, from token `first` on; a lane a strength."""
    width = probes.direction.shape[-1]
    total = torch.zeros(len(strengths), *probes.direction.shape)   # [K, L, H, D]
    for layer, head in heads:
        step = probes.spread[layer, head] * probes.direction[layer, head]
        total[:, layer, head] = torch.tensor(strengths)[:, None] * step.expand(len(strengths), width)
    return Edits(shift={layer: total[:, layer].flatten(1) for layer, _ in heads}, shift_from=first)


@dataclass(frozen=True)
class Pairs:
    """Answers to prefer and answers to avoid, and how much the unedited model prefers the former."""

    preferred: Texts
    avoided: Texts
    margin: Tensor   # [B] nats


def draw_pairs(bench: Bench, rng: random.Random) -> Pairs:
    """A few pairs of a true and a false answer to each training question."""
    rows = []
    for fact in bench.world.split["train"]:
        question = bench.questions[fact]
        choices = [(true, false) for true in question.correct for false in question.incorrect]
        rows += [(fact, *pair) for pair in rng.sample(choices, PAIRS_PER_QUESTION)]
    preferred = bench.join([(fact, true) for fact, true, _ in rows])
    avoided = bench.join([(fact, false) for fact, _, false in rows])
    with torch.no_grad():
        return Pairs(preferred, avoided, bench.log_prob(preferred) - bench.log_prob(avoided))


def start_edits(sets: list[HeadSet], shape: tuple[int, int, int], seed: int) -> tuple[Edits, dict[int, Tensor]]:
    """Random gains, zero directions, and per layer the mask [K, C] of the directions; shape is L, H, D."""
    mask = torch.zeros(len(sets), *shape)
    for lane, heads in enumerate(sets):
        for layer, head in heads:
            mask[lane, layer, head] = 1
    layers = sorted({layer for heads in sets for layer, _ in heads})
    channels = shape[1] * shape[2]
    generator = torch.Generator().manual_seed(seed)
    bound = 1 / math.sqrt(channels)
    edits = Edits()
    for layer in layers:
        gain = torch.empty(channels).uniform_(-bound, bound, generator=generator)
        edits.gain[layer] = gain.repeat(len(sets), 1).requires_grad_()
        edits.direction[layer] = torch.zeros(len(sets), channels, requires_grad=True)
    return edits, {layer: mask[:, layer].flatten(1) for layer in layers}


def train_edits(bench: Bench, sets: list[HeadSet], rate: float, seed: int = 0) -> Edits:
    """One optimal edit a set: <gain, o> times o_proj of the direction, which stays within the set's heads."""
    config = bench.model.config
    heads = config["num_attention_heads"]
    shape = (config["num_hidden_layers"], heads, config["hidden_size"] // heads)
    edits, mask = start_edits(sets, shape, seed)
    pairs = draw_pairs(bench, random.Random(seed))
    optimiser = torch.optim.Adam([*edits.gain.values(), *edits.direction.values()], lr=rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: (1 + math.cos(math.pi * step / STEPS)) / 2)
    for chosen in batches(len(pairs.margin), seed):
        masked = Edits(edits.gain, {layer: edits.direction[layer] * mask[layer] for layer in mask})
        optimiser.zero_grad()
        ipo_loss(bench, pairs, chosen, masked).backward()
        optimiser.step()
        schedule.step()
    return Edits({layer: gain.detach() for layer, gain in edits.gain.items()},
                 {layer: (edits.direction[layer] * mask[layer]).detach() for layer in mask})


def batches(count: int, seed: int) -> list[Tensor]:
    """For every step the indices of its pairs; each pair comes equally often, give or take one."""
    generator = torch.Generator().manual_seed(seed)
    rounds = -(-STEPS * BATCH // count)
    order = torch.cat([torch.randperm(count, generator=generator) for _ in range(rounds)])
    return list(order[:STEPS * BATCH].split(BATCH))


def ipo_loss(bench: Bench, pairs: Pairs, chosen: Tensor, edits: Edits) -> Tensor:
    """Squared distance of the gain in preference from 1 / (2 tau), mean over pairs, sum over lanes."""
    preferred = bench.log_prob(Texts(pairs.preferred.ids[chosen], pairs.preferred.lengths[chosen]), edits)   # [K, B]
    avoided = bench.log_prob(Texts(pairs.avoided.ids[chosen], pairs.avoided.lengths[chosen]), edits)
    gained = preferred - avoided - pairs.margin[chosen]
    return ((gained - 1 / (2 * TAU)) ** 2).mean(1).sum()
