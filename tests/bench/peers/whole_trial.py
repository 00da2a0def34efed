"""One whole trial after the other as the lean loop would do it: train a rank-1 edit, answer questions by transformers'
`generate` under it, and score given answers, each (prompt, answer) as a row of its own in padded batches.

    whole_trial.py --model DIR --tasks FILE.json --locations "1:0;4:0" --batch 8 --epochs 2 --learning-rate 0.05

FILE.json: {"pairs": [[prompt, chosen, rejected], ...], "prompts": [...], "rows": [[prompt, answer], ...], "stop": ".",
"max_new_tokens": 12}, all texts. One JSON line a location: CPU seconds of training, answers and scores.
"""

import argparse
import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import PreTrainedTokenizerFast

from lean import LeanLoop, answer_log_probs, collate
from task import Location, Pair, Report, Setting, now, read_locations

AT_ONCE = 48  # prompts or rows


@dataclass(frozen=True)
class Tasks:
    """What a trial works on, as token ids."""

    pairs: list[Pair]
    prompts: list[list[int]]
    rows: list[tuple[list[int], list[int]]]  # prompt, answer
    ends: list[int]                          # an answer ends after one of these
    max_new_tokens: int


def read_tasks(file: Path, model: Path) -> Tasks:
    """An answer's ids are what follows the prompt's."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(model)
    texts = json.loads(file.read_text())

    def continued(prompt: str, answer: str) -> tuple[list[int], list[int]]:
        ids = tokenizer(prompt)["input_ids"]
        return ids, tokenizer(f"{prompt} {answer}")["input_ids"][len(ids):]

    pairs = [Pair(*continued(prompt, chosen), continued(prompt, rejected)[1])
             for prompt, chosen, rejected in texts["pairs"]]
    return Tasks(pairs, [tokenizer(prompt)["input_ids"] for prompt in texts["prompts"]],
                 [continued(prompt, answer) for prompt, answer in texts["rows"]],
                 [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(texts["stop"])], texts["max_new_tokens"])


def generate_answers(model: torch.nn.Module, tasks: Tasks) -> int:
    """Greedy answers, prompts padded on the left; returns how many tokens were made."""
    made = 0
    for begin in range(0, len(tasks.prompts), AT_ONCE):
        prompts = tasks.prompts[begin:begin + AT_ONCE]
        longest = max(map(len, prompts))
        ids, seen = torch.zeros(2, len(prompts), longest, dtype=torch.long).unbind()
        for row, prompt in enumerate(prompts):
            ids[row, longest - len(prompt):] = torch.tensor(prompt)
            seen[row, longest - len(prompt):] = 1
        texts = model.generate(input_ids=ids, attention_mask=seen, do_sample=False, eos_token_id=tasks.ends,
                               pad_token_id=0, max_new_tokens=tasks.max_new_tokens)
        made += int((texts[:, longest:] != 0).sum())
    return made


def score_rows(model: torch.nn.Module, tasks: Tasks) -> torch.Tensor:
    """log p of each row's answer, nats."""
    return torch.cat([answer_log_probs(model, collate(tasks.rows[begin:begin + AT_ONCE]))
                      for begin in range(0, len(tasks.rows), AT_ONCE)])


def run_trial(loop: LeanLoop, location: Location, tasks: Tasks) -> dict:
    times = [now("cpu")]
    edit, report = loop.start(location, "lean_hook"), Report()
    loop.train(edit, report)
    times.append(now("cpu"))
    with torch.no_grad():
        tokens = generate_answers(loop.model, tasks)
        times.append(now("cpu"))
        scores = score_rows(loop.model, tasks)
        times.append(now("cpu"))
    edit.remove()
    train, answers, choice = (after - before for before, after in zip(times, times[1:]))
    return dict(location=location.name, train_s=train, answers_s=answers, choice_s=choice, tokens=tokens,
                mean_score=float(scores.mean()), last_losses=report.losses[-10:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--tasks", type=Path, required=True)
    parser.add_argument("--locations", type=read_locations, required=True)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=0.05)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    tasks = read_tasks(options.tasks, options.model)
    steps = options.epochs * -(-len(tasks.pairs) // options.batch)
    loop = LeanLoop(tasks.pairs, Setting(options.model, steps=steps, batch=options.batch,
                                         learning_rate=options.learning_rate))
    for location in options.locations:
        print(json.dumps(run_trial(loop, location, tasks)), flush=True)


if __name__ == "__main__":
    main()
