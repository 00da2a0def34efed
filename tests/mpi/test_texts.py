"""What the model reads, from the user's files to the results: TruthfulQA's CSV, sentencepiece alone, a primer, the formats
of a job; and a plan without a tokenizer."""
import json
import shutil
from pathlib import Path

import h5py
import numpy
import pytest
import sentencepiece
from transformers import AutoTokenizer

from launch import ROOT
from small_sweep import WORLD, headsweep, sweep, write_job
from small_world import built_in_questions, write_questions

QUICKSTART = ROOT / "jobs" / "quickstart.yaml"


def shown(job: Path) -> dict[str, tuple[str, str]]:
    """The texts that `plan --texts` prints, with the line of their tokens, by their labels."""
    done = headsweep("plan", job, "--texts")
    assert done.returncode == 0, done.stderr
    parts = [part.splitlines() for part in done.stdout.split("\n\n")]
    return {label: (json.loads(text), tokens.strip()) for label, text, tokens in parts[1:]}


def test_texts_are_shown_as_the_model_reads_them():
    texts = shown(QUICKSTART)
    assert set(texts) == {"probe, true", "probe, false", "training, correct, the best", "training, refusal",
                          "training, incorrect", "generation", "multiple choice, correct, the best",
                          "multiple choice, correct", "multiple choice, refusal", "multiple choice, incorrect"}
    tokenizer = AutoTokenizer.from_pretrained(WORLD)
    for label, (text, tokens) in texts.items():
        ids = tokenizer(text)["input_ids"]
        listed = tokens.split(":", 1)[1].replace("|", " ").split()
        assert list(map(int, listed)) == ids, label
        assert sum(map(int, tokens.split(" tokens:")[0].split(" + "))) == len(ids)
    question = texts["generation"][0].removeprefix("Q: ").removesuffix(" A:")
    row = next(row for row in built_in_questions(720) if row["question"] == question)
    assert texts["training, correct, the best"][0] == f"Q: {question} A: {row['correct'][0]}"
    assert texts["multiple choice, incorrect"][0] == f"Q: {question} A: {row['incorrect'][-1]}"
    assert texts["probe, true"][0].startswith(f"Q: {question} A: {row['correct'][0]} Q: ")


def test_a_plan_needs_no_tokenizer(tmp_path):
    folder = tmp_path / "bare"
    folder.mkdir()
    shutil.copy(WORLD / "config.json", folder)
    job = write_job(tmp_path, **{f"folder: {WORLD}": f"folder: {folder}"})
    done = headsweep("plan", job)
    assert done.returncode == 0, done.stderr
    assert "tokens: estimated at four bytes each" in done.stdout and "trials: 19" in done.stdout
    text, tokens = shown(job)["generation"]
    assert tokens == f"{-(-len(text) // 4)} tokens, estimated"
    refused = sweep(job, tmp_path / "runs")
    assert refused.returncode == 3 and "no tokenizer" in refused.stderr


@pytest.fixture
def formatted(tmp_path) -> Path:
    """A job in all the formats of ITI's code, on a CSV file and a model whose tokenizer is sentencepiece's."""
    rows = built_in_questions(40)
    world = tmp_path / "world"
    world.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(WORLD / name, world)
    texts = [text for row in rows for text in (row["question"], *row["correct"], *row["incorrect"])]
    with open(world / "tokenizer.model", "wb") as model:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=model, model_type="bpe", vocab_size=340, byte_fallback=True,
            normalization_rule_name="identity", remove_extra_whitespaces=False, num_threads=1, minloglevel=2)
    (world / "tokenizer_config.json").write_text(json.dumps(dict(
        tokenizer_class="LlamaTokenizer", legacy=False, add_bos_token=True, bos_token="<s>", eos_token="</s>", unk_token="<unk>")))
    write_questions(tmp_path / "questions.csv", 40)
    (tmp_path / "primer.txt").write_text("Q: 1?\nA: 1\n\n")
    return write_job(tmp_path, **{
        f"folder: {WORLD}": f"folder: {world}",
        str(tmp_path / "questions.jsonl"): str(tmp_path / "questions.csv"),
        "max_new_tokens: 8, stop: \".\",": "max_new_tokens: 8, instruction: \"Say.\", primer: primer.txt, "
        "prompt: \"Q: {question}\", choice_prompt: \"Q: {question}\\nA:\", full_stop: true, answer_after: \"A:\", "
        "answer_before: \"Q:\","})


def test_a_sweep_reads_csv_primer_and_sentencepiece(formatted, tmp_path):
    texts = shown(formatted)
    question = texts["generation"][0].split("\n\n")[-1].removeprefix("Q: ")
    row = next(row for row in built_in_questions(40) if row["question"] == question)
    before = "Say.\n\nQ: 1?\nA: 1\n\n"
    assert texts["generation"][0] == f"{before}Q: {question}"
    assert texts["multiple choice, refusal"][0] == f"{before}Q: {question}\nA: I have no comment."
    answer = row["incorrect"][-1]
    assert texts["multiple choice, incorrect"][0] == f"{before}Q: {question}\nA: {answer}{'' if answer[-1] == '.' else '.'}"
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "world")
    for text, tokens in texts.values():
        assert list(map(int, tokens.split(":", 1)[1].replace("|", " ").split())) == tokenizer(text)["input_ids"]

    runs = tmp_path / "runs"
    assert sweep(formatted, runs, "--limit", "1").returncode == 5
    for changed in ("primer.txt", "world/tokenizer_config.json", "questions.csv"):
        file = tmp_path / changed
        kept = file.read_bytes()
        file.write_bytes(kept.replace(b"1", b"2", 1) if changed == "primer.txt" else kept[:-2] + b" " + kept[-2:])
        refused = sweep(formatted, runs, "--resume")
        assert refused.returncode == 3 and "data" in refused.stderr, (changed, refused.stderr)
        file.write_bytes(kept)
    done = sweep(formatted, runs, "--resume", ranks=2)
    assert done.returncode == 0, done.stderr
    with h5py.File(runs / "results.h5") as results:
        parts = results["questions/part"][0][results["items/question"][0]]
        assert (numpy.diff(parts.astype(int)) >= 0).all() and set(parts) == {1, 2}
        truth = results["items/truth"][()]
        assert not numpy.isnan(truth).any()  # val and test questions are answered
        for name, part in (("validation", 1), ("test", 2)):
            assert numpy.allclose(truth[:, parts == part].mean(axis=1), results[f"metrics/{name}/truth"], atol=1e-6)
        assert numpy.isnan(results["items/mc2"][()][:, parts == 1]).all()  # multiple choice on test questions alone
        text = results["items/answer_bytes"][()].tobytes().decode()
        assert "Q:" not in text
