"""TRL's DPOTrainer with loss_type='ipo' and peft's rank-1 LoRA, one location at a time; a new trainer for each.

Three things are changed so that it trains headsweep's objective: log-probabilities are summed (TRL's own 'ipo' divides
by the answer's length), pairs keep their order, and B is confined to the location's heads. All else is TRL's.
  trl      as it comes: gradient checkpointing, pi0 at every step
  trl_pre  pi0 once for each location (precompute_ref_log_probs), no checkpointing
"""

import contextlib
import io
import tempfile
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models
from torch import Tensor, nn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from trl import DPOConfig, DPOTrainer

from lean import confine, head_dim_of, lora_config
from task import Location, Pair, Report, Setting, in_batches, now


class SumTrainer(DPOTrainer):
    """The objective with sums, in sequential order, on data that are token ids already."""

    def __init__(self, *args: Any, report: Report, device_kind: str, **named: Any) -> None:
        self.report, self.device_kind = report, device_kind
        super().__init__(*args, **named)

    def _prepare_dataset(self, dataset: Dataset, *args: Any, **named: Any) -> Dataset:
        return dataset

    def _get_train_sampler(self, dataset: Dataset | None = None) -> torch.utils.data.Sampler:
        return torch.utils.data.SequentialSampler(self.train_dataset)

    def _precompute_ref_logps(self, *args: Any, **named: Any) -> Dataset:
        begin = now(self.device_kind)
        dataset = super()._precompute_ref_logps(*args, **named)
        self.report.precompute = now(self.device_kind) - begin
        return dataset

    def _compute_loss(self, model: nn.Module, inputs: dict[str, Tensor], return_outputs: bool) -> Tensor:
        labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
        texts = dict(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], labels=labels,
                     fused_lm_head=True)
        chosen, rejected = model(**texts).log_probs.sum(1).chunk(2)
        if self.precompute_ref_logps:
            chosen_0, rejected_0 = inputs["ref_chosen_logps"], inputs["ref_rejected_logps"]
        else:
            with torch.no_grad(), self.accelerator.unwrap_model(model).disable_adapter():
                chosen_0, rejected_0 = self.model(**texts).log_probs.sum(1).chunk(2)
        loss = ((chosen - chosen_0 - rejected + rejected_0 - 1 / (2 * self.beta)) ** 2).mean()
        self.report.losses.append(loss.item())
        return loss


class Clock(TrainerCallback):
    """Times at the begin of each step and at the end."""

    def __init__(self, device: str) -> None:
        self.device, self.times = device, []

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.times.append(now(self.device))

    on_train_end = on_step_begin


def word_tokenizer() -> PreTrainedTokenizerFast:
    """The trainer wants one for its padding."""
    words = {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="<unk>")),
                                   pad_token="<pad>", bos_token="<bos>", eos_token="<eos>", unk_token="<unk>")


def config_of(setting: Setting, method: str, folder: str) -> DPOConfig:
    once = method == "trl_pre"
    return DPOConfig(output_dir=folder, loss_type=["ipo"], beta=setting.tau, per_device_train_batch_size=setting.batch,
                     max_steps=setting.steps, learning_rate=setting.learning_rate, lr_scheduler_type="cosine",
                     weight_decay=0.0, max_grad_norm=0.0, optim="adamw_torch", report_to="none", save_strategy="no",
                     precompute_ref_log_probs=once, gradient_checkpointing=not once, bf16=setting.precision == "bf16",
                     use_cpu=setting.device == "cpu", dataloader_pin_memory=False, seed=setting.seed)


def dataset_of(pairs: list[Pair], setting: Setting) -> Dataset:
    return Dataset.from_list([dict(prompt_ids=pair.prompt, chosen_ids=pair.chosen, rejected_ids=pair.rejected)
                              for batch in in_batches(pairs, setting) for pair in batch])


def train_trl(location: Location, method: str, pairs: list[Pair], setting: Setting) -> Report:
    """Method trl or trl_pre; what TRL prints is dropped."""
    begin = now(setting.device)
    report, clock = Report(), Clock(setting.device)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()), \
            contextlib.redirect_stderr(io.StringIO()):
        half = setting.device == "cuda" and setting.precision == "bf16"  # on a CPU TRL's autocast takes float32 weights
        model = LlamaForCausalLM.from_pretrained(setting.model, dtype=torch.bfloat16 if half else torch.float32)
        columns = location.columns(head_dim_of(model))
        trainer = SumTrainer(model=model, args=config_of(setting, method, folder),
                             train_dataset=dataset_of(pairs, setting), processing_class=word_tokenizer(),
                             peft_config=lora_config(columns), callbacks=[clock], report=report,
                             device_kind=setting.device)
        confine(trainer.model, columns, setting.seed)
        trainer.train()
    report.setup = clock.times[0] - begin - report.precompute
    report.steps = [after - before for before, after in zip(clock.times, clock.times[1:])]
    return report
