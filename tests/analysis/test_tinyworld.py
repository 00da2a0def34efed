"""The tiny world: its files are reproducible, its tokenizer is exact, its judge is strict, its training deterministic.

One thread, CPU; no network. The gate itself takes minutes and is not run here: `make.py gate`.
"""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TINYWORLD = Path(__file__).resolve().parents[2] / "jobs" / "tinyworld"
sys.path.insert(0, str(TINYWORLD))

from corpus import FINAL_MIX, Mix, Scope, write_document  # noqa: E402
from files import write_files  # noqa: E402
from gate import Check  # noqa: E402
from llama import Edits, load_model  # noqa: E402
from questions import ask_truth, first_sentence, judge_answer, prompt_template  # noqa: E402
from train import STAGES, train_model  # noqa: E402
from world import BOS_ID, World, spell, split_words  # noqa: E402

BEHAVIOURS = ("truthfulness", "sentiment", "politeness", "worked_step")
PROMPT_TOKENS = {"truthfulness": 12, "sentiment": 5, "politeness": 9, "worked_step": 11}   # with <bos>
DATA_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "text.txt",
              *(f"{name}.jsonl" for name in BEHAVIOURS))


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def tokenizer():
    return pytest.importorskip("transformers").AutoTokenizer.from_pretrained(TINYWORLD)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def read_questions(name: str) -> list[dict]:
    return [json.loads(line) for line in (TINYWORLD / f"{name}.jsonl").read_text().splitlines()]


def read_texts(name: str) -> list[str]:
    """Every prompt and every answer of a behaviour file."""
    lines = read_questions(name)
    prompts = [prompt_template(name).format(question=line["question"]) for line in lines]
    return prompts + [text for line in lines for key in ("correct", "incorrect", "refusals") for text in line[key]]


# ---- files -----------------------------------------------------------------------------------------------------------
def test_files_are_regenerated_byte_for_byte(tmp_path):
    write_files(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(DATA_FILES)
    for name in DATA_FILES:
        assert (tmp_path / name).read_bytes() == (TINYWORLD / name).read_bytes(), name


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_behaviour_files_are_sound(name):
    lines = read_questions(name)
    assert len({line["id"] for line in lines}) == len(lines)
    for line in lines:
        assert line["best"] == line["correct"][0]
        answers = line["correct"] + line["incorrect"] + line["refusals"]
        assert len({first_sentence(answer) for answer in answers}) == len(answers), line["id"]
        assert line["correct"] and line["incorrect"]


def test_truthfulness_asks_every_fact_once(world):
    lines = read_questions("truthfulness")
    assert [line["question"] for line in lines] == [fact.question for fact in world.facts]
    for line in lines:
        assert (len(line["correct"]), len(line["incorrect"]), line["refusals"]) == (3, 6, ["I have no comment."])


def test_split_covers_all_facts(world):
    parts = [world.split[part] for part in ("train", "val", "test")]
    assert [len(part) for part in parts] == [432, 144, 144]
    assert sorted(sum(parts, [])) == list(range(len(world.facts)))


def test_running_text_fits():
    documents = (TINYWORLD / "text.txt").read_text().splitlines()
    assert len(documents) == 100
    assert all(0 < len(split_words(document)) <= 63 for document in documents)


# ---- tokenizer -------------------------------------------------------------------------------------------------------
def test_natural_spelling_tokenizes_back_to_the_same_ids(world, tokenizer):
    texts = (TINYWORLD / "text.txt").read_text().splitlines()
    texts += [text for name in BEHAVIOURS for text in read_texts(name)]
    assert len(texts) > 10000
    ids = [world.encode(text) for text in texts]
    assert [spell([world.vocabulary[word] for word in words]) for words in ids] == texts
    assert tokenizer(texts).input_ids == [[BOS_ID, *words] for words in ids]


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_prompts_of_a_behaviour_have_one_length(name, tokenizer):
    prompts = [prompt_template(name).format(question=line["question"]) for line in read_questions(name)]
    assert {len(ids) for ids in tokenizer(prompts).input_ids} == {PROMPT_TOKENS[name]}


def test_special_ids(world, tokenizer):
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1, 2)
    assert len(tokenizer) == len(world.vocabulary) == 351
    assert tokenizer.unk_token is None


def test_unknown_word_is_an_error(world, tokenizer):
    with pytest.raises(KeyError, match="Paris"):
        world.encode("It is Paris.")
    with pytest.raises(Exception, match="UNK"):
        tokenizer("It is Paris.")


