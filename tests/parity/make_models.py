"""Writes small random models of each family and what transformers says of them: log-probabilities of token trees, with and
without rank-1 edits hooked onto o_proj, gradients of the edits by autograd, greedy continuations. One folder a model,
one JSON file of expectations inside. Run: make_models.py FOLDER [MODEL_FOLDER...], the latter are models to measure as
they are."""
import json
import random
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, PreTrainedConfig, Qwen2Config, Qwen3Config

PLAIN = dict(vocab_size=61, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
             num_key_value_heads=4, max_position_embeddings=64, initializer_range=0.15, rms_norm_eps=1e-5)
LLAMA3 = dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)
LINEAR = dict(rope_type="linear", rope_theta=10000.0, factor=4.0)
MODELS = {
    "plain": (LlamaConfig, dict(), torch.float32),
    "grouped": (LlamaConfig, dict(num_key_value_heads=2, num_hidden_layers=4), torch.bfloat16),
    "tied": (LlamaConfig, dict(tie_word_embeddings=True), torch.float16),
    "wide_heads": (LlamaConfig, dict(head_dim=12, num_key_value_heads=1,
                                     rope_parameters=dict(rope_type="default", rope_theta=500000.0)), torch.float32),
    "llama3": (LlamaConfig, dict(rope_parameters=LLAMA3), torch.float32),
    "llama3_old": (LlamaConfig, dict(rope_parameters=LLAMA3, num_key_value_heads=2), torch.bfloat16),
    "linear": (LlamaConfig, dict(rope_parameters=LINEAR), torch.float32),
    "linear_old": (LlamaConfig, dict(rope_parameters=LINEAR), torch.float16),
    "mistral": (MistralConfig, dict(sliding_window=40, num_key_value_heads=2), torch.float32),
    "mistral_old": (MistralConfig, dict(sliding_window=None, head_dim=10), torch.bfloat16),
    "qwen2": (Qwen2Config, dict(num_key_value_heads=2, tie_word_embeddings=True), torch.float32),
    "qwen2_old": (Qwen2Config, dict(use_sliding_window=True, sliding_window=40, max_window_layers=1), torch.bfloat16),
    "qwen3": (Qwen3Config, dict(num_key_value_heads=2, head_dim=12, tie_word_embeddings=True), torch.float32),
    "qwen3_one_key": (Qwen3Config, dict(num_key_value_heads=1, head_dim=8), torch.bfloat16),
    "qwen3_old": (Qwen3Config, dict(head_dim=8, rope_parameters=LINEAR, use_sliding_window=True, sliding_window=40,
                                    max_window_layers=1), torch.float16),
}
AS_TRANSFORMERS_4 = ("grouped", "llama3_old", "linear_old", "mistral_old", "qwen2_old", "qwen3_old")  # their config.json
LANES, ROOM = 3, 6


def write_model(folder: Path, family: type[PreTrainedConfig], changes: dict, dtype: torch.dtype, seed: int) -> None:
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(family(**{**PLAIN, **changes}))
    for name, weight in model.named_parameters():
        if "norm" in name or "bias" in name:
            weight.data.uniform_(0.5, 1.5)
    shards = dict(max_shard_size="20KB") if folder.name == "wide_heads" else {}
    model.to(dtype).save_pretrained(folder, **shards)
    if folder.name in AS_TRANSFORMERS_4:
        config = json.loads((folder / "config.json").read_text())
        rope = config.pop("rope_parameters")
        scaling = None if rope["rope_type"] == "default" else {key: rope[key] for key in rope if key != "rope_theta"}
        (folder / "config.json").write_text(json.dumps({**config, "rope_theta": rope["rope_theta"], "rope_scaling": scaling}))


def make_trees(vocab: int, draw: random.Random) -> list[dict]:
    def ids(low: int, high: int) -> list[int]:
        return [draw.randrange(vocab) for _ in range(draw.randint(low, high))]

    trees = [dict(prompt=ids(1, 9), answers=[ids(1, 6) for _ in range(draw.randint(1, 3))]) for _ in range(5)]
    for tree in trees:
        tree["edit_start"] = draw.choice([0, len(tree["prompt"]) - 1])
    return trees


