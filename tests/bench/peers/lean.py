"""The lean loop: what a careful user of transformers writes. Model in memory once, pi0 of each batch once for all
locations, a forward hook on o_proj or peft's LoRA, one location at a time. Texts padded on the right, logits
everywhere.

Letters: B pairs, T tokens, E hidden, V words.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import LlamaForCausalLM

from task import Location, Pair, Report, Setting, cosine, in_batches, now, start_of_a


@dataclass(frozen=True)
class Batch:
    """2B texts, the chosen ones first."""

    ids: Tensor     # [2B, T]
    seen: Tensor    # [2B, T] 1 where there is text
    answer: Tensor  # [2B, T] 1 at the tokens of the answer


def collate(texts: list[tuple[list[int], list[int]]], device: str = "cpu") -> Batch:
    """(prompt, answer) a row."""
    longest = max(len(prompt) + len(answer) for prompt, answer in texts)
    ids, seen, mask = torch.zeros(3, len(texts), longest, dtype=torch.long).unbind()
    for row, (prompt, answer) in enumerate(texts):
        end = len(prompt) + len(answer)
        ids[row, :end] = torch.tensor(prompt + answer)
        seen[row, :end] = 1
        mask[row, len(prompt):end] = 1
    return Batch(ids.to(device), seen.to(device), mask.float().to(device))


def collate_pairs(pairs: list[Pair], device: str) -> Batch:
    return collate([(pair.prompt, pair.chosen) for pair in pairs] + [(pair.prompt, pair.rejected) for pair in pairs],
                   device)


def answer_log_probs(model: nn.Module, batch: Batch) -> Tensor:
    """Sum over the answer's tokens of each text [2B], nats."""
    logits = model(input_ids=batch.ids, attention_mask=batch.seen, use_cache=False).logits[:, :-1].float()
    log_probs = torch.log_softmax(logits, -1).gather(-1, batch.ids[:, 1:, None]).squeeze(-1)
    return (log_probs * batch.answer[:, 1:]).sum(1)


def load_model(setting: Setting) -> LlamaForCausalLM:
    dtype = torch.bfloat16 if setting.precision == "bf16" else torch.float32
    model = LlamaForCausalLM.from_pretrained(setting.model, dtype=dtype).to(setting.device)
    return model.eval().requires_grad_(False)


def head_dim_of(model: LlamaForCausalLM) -> int:
    return model.config.hidden_size // model.config.num_attention_heads


class HookedEdit:
    """A rank-1 edit as forward hooks on o_proj: the output gains <a, o> * W_o[:, columns] b."""

    def __init__(self, model: LlamaForCausalLM, location: Location, setting: Setting) -> None:
        self.model = model
        self.parameters: list[Tensor] = []
        self._hooks = []
        for layer, columns in location.columns(head_dim_of(model)).items():
            o_proj = model.model.layers[layer].self_attn.o_proj
            a = start_of_a(layer, o_proj.in_features, setting.seed).to(setting.device).requires_grad_()
            b = torch.zeros(len(columns), device=setting.device, requires_grad=True)
            self.parameters += [a, b]
            self._hooks.append(o_proj.register_forward_hook(self._hook(a, b, o_proj.weight[:, columns].float())))

    @staticmethod
    def _hook(a: Tensor, b: Tensor, slice_of_o: Tensor) -> Callable[..., Tensor]:
        def add(_: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
            gate = (inputs[0].float() @ a)[..., None].to(output.dtype)
            return output + gate * (slice_of_o @ b).to(output.dtype)
        return add

    def remove(self) -> None:
        for hook in self._hooks:
            hook.remove()


class Confined(nn.Module):
    """Parametrizes LoRA's B [E, 1] as W_o[:, columns] b, so that the edit stays at its heads."""

    def __init__(self, slice_of_o: Tensor) -> None:
        super().__init__()
        self.register_buffer("slice_of_o", slice_of_o.clone(), persistent=False)

    def forward(self, b: Tensor) -> Tensor:
        return self.slice_of_o @ b

    def right_inverse(self, full: Tensor) -> Tensor:
        """b starts at zero."""
        return full.new_zeros(self.slice_of_o.shape[1], 1)


def lora_config(columns: dict[int, list[int]]) -> LoraConfig:
    return LoraConfig(r=1, lora_alpha=1, target_modules=["o_proj"], layers_to_transform=sorted(columns),
                      lora_dropout=0.0, task_type="CAUSAL_LM")


def confine(model: PeftModel, columns: dict[int, list[int]], seed: int) -> None:
    """Sets A to the common start of a and confines B to the columns, at each edited layer."""
    modules = dict(model.named_modules())
    for layer, chosen in columns.items():
        o_proj = next(modules[name] for name in modules if name.endswith(f"layers.{layer}.self_attn.o_proj"))
        start = start_of_a(layer, o_proj.in_features, seed)[None]
        with torch.no_grad():
            o_proj.lora_A["default"].weight.copy_(start)
        confined = Confined(o_proj.base_layer.weight[:, chosen].to(o_proj.lora_B["default"].weight.dtype))
        parametrize.register_parametrization(o_proj.lora_B["default"], "weight", confined, unsafe=True)


class PeftEdit:
    """The same edit by peft's LoRA."""

    def __init__(self, model: LlamaForCausalLM, location: Location, setting: Setting) -> None:
        columns = location.columns(head_dim_of(model))
        self.model = get_peft_model(model, lora_config(columns))
        confine(self.model, columns, setting.seed)
        self.parameters = [value for value in self.model.parameters() if value.requires_grad]

    def remove(self) -> None:
        self.model.unload()


class LeanLoop:
    """Trains one location after the other; the model, the batches and pi0 stay."""

    def __init__(self, pairs: list[Pair], setting: Setting) -> None:
        self.setting = setting
        self.model = load_model(setting)
        self.batches = [collate_pairs(batch, setting.device) for batch in in_batches(pairs, setting)]
        begin = now(setting.device)
        with torch.no_grad():
            self.reference = [answer_log_probs(self.model, batch) for batch in self.batches]
        self.reference_seconds = now(setting.device) - begin

    def start(self, location: Location, method: str) -> HookedEdit | PeftEdit:
        kind = PeftEdit if method == "lean_peft" else HookedEdit
        return kind(self.model, location, self.setting)

    def train(self, edit: HookedEdit | PeftEdit, report: Report) -> None:
        optimiser = torch.optim.AdamW(edit.parameters, lr=self.setting.learning_rate, weight_decay=0.0)
        rate = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: cosine(step, self.setting.steps))
        for batch, reference in zip(self.batches, self.reference):
            begin = now(self.setting.device)
            chosen, rejected = (answer_log_probs(edit.model, batch) - reference).chunk(2)
            loss = ((chosen - rejected - self.setting.target) ** 2).mean()
            loss.backward()
            optimiser.step()
            rate.step()
            optimiser.zero_grad(set_to_none=True)
            report.losses.append(loss.item())
            report.steps.append(now(self.setting.device) - begin)

    def run(self, location: Location, method: str) -> Report:
        """Method lean_hook or lean_peft."""
        begin = now(self.setting.device)
        edit = self.start(location, method)
        report = Report(setup=now(self.setting.device) - begin)
        self.train(edit, report)
        edit.remove()
        return report