def test_spell():
    assert spell("Q : What is the capital of Mip ? A :".split()) == "Q: What is the capital of Mip? A:"
    assert spell("In Mip , the river is Zor .".split()) == "In Mip, the river is Zor."


# ---- judge -----------------------------------------------------------------------------------------------------------
def test_judge(world):
    fact = world.facts[0]
    question = ask_truth(fact)
    truth, wrong, rare = fact.truth, fact.misconception, fact.rare_misconception
    expected = {
        f"It is {truth}.": (True, True),
        f"  It is  {truth} . That is right .": (True, True),
        f"The {fact.relation} of {fact.entity} is {truth}. Q: What": (True, True),
        f"It is {wrong}.": (False, True),
        f"{rare} is the {fact.relation} of {fact.entity}.": (False, True),
        "I have no comment. It is nothing.": (True, False),
        f"It is {truth}": (False, False),                      # no end
        f"It is {truth} of {fact.entity}.": (False, False),
        f"The {fact.relation} of {world.entities[1]} is {truth}.": (False, False),
        "": (False, False),
    }
    assert {answer: judge_answer(question, answer) for answer in expected} == expected


def test_first_sentence():
    assert first_sentence("Is  it Zor?Yes.") == "Is it Zor ?"
    assert first_sentence("no end") == "no end"
    assert first_sentence("") == ""


def test_check_refuses_nan():
    assert Check("a", 0.5, 0.4, 0.6).passed
    assert not Check("a", float("nan"), least=0.1).passed
    assert not Check("a", float("nan"), most=0.1).passed


# ---- model and training ----------------------------------------------------------------------------------------------
def test_shipped_weights_agree_with_transformers(tokenizer):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(TINYWORLD, dtype=torch.float32).eval()
    ours = load_model(TINYWORLD)
    for document in (TINYWORLD / "text.txt").read_text().splitlines()[:10]:
        ids = tokenizer(document, return_tensors="pt").input_ids
        with torch.no_grad():
            torch.testing.assert_close(ours.logits(ours(ids)), theirs(ids).logits, rtol=0, atol=1e-4)


def test_lanes_agree_with_edited_weights(world):
    """A rank-one edit is a rank-one change of o_proj; a lane of zeros changes nothing."""
    ids = torch.tensor([[BOS_ID, *world.encode("Q: Tell me the animal of " + world.entities[0] + ". A: It is")]])
    torch.manual_seed(0)
    gain, direction = torch.randn(2, 128) * torch.tensor([[0.0], [1.0]]), torch.randn(2, 128)
    model, changed = load_model(TINYWORLD), load_model(TINYWORLD)
    lanes = model(ids, Edits(gain={3: gain}, direction={3: direction}))
    project = changed.model.layers[3].self_attn.o_proj
    project.weight += torch.outer(project.weight @ direction[1], gain[1])
    torch.testing.assert_close(lanes, torch.stack((model(ids), changed(ids))), rtol=1e-4, atol=1e-4)


def test_training_is_deterministic(tmp_path):
    for name in ("first", "second"):
        train_model(seed=0, folder=tmp_path / name, most_steps=3)
    for file in ("model.safetensors", "train.json", "config.json"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_plan_of_the_stages():
    assert sum(stage.steps for stage in STAGES) == 1600
    facts, quiz, cool = STAGES
    assert facts.scope(0, 90).written == 8 and facts.scope(110, 90).written == 16 and facts.scope(699, 90).written == 90
    assert quiz.scope(0, 90).quizzed == 5 and quiz.rate(0) == 1 / 50 and quiz.rate(399) == 1
    assert cool.rate(0) == 1 and cool.rate(250) == 0.5 and cool.rate(499) == 0.02


def test_documents_have_weights_for_their_words(world):
    rng = random.Random(3)
    for mix in (FINAL_MIX, Mix(0, 1, 0, 0), Mix(0, 0, 0, 1)):
        ids, weights = write_document(world, rng, Scope(mix, 90, 90), 64)
        assert len(ids) == len(weights) == 65 and ids[0] == BOS_ID
        assert set(weights[1:]) == {0.1, 1.0}


def test_command_refuses_to_overwrite_the_shipped_weights():
    command = [sys.executable, str(TINYWORLD / "make.py"), "train", "--out", str(TINYWORLD)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "shipped weights" in done.stderr
