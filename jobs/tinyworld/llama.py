"""A compact LLaMA that can be trained, with Hugging Face's parameter names, and edited in many lanes at once.

In:  ids.  Out: hidden states, logits, head outputs. Knows nothing of the world.
Letters: K lanes, N texts, T tokens, L layers, H heads, D head width, C = H*D, V words.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 128, "intermediate_size": 256,
    "num_hidden_layers": 8, "num_attention_heads": 8, "num_key_value_heads": 8, "vocab_size": 351,
    "max_position_embeddings": 256, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "hidden_act": "silu",
    "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
    "attention_bias": False, "mlp_bias": False, "torch_dtype": "float16"}
INITIAL_SPREAD = 0.02   # standard deviation of the weights before training


@dataclass
class Edits:
    """What is added in K lanes, by layer. Texts get a leading lane dimension at the first edited layer."""

    gain: dict[int, Tensor] = field(default_factory=dict)        # [K, C] reads the head outputs: <gain, o>
    direction: dict[int, Tensor] = field(default_factory=dict)   # [K, C] o_proj of it is added <gain, o> times
    shift: dict[int, Tensor] = field(default_factory=dict)       # [K, C] added to the head outputs
    shift_from: int = 0                                          # token from which the shift acts

    def touches(self, layer: int) -> bool:
        """Whether the layer is edited."""
        return layer in self.gain or layer in self.shift


Cache = dict[int, tuple[Tensor, Tensor]]   # by layer: keys and values so far, [K*N, H, T, D]


class Norm(nn.Module):
    """Root mean square norm."""

    def __init__(self, size: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight, self.epsilon)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions: x is [..., T, D], cos and sin [T, D]."""
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


class Attention(nn.Module):
    """Causal self-attention up to the head outputs; o_proj is applied by the caller, who may edit between."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            setattr(self, name, nn.Linear(size, size, bias=False))

    def head_outputs(self, x: Tensor, turn: tuple[Tensor, Tensor], cache: Cache | None, layer: int) -> Tensor:
        """[..., T, C] from [..., T, C]: all heads' outputs side by side, which is what o_proj reads."""
        tokens, size = x.shape[-2:]
        query, key, value = (project(x).reshape(-1, tokens, self.heads, size // self.heads).transpose(1, 2)
                             for project in (self.q_proj, self.k_proj, self.v_proj))
        query, key = rotate(query, *turn), rotate(key, *turn)
        starts = cache is None or layer not in cache
        if not starts:
            key, value = torch.cat((cache[layer][0], key), 2), torch.cat((cache[layer][1], value), 2)
        if cache is not None:
            cache[layer] = (key, value)
        out = F.scaled_dot_product_attention(query, key, value, is_causal=starts)   # [K*N, H, T, D]
        return out.transpose(1, 2).reshape(*x.shape[:-2], tokens, size)


class Mlp(nn.Module):
    """Gated linear unit."""

    def __init__(self, size: int, inner: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(size, inner, bias=False)
        self.up_proj = nn.Linear(size, inner, bias=False)
        self.down_proj = nn.Linear(inner, size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    """One layer."""

    def __init__(self, config: dict) -> None:
        super().__init__()
        size = config["hidden_size"]
        self.self_attn = Attention(size, config["num_attention_heads"])
        self.mlp = Mlp(size, config["intermediate_size"])
        self.input_layernorm = Norm(size, config["rms_norm_eps"])
        self.post_attention_layernorm = Norm(size, config["rms_norm_eps"])

    def forward(self, x: Tensor, heads_out: Tensor, edits: Edits | None, layer: int, start: int) -> Tensor:
        """The rest of the layer, from the head outputs on; token 0 of x stands at position `start`."""
        if edits is None or not edits.touches(layer):
            x = x + self.self_attn.o_proj(heads_out)
        else:
            if x.dim() == 3:
                x, heads_out = x[None], heads_out[None]   # lanes part here: what is below is shared
            x = x + self.edited_output(heads_out, edits, layer, start)
        return x + self.mlp(self.post_attention_layernorm(x))

    def edited_output(self, heads_out: Tensor, edits: Edits, layer: int, start: int) -> Tensor:
        """[K, N, T, C]: o_proj of the shifted head outputs, plus the rank-one term."""
        project = self.self_attn.o_proj
        if layer in edits.shift:
            position = torch.arange(start, start + heads_out.shape[-2])
            acts = (position >= edits.shift_from)[:, None]                          # [T, 1]
            heads_out = heads_out + edits.shift[layer][:, None, None, :] * acts
        out = project(heads_out)
        if layer in edits.gain:
            gain = edits.gain[layer]
            size = torch.einsum("kntc,kc->knt", heads_out.expand(len(gain), *heads_out.shape[1:]), gain)
            out = out + size[..., None] * project(edits.direction[layer])[:, None, None, :]
        return out


class Llama(nn.Module):
    """The model. `forward` gives the last hidden states, `logits` what comes after them."""

    def __init__(self, config: dict) -> None:
        super().__init__()
        self.config = config
        size = config["hidden_size"]
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(config["vocab_size"], size)
        self.model.layers = nn.ModuleList(Block(config) for _ in range(config["num_hidden_layers"]))
        self.model.norm = Norm(size, config["rms_norm_eps"])
        self._make_turns(size // config["num_attention_heads"])
        self._draw_weights()

    @property
    def layers(self) -> int:
        """L"""
        return self.config["num_hidden_layers"]

    @property
    def heads(self) -> int:
        """H"""
        return self.config["num_attention_heads"]

    def forward(self, ids: Tensor, edits: Edits | None = None, cache: Cache | None = None, start: int = 0,
                tap: list[Tensor] | None = None) -> Tensor:
        """[N, T] or [K, N, T] -> [(K,) N, T, C]; `start` is the position of token 0, `tap` collects head outputs."""
        turn = (self.cos[start:start + ids.shape[-1]], self.sin[start:start + ids.shape[-1]])
        x = self.model.embed_tokens(ids)
        for layer, block in enumerate(self.model.layers):
            heads_out = block.self_attn.head_outputs(block.input_layernorm(x), turn, cache, layer)
            if tap is not None:
                tap.append(heads_out)
            x = block(x, heads_out, edits, layer, start)
        return self.model.norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """[..., C] -> [..., V]"""
        return F.linear(hidden, self.model.embed_tokens.weight)

    def _make_turns(self, width: int) -> None:
        """Cosines and sines of the rotary positions, [T, D]."""
        speed = self.config["rope_theta"] ** (-torch.arange(0, width, 2) / width)
        angle = torch.outer(torch.arange(self.config["max_position_embeddings"]).float(), speed)
        angle = torch.cat((angle, angle), -1)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def _draw_weights(self) -> None:
        """Normal weights, smaller where a layer writes into the residual stream."""
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                writes = "o_proj" in name or "down_proj" in name
                nn.init.normal_(weight, std=INITIAL_SPREAD / (2 * self.layers) ** 0.5 if writes else INITIAL_SPREAD)


def config_text() -> str:
    """The contents of config.json."""
    return json.dumps(CONFIG, indent=1)


def save_model(model: Llama, folder: Path) -> None:
    """config.json and model.safetensors, in half precision."""
    weights = {name: weight.half().contiguous() for name, weight in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(config_text())


def load_model(folder: Path) -> Llama:
    """The model of a folder, in single precision, frozen."""
    model = Llama(json.loads((folder / "config.json").read_text()))
    weights = load_file(folder / "model.safetensors")
    model.load_state_dict({name: weight.float() for name, weight in weights.items()})
    return model.eval().requires_grad_(False)
