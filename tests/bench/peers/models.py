"""Random LLaMA models and preference pairs of token ids to measure with: the speed hangs on shapes and lengths alone.

    models.py OUT [NAME...]     writes OUT/NAME/ (a Hugging Face folder) and OUT/NAME.jsonl; default: tiny small

The folder also holds a tokenizer of words `w3`, `w4`, ... (one a token) and `questions.jsonl`, so that headsweep can
run whole jobs on it. `large` has the shapes of LLaMA-7B, in bfloat16, and is for GPUs. Equal bytes of pairs on every
machine.
"""

import argparse
import json
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM

SHAPES = {
    "tiny": dict(num_hidden_layers=6, num_attention_heads=8, hidden_size=128, intermediate_size=344, vocab_size=1024),
    "small": dict(num_hidden_layers=12, num_attention_heads=12, hidden_size=768, intermediate_size=2048,
                  vocab_size=32000),
    "large": dict(num_hidden_layers=32, num_attention_heads=32, hidden_size=4096, intermediate_size=11008,
                  vocab_size=32000),
}
PAD, BOS, EOS, FIRST_WORD = 0, 1, 2, 3
PAIRS, QUESTIONS = 512, 48


def config_of(name: str) -> LlamaConfig:
    shape = SHAPES[name]
    return LlamaConfig(**shape, num_key_value_heads=shape["num_attention_heads"], max_position_embeddings=512,
                       rms_norm_eps=1e-5, tie_word_embeddings=False, bos_token_id=BOS, eos_token_id=EOS,
                       pad_token_id=PAD, initializer_range=0.05)


def write_model(folder: Path, name: str) -> None:
    """Weights from seed 0, on the GPU in bfloat16 where the model is large."""
    torch.manual_seed(0)
    large = name == "large"
    torch.set_default_dtype(torch.bfloat16 if large else torch.float32)
    with torch.device("cuda" if large else "cpu"):
        LlamaForCausalLM(config_of(name)).save_pretrained(folder)


class Lengths:
    """Ids of random length: prompts 25 +- 7 tokens with the first one, answers 12 +- 4 with the end token."""

    def __init__(self, vocab: int) -> None:
        self.draw, self.vocab = random.Random(1), vocab

    def ids(self, mean: float, deviation: float, low: int, high: int) -> list[int]:
        length = int(min(high, max(low, round(self.draw.gauss(mean, deviation)))))
        return [self.draw.randrange(FIRST_WORD, self.vocab) for _ in range(length)]

    def prompt(self) -> list[int]:
        return self.ids(24, 7, 8, 50)

    def answer(self) -> list[int]:
        return self.ids(11, 4, 2, 30)


def write_pairs(file: Path, vocab: int) -> None:
    """One pair of token ids a line."""
    draw = Lengths(vocab)
    pairs = (dict(prompt=[BOS] + draw.prompt(), chosen=draw.answer() + [EOS], rejected=draw.answer() + [EOS])
             for _ in range(PAIRS))
    file.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))


def write_tokenizer(folder: Path, vocab: int) -> None:
    special = {"<pad>": PAD, "<bos>": BOS, "<eos>": EOS}
    words = special | {f"w{token}": token for token in range(FIRST_WORD, vocab)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", BOS)])
    tokenizer.add_special_tokens(list(special))
    tokenizer.save(str(folder / "tokenizer.json"))


def write_questions(file: Path, vocab: int) -> None:
    """Questions of random words with four correct and four incorrect answers, all different."""
    draw = Lengths(vocab)

    def text(ids: list[int]) -> str:
        return " ".join(f"w{token}" for token in ids)

    with file.open("w") as out:
        for number in range(QUESTIONS):
            answers = [f"w{FIRST_WORD + place} " + text(draw.answer()) for place in range(8)]
            out.write(json.dumps(dict(id=f"q{number}", group=f"q{number}", question=text(draw.prompt()),
                                      correct=answers[:4], incorrect=answers[4:])) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SHAPES))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or ("tiny", "small"):
        vocab = SHAPES[name]["vocab_size"]
        write_model(options.out / name, name)
        write_pairs(options.out / f"{name}.jsonl", vocab)
        write_tokenizer(options.out / name, vocab)
        write_questions(options.out / name / "questions.jsonl", vocab)


if __name__ == "__main__":
    main()