def make_edits(config: PreTrainedConfig, width: int, draw: torch.Generator) -> dict[int, dict]:
    """Layer -> lanes, read [K', C] (none: constant gate), write [K', E]."""
    def rows(count: int, size: int) -> torch.Tensor:
        return (torch.randn(count, size, generator=draw) / size**0.5).requires_grad_()

    last = config.num_hidden_layers - 1
    return {0: dict(lanes=list(range(LANES)), read=rows(LANES, width), write=rows(LANES, config.hidden_size)),
            1: dict(lanes=[0, 2], read=None, write=rows(2, config.hidden_size)),
            last: dict(lanes=[1, 2], read=rows(2, width), write=rows(2, config.hidden_size))}


class Edited:
    """The model with one lane's edits hooked onto its o_proj, from position `start` on."""

    def __init__(self, model: torch.nn.Module, edits: dict[int, dict], lane: int, start: int):
        self.handles = []
        for layer, edit in edits.items():
            if lane in edit["lanes"]:
                row = edit["lanes"].index(lane)
                hook = self.hook(None if edit["read"] is None else edit["read"][row], edit["write"][row], start)
                self.handles.append(model.model.layers[layer].self_attn.o_proj.register_forward_hook(hook))

    @staticmethod
    def hook(read, write, start):
        def add(_, inputs, output):
            outputs = inputs[0]  # [1, T, C]
            gate = torch.ones(outputs.shape[:2]) if read is None else outputs @ read
            active = (torch.arange(outputs.shape[1]) >= start).float()
            return output + (gate * active)[..., None] * write
        return add

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()


def log_probs(model: torch.nn.Module, prompt: list[int], answer: list[int]) -> torch.Tensor:
    """log p of each token of the answer, [tokens]."""
    logits = model(torch.tensor([prompt + answer]), use_cache=False).logits[0]
    at = torch.arange(len(prompt) - 1, len(prompt) + len(answer) - 1)
    return logits.log_softmax(-1)[at, torch.tensor(answer)]


@torch.no_grad()
def greedy(model: torch.nn.Module, prompt: list[int]) -> list[int]:
    ids = list(prompt)
    for _ in range(ROOM):
        ids.append(int(model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    return ids[len(prompt):]


def measure(folder: Path, seed: int) -> dict:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    model.requires_grad_(False)
    trees = make_trees(model.config.vocab_size, random.Random(seed))
    width = model.model.layers[0].self_attn.o_proj.in_features
    edits = make_edits(model.config, width, torch.Generator().manual_seed(seed))
    pairs = [(tree, answer) for tree in trees for answer in tree["answers"]]
    weights = torch.randn(LANES, len(pairs), generator=torch.Generator().manual_seed(seed + 1))
    plain = [log_probs(model, tree["prompt"], answer).tolist() for tree, answer in pairs]
    lanes, loss, continuations = [], 0.0, []
    for lane in range(LANES):
        sums = []
        for tree, answer in pairs:
            with Edited(model, edits, lane, tree["edit_start"]):
                sums.append(log_probs(model, tree["prompt"], answer).sum())
        lanes.append(torch.stack(sums).tolist())
        loss = loss + (weights[lane] * torch.stack(sums)).sum()
        continuations.append([])
        for tree in trees:
            with Edited(model, edits, lane, tree["edit_start"]):
                continuations[-1].append(greedy(model, tree["prompt"]))
    loss.backward()

    def rows(tensor):
        return None if tensor is None else tensor.tolist()

    return dict(trees=trees, entries=plain, answers=lanes, loss_weights=weights.tolist(), greedy=continuations,
                edits=[dict(layer=layer, lanes=edit["lanes"], read=rows(edit["read"]), write=rows(edit["write"]),
                            read_gradient=rows(edit["read"].grad if edit["read"] is not None else None),
                            write_gradient=rows(edit["write"].grad)) for layer, edit in edits.items()])


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    for seed, (name, (family, changes, dtype)) in enumerate(MODELS.items()):
        write_model(folder / name, family, changes, dtype, seed)
    for given in sys.argv[2:]:
        (folder / Path(given).name).symlink_to(given)
    for seed, model in enumerate(sorted(folder.iterdir())):
        (folder / f"{model.name}.json").write_text(json.dumps(measure(model, seed)))


if __name__ == "__main__":
    main()
