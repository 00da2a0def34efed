"""Writes two small random models that judge, `truth` (LLaMA, a beginning token) and `info` (Qwen 2, none), and what
transformers makes of them: the probabilities of two words after a filled prompt. One JSON file of expectations beside each
folder. Run: make_judges.py FOLDER BEHAVIOUR.jsonl"""
import json
import math
import re
import statistics
import sys
from pathlib import Path

import torch
from make_tokenizers import llama3, qwen2, write_json
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, Qwen2Config

SIZES = dict(hidden_size=48, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=192, initializer_range=0.2, tie_word_embeddings=False)
JUDGES = {
    # Words of one token and of several; a prompt of two lines, and one with the answer first.
    "truth": (llama3, LlamaConfig, dict(prompt="Q: {question}\nA: {answer}\nTrue:", yes=" yes", no=" no")),
    "info": (qwen2, Qwen2Config, dict(prompt="{answer}\n{question} {x: \"{answer}\"}:\n", yes="safe", no="unsafe")),
}
SLOT = re.compile(r"\{question\}|\{answer\}")  # what is filled in is not looked at again
MORE_ANSWERS = ["", " ", "Naïve “words” ☃, 12,50 €.", "A\nQ: B", "{question} {answer}", "no " * 25]


@torch.no_grad()
def write_judge(folder: Path, texts: list[str], seed: int) -> None:
    make, family, asked = JUDGES[folder.name]
    folder.mkdir()
    for file, value in zip(("tokenizer", "tokenizer_config", "config"), make(texts)):
        write_json(folder / f"{file}.json", value)
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    words = 8 * math.ceil((1 + max(tokenizer.get_vocab().values())) / 8)
    model = AutoModelForCausalLM.from_config(family(**SIZES, vocab_size=words))
    for name, weight in model.named_parameters():
        if "norm" in name or "bias" in name:
            weight.data.uniform_(0.5, 1.5)
    # So that the words are often likely: their rows lean towards what the states have in common.
    ids = sorted({token for word in (asked["yes"], asked["no"]) for token in tokenizer(word, add_special_tokens=False).input_ids})
    states = model.model(torch.tensor([tokenizer(" ".join(texts[:9])).input_ids[:150]])).last_hidden_state[0].mean(0)
    model.lm_head.weight.data[ids] += 8 * states / states.square().sum()
    model.save_pretrained(folder)


@torch.no_grad()
def probability(model, tokenizer, prompt: str, word: str) -> float:
    """Of the tokens that follow what prompt and prompt + word have in common."""
    before, whole = tokenizer(prompt).input_ids, tokenizer(prompt + word).input_ids
    common = next((i for i, (a, b) in enumerate(zip(before, whole)) if a != b), min(len(before), len(whole)))
    log_probs = model(torch.tensor([whole]), use_cache=False).logits[0].double().log_softmax(-1)
    return math.exp(sum(log_probs[i - 1, whole[i]].item() for i in range(common, len(whole))))


def measure(folder: Path, questions: list[dict]) -> dict:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    asked, rows = JUDGES[folder.name][2], []
    for place, question in enumerate(questions):
        for answer in [*question["correct"], *question["incorrect"], *(MORE_ANSWERS if place < 2 else [])]:
            prompt = SLOT.sub(lambda slot: {"{question}": question["question"], "{answer}": answer}[slot.group()], asked["prompt"])
            rows.append(dict(question=place, answer=answer, yes=probability(model, tokenizer, prompt, asked["yes"]),
                             no=probability(model, tokenizer, prompt, asked["no"])))
    return dict(asked=asked, threshold=statistics.median(row["yes"] for row in rows), rows=rows)


def main() -> None:
    torch.set_num_threads(1)
    folder, behaviour = Path(sys.argv[1]), Path(sys.argv[2])
    questions = [json.loads(line) for line in behaviour.read_text().splitlines()]
    texts = [text for question in questions for text in (question["question"], *question["correct"], *question["incorrect"])]
    for seed, name in enumerate(JUDGES):
        write_judge(folder / name, texts, seed)
        write_json(folder / f"{name}.json", measure(folder / name, questions[:12]))


if __name__ == "__main__":
    main()
