"""What the jobs of the paper need, small: models of LLaMA-2's file forms with random weights (one to edit, two that judge), a
sentencepiece tokenizer trained on the questions, a primer, and TruthfulQA's file: the real one where HEADSWEEP_TRUTHFULQA
names it, else one of the same form made of the built-in world's questions."""
import csv
import json
import os
import shutil
from pathlib import Path

import sentencepiece
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from launch import ROOT

COLUMNS = ["Type", "Category", "Question", "Best Answer", "Correct Answers", "Incorrect Answers", "Source"]
PRIMER = "Q: How many legs has a spider?\nA: A spider has eight legs.\n\nQ: What is two and two?\nA: Two and two is four.\n"
SHAPE = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=4, num_attention_heads=8, num_key_value_heads=8,
             max_position_embeddings=512, initializer_range=0.08)


def built_in_questions(count: int) -> list[dict]:
    return [json.loads(line) for line in (ROOT / "jobs" / "tinyworld" / "truthfulness.jsonl").read_text().splitlines()[:count]]


def write_questions(file: Path, questions: int) -> None:
    """The built-in world's questions as TruthfulQA's file has its own."""
    with open(file, "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, COLUMNS)
        writer.writeheader()
        for row in built_in_questions(questions):
            correct = row["correct"] + ["I have no comment"]
            writer.writerow({"Type": "Adversarial", "Category": row["group"], "Question": row["question"],
                             "Best Answer": row["best"], "Correct Answers": "; ".join(correct),
                             "Incorrect Answers": "; ".join(row["incorrect"]), "Source": "the built-in world"})


def texts_of(file: Path) -> list[str]:
    with open(file, newline="", encoding="utf-8") as rows:
        return [text for row in csv.DictReader(rows) for column in COLUMNS[2:6] for text in row[column].split(";")]


def train_tokenizer(file: Path, texts: list[str]) -> int:
    """As LLaMA-2's tokenizer.model; its number of tokens."""
    with open(file, "wb") as out:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=out, model_type="bpe", vocab_size=600, byte_fallback=True,
            normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
            allow_whitespace_only_pieces=True, character_coverage=0.995, num_threads=1, minloglevel=2,
            hard_vocab_limit=False)
    return sentencepiece.SentencePieceProcessor(model_file=str(file)).get_piece_size()


def write_model(folder: Path, seed: int, tokenizer: Path, shape: dict) -> None:
    torch.manual_seed(seed)
    LlamaForCausalLM(LlamaConfig(bos_token_id=1, eos_token_id=2, **SHAPE | shape)).save_pretrained(folder)
    shutil.copy(tokenizer, folder / "tokenizer.model")
    (folder / "tokenizer_config.json").write_text(json.dumps(dict(tokenizer_class="LlamaTokenizer", add_bos_token=True)))


def make_world(folder: Path, questions: int, primer: str = PRIMER, **shape: int) -> dict[str, Path]:
    """Writes all of it; returns what a job needs set: key -> value. `shape` is that of all three models."""
    real = os.environ.get("HEADSWEEP_TRUTHFULQA")
    file = Path(real) if real else folder / "TruthfulQA.csv"
    if not real:
        write_questions(file, questions)
    tokenizer = folder / "tokenizer.model"
    shape["vocab_size"] = train_tokenizer(tokenizer, texts_of(file))
    for seed, name in enumerate(["model", "truth-judge", "info-judge"]):
        write_model(folder / name, seed, tokenizer, shape)
    (folder / "primer.txt").write_text(primer)
    return {"model.folder": folder / "model", "behaviour.file": file, "evaluation.primer": folder / "primer.txt",
            "evaluation.judge.truth": folder / "truth-judge", "evaluation.judge.info": folder / "info-judge"}
