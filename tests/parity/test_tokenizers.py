"""Tokenizers against transformers, in the file forms of the LLaMA family: ids and decoded texts are equal."""
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("HEADSWEEP_BUILD", ROOT / "build")) / "tests" / "test_data"
# TruthfulQA's questions and answers are compared, too, where HEADSWEEP_TRUTHFULQA names the file.
TRUTHFULQA = os.environ.get("HEADSWEEP_TRUTHFULQA")


def texts_of_truthfulqa(file: str) -> list[str]:
    texts = []
    with open(file, newline="", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            answers = [row["Best Answer"], *row["Correct Answers"].split(";"), *row["Incorrect Answers"].split(";")]
            texts += [row["Question"], *map(str.strip, answers), f"Q: {row['Question']} A: {row['Best Answer']}"]
    return texts


def texts_of_the_built_in_world() -> list[str]:
    rows = (ROOT / "jobs" / "tinyworld" / "truthfulness.jsonl").read_text().splitlines()
    return [text for row in map(json.loads, rows) for text in (row["question"], *row["correct"], *row["incorrect"])]


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory) -> Path:
    texts = texts_of_truthfulqa(TRUTHFULQA) if TRUTHFULQA else texts_of_the_built_in_world()
    corpus = tmp_path_factory.mktemp("corpus") / "texts.txt"
    corpus.write_text("\n".join(dict.fromkeys(texts)))
    folder = tmp_path_factory.mktemp("tokenizers")
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    script = Path(__file__).with_name("make_tokenizers.py")
    subprocess.run([sys.executable, script, folder, corpus], env=environment, check=True)
    return folder


def test_tokenizers_agree_with_transformers(tokenizers):
    environment = {**os.environ, "HEADSWEEP_PARITY": str(tokenizers)}
    done = subprocess.run([PROGRAM, "--gtest_filter=DataParity.*"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIPPED" not in done.stdout
    print(done.stdout)
