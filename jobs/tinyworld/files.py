"""The files that a job reads: questions, running text, tokenizer and config, the same byte for byte at every call.

In:  the World of seed 0.  Out: files in a folder. One thread, no random state but seeds of its own.
"""

import json
import random
from dataclasses import asdict
from pathlib import Path

from corpus import FINAL_MIX, Scope, write_text
from llama import config_text
from questions import Question, ask_everything
from world import BOS, BOS_ID, EOS, PAD, World

TEXT_SEED = 2024         # of text.txt, apart from the seeds of training
TEXT_DOCUMENTS = 100
TEXT_WORDS = 63          # in the longest document, so that it has 64 tokens with <bos>
ABSENT_UNKNOWN = "<unk>"   # not in the vocabulary: an unknown word is an error, never a silent token


def tokenizer_json(world: World) -> dict:
    """tokenizer.json: one token a word, <bos> first."""
    def special(name: str) -> dict:
        return {"id": world.word_ids[name], "content": name, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": True}
    begin = {"SpecialToken": {"id": BOS, "type_id": 0}}
    first, second = ({"Sequence": {"id": name, "type_id": number}} for number, name in enumerate("AB"))
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [special(name) for name in (PAD, BOS, EOS)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {"type": "TemplateProcessing", "single": [begin, first], "pair": [begin, first, second],
                           "special_tokens": {BOS: {"id": BOS, "ids": [BOS_ID], "tokens": [BOS]}}},
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": world.word_ids, "unk_token": ABSENT_UNKNOWN},
    }


def tokenizer_settings() -> dict:
    """tokenizer_config.json."""
    return {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": BOS, "eos_token": EOS, "pad_token": PAD,
            "clean_up_tokenization_spaces": False, "model_max_length": 256}


def question_lines(questions: list[Question]) -> str:
    """A behaviour file: one JSON object a line."""
    return "".join(json.dumps(asdict(question)) + "\n" for question in questions)


def running_text(world: World) -> str:
    """One document of the corpus a line."""
    rng = random.Random(TEXT_SEED)
    scope = Scope(FINAL_MIX, len(world.entities), len(world.entities))
    return "".join(write_text(world, rng, scope, TEXT_WORDS) + "\n" for _ in range(TEXT_DOCUMENTS))


def write_tokenizer(world: World, folder: Path) -> None:
    """What a tokenizer is loaded from."""
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(world), indent=1) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_settings(), indent=1) + "\n")


def write_files(folder: Path) -> None:
    """Everything but the weights."""
    world = World()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(config_text())
    write_tokenizer(world, folder)
    for name, questions in ask_everything(world).items():
        (folder / f"{name}.jsonl").write_text(question_lines(questions))
    (folder / "text.txt").write_text(running_text(world))
