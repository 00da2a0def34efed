"""Writes small random models and what peft says of LoRA on them: log-probabilities, gradients of one step, greedy
continuations, and a short training with the IPO loss. One folder a model, one JSON file a set of targets.
Run: make_lora.py FOLDER."""
import json
import math
import random
import sys
from pathlib import Path

import torch
from make_models import LlamaConfig, Qwen2Config, Qwen3Config, greedy, log_probs, write_model
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM

MODELS = {
    "llama": (LlamaConfig, dict(num_key_value_heads=2)),
    "qwen2": (Qwen2Config, dict(num_key_value_heads=2, tie_word_embeddings=True)),
    "qwen3": (Qwen3Config, dict(num_key_value_heads=1, head_dim=12)),
}
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TARGETS = {"linear": LINEAR, "some": ["q_proj", "down_proj"]}
RANK, PAIRS, BATCH, STEPS = 4, 8, 4, 10
LANES = [dict(tau=0.5, learning_rate=0.01), dict(tau=0.3, learning_rate=0.003)]


def make_pairs(vocab: int, draw: random.Random) -> list[dict]:
    def ids(low: int, high: int) -> list[int]:
        return [draw.randrange(vocab) for _ in range(draw.randint(low, high))]

    return [dict(prompt=ids(1, 9), chosen=ids(1, 6), rejected=ids(1, 6)) for _ in range(PAIRS)]


class Adapted:
    """A model with LoRA adapters on some of its linear layers."""

    def __init__(self, folder: Path, targets: list[str]):
        base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        config = LoraConfig(r=RANK, lora_alpha=RANK, lora_dropout=0.0, target_modules=targets, bias="none")
        self.model = get_peft_model(base, config).eval()
        self.modules = {name: module for name, module in self.model.named_modules() if isinstance(module, LoraLayer)}
        self.parameters = [weight for weight in self.model.parameters() if weight.requires_grad]

    def start(self, seed: int, spread: float) -> None:
        """A as at the start of a training; B normal with this deviation."""
        draw = torch.Generator().manual_seed(seed)
        for module in self.modules.values():
            a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
            a.data = (2 * torch.rand(a.shape, generator=draw) - 1) / a.shape[1] ** 0.5
            b.data = spread * torch.randn(b.shape, generator=draw)

    def rows(self, part: str = "data") -> list[dict]:
        """A and B (or their gradients) as rows of an edit: one for each layer, target and rank."""
        rows = []
        for name, module in self.modules.items():
            words = name.split(".")
            a, b = (getattr(getattr(module, which)["default"].weight, part) for which in ("lora_A", "lora_B"))
            rows += [dict(layer=int(words[words.index("layers") + 1]), target=words[-1], a=a[rank].tolist(),
                          b=b[:, rank].tolist()) for rank in range(RANK)]
        return rows

    def scores(self, pairs: list[dict]) -> torch.Tensor:
        """log p of chosen and rejected answers: [pairs, 2]."""
        return torch.stack([torch.stack([log_probs(self.model, pair["prompt"], pair[answer]).sum()
                                         for answer in ("chosen", "rejected")]) for pair in pairs])

    def loss(self, pairs: list[dict], tau: float) -> torch.Tensor:
        with torch.no_grad(), self.model.disable_adapter():
            reference = self.scores(pairs)
        moved = self.scores(pairs) - reference
        return ((moved[:, 0] - moved[:, 1] - 1 / (2 * tau)) ** 2).mean()


def measure(adapted: Adapted, pairs: list[dict], lane: dict, seed: int) -> dict:
    adapted.start(seed, 0.2)
    edit = adapted.rows()
    adapted.model.zero_grad()
    loss = adapted.loss(pairs, lane["tau"])
    loss.backward()
    return dict(edit=edit, loss=loss.item(), gradient=adapted.rows("grad"), scores=adapted.scores(pairs).tolist(),
                greedy=[greedy(adapted.model, pair["prompt"]) for pair in pairs])


def train(adapted: Adapted, pairs: list[dict], lane: dict, seed: int) -> dict:
    adapted.start(seed, 0.0)
    start, curve = adapted.rows(), []
    optimiser = torch.optim.AdamW(adapted.parameters, lr=lane["learning_rate"], weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 0.5 * (1 + math.cos(math.pi * step / STEPS)))
    for step in range(STEPS):
        first = step * BATCH % PAIRS
        optimiser.zero_grad()
        loss = adapted.loss(pairs[first:first + BATCH], lane["tau"])
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(adapted.parameters, 1.0)
        optimiser.step()
        schedule.step()
        curve.append(loss.item())
    return dict(start=start, curve=curve, last_norm=norm.item(), end=adapted.rows())


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    for seed, (name, (family, changes)) in enumerate(MODELS.items()):
        write_model(folder / name, family, changes, torch.float32, seed)
        for kind, targets in TARGETS.items():
            adapted = Adapted(folder / name, targets)
            pairs = make_pairs(adapted.model.config.vocab_size, random.Random(seed))
            lanes = [{**lane, **measure(adapted, pairs, lane, 10 * seed + i), **train(adapted, pairs, lane, seed)}
                     for i, lane in enumerate(LANES)]
            found = dict(model=name, pairs=pairs, batch=BATCH, steps=STEPS, lanes=lanes)
            (folder / f"{name}-{kind}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
