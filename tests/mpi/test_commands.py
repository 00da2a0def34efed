"""The commands of the program as a user calls them: output, exit codes, one clear line for every mistake."""
import json
import math
import shutil

import pytest

from launch import ROOT
from small_sweep import WORLD, headsweep, sweep, write_job

QUESTION = "What is the capital of Zovo?"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    base = tmp_path_factory.mktemp("commands")
    done = sweep(write_job(base, lanes=4), base / "runs", ranks=2)
    assert done.returncode == 0, done.stderr
    return base / "runs" / "results.h5"


def test_help_of_every_command():
    listed = headsweep("--help")
    assert listed.returncode == 0
    for command in ("plan", "run", "extend", "status", "gather", "answers", "judge", "score", "ask", "show", "eval",
                    "export", "import", "schema"):
        assert command in listed.stdout
        one = headsweep(command, "--help")
        assert one.returncode == 0 and one.stdout.startswith(f"usage: headsweep {command}")


@pytest.mark.parametrize("words, expected", [
    (["paln"], "is 'plan' meant?"),
    (["run", "job.yaml"], "-o FOLDER is missing"),
    (["run", "job.yaml", "-o", "x", "--resum"], "is --resume meant?"),
    (["plan"], "JOB is missing"),
    (["plan", "a", "b"], "too many positional options"),
    (["ask", str(WORLD), "Who?", "--edit", "results.h5"], "write FILE:TRIAL"),
    (["answers", "results.h5"], "-o FILE.jsonl is missing"),
    (["judge", "results.h5", "scores.jsonl"], "-o NEW.h5 is missing"),
    (["judge", "results.h5", "scores.jsonl", "-o", "new.h5", "--threshold", "2"], "--threshold is 0 to 1"),
    (["plan", "job.yaml", "--ranks", "many"], "--ranks"),
])
def test_wrong_usage_is_exit_code_2(words, expected):
    done = headsweep(*words)
    assert done.returncode == 2
    assert expected in done.stderr


@pytest.mark.parametrize("words, expected", [
    (["plan", "nowhere.yaml"], "nowhere.yaml: no such file"),
    (["status", "nowhere"], "no sweep"),
    (["score", "nowhere", "x.jsonl"], "config.json"),
    (["show", str(WORLD / "tokenizer.json") + ":3"], "tokenizer.json"),
    (["gather", "nowhere"], "nowhere"),
])
def test_bad_input_is_exit_code_3_and_one_line(words, expected):
    done = headsweep(*words)
    assert done.returncode == 3
    assert expected in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_plan_of_the_quickstart():
    done = headsweep("plan", ROOT / "jobs" / "quickstart.yaml", "--ranks", "2")
    assert done.returncode == 0, done.stderr
    assert "singles: 64 x 1 head" in done.stdout and "random4: 24 x 4 heads" in done.stdout
    assert "iti 68, lora 2, optimal 180, lora (recheck) 2, optimal (labels swapped) 1, optimal (recheck) 16\n" in done.stdout
    # Three rates at eight single heads, eight sets of four, all heads, and for lora.
    assert "learning rates chosen before the first block: 4, by 54 trials in " in done.stdout
    assert "optimal at top4 among matched4 (primary): 32 draws, smallest p 0.0303" in done.stdout
    assert "144 test questions: a difference of 0.0934 " in done.stdout and "warning" not in done.stdout


def test_keys_of_the_command_line_come_last():
    changes = ["--set", "locations.singles=", "--set", "edits=[{optimal: {at: [random4], tau: [0.1]}}]", "--set", "run.seeds=[0, 1]",
               "--set", "comparison.primary="]
    done = headsweep("plan", ROOT / "jobs" / "quickstart.yaml", *changes)
    assert done.returncode == 0, done.stderr
    assert "singles" not in done.stdout and "optimal 48" in done.stdout and "iti" not in done.stdout
    wrong = headsweep("plan", ROOT / "jobs" / "quickstart.yaml", "--set", "run.lames=3")
    assert wrong.returncode == 3 and "--set run.lames=3: run.lames: unknown key (did you mean 'lanes'?)" in wrong.stderr


@pytest.mark.parametrize("command", ["plan", "run"])
def test_what_a_job_lacks_is_told_before_its_texts_are_read(tmp_path, command):
    def refused(job, *options):
        done = headsweep(command, job, *options, *(["-o", tmp_path / "runs"] if command == "run" else []))
        line, = done.stderr.strip().splitlines()
        assert done.returncode == 3 and not (tmp_path / "runs").exists(), line
        return line

    job = write_job(tmp_path, **{"2: 0.02, 64: 0.005, lora": "2: 0.02, lora"})
    (tmp_path / "questions.jsonl").write_text("no question\n")
    place = f"{job}:{1 + job.read_text().splitlines().index('  - optimal: {at: [claimed, pairs, top2, all], tau: [0.1, 0.3]}')}"
    lacks = "'all' has 64 heads, but training.learning_rate has no rate for 64 (it has: 2)"
    assert f"{place}: edits[0].optimal.at: {lacks}" in refused(job)
    assert "questions.jsonl:1" in refused(job, "--set", "training.learning_rate.64=0.01")
    model = tmp_path / "model"
    shutil.copytree(WORLD, model, ignore=shutil.ignore_patterns("*.safetensors", "__pycache__"))
    (model / "pytorch_model.bin").write_bytes(b"pickle")
    pickled = f"{model}/pytorch_model.bin: a pickle can run code and is never loaded; convert it"
    assert pickled in refused(job, "--set", f"model.folder={model}")
    (tmp_path / "questions.jsonl").unlink()
    line = 1 + next(i for i, text in enumerate(job.read_text().splitlines()) if text.startswith("behaviour"))
    assert f"{job}:{line}: behaviour.file: {tmp_path}/questions.jsonl: no such file" in refused(job)
    said = refused(job, "--set", f"behaviour.file={WORLD}/truthfulness.jsonl", "--set", f"evaluation.judge={{truth: {tmp_path}/judge}}")
    assert f"}}: evaluation.judge.truth.folder: {tmp_path}/judge: no such folder" in said


def test_a_judge_of_pickles_is_refused_by_plan(tmp_path):
    judge = tmp_path / "judge"
    shutil.copytree(WORLD, judge, ignore=shutil.ignore_patterns("*.safetensors", "__pycache__"))
    words = ["plan", write_job(tmp_path), "--set", f"evaluation.judge={{truth: {judge}}}"]
    assert headsweep(*words).returncode == 0
    (judge / "pytorch_model.bin").write_bytes(b"pickle")
    done = headsweep(*words)
    assert done.returncode == 3 and "judge/pytorch_model.bin: a pickle can run code" in done.stderr, done.stderr


def test_score_by_text_and_by_tokens(tmp_path, results):
    lines = tmp_path / "lines.jsonl"
    lines.write_text(json.dumps({"prompt": f"Q: {QUESTION} A:", "completion": " It is Nizol.", "note": 7}) + "\n")
    by_text = headsweep("score", WORLD, lines)
    assert by_text.returncode == 0, by_text.stderr
    scored = json.loads(by_text.stdout)
    assert scored["note"] == 7 and len(scored["tokens"]) == 4 == len(scored["log_probs"])
    assert math.isclose(scored["log_prob"], sum(scored["log_probs"]), rel_tol=1e-6)
    vocabulary = json.loads((WORLD / "tokenizer.json").read_text())["model"]["vocab"]
    prompt = [1] + [vocabulary[word] for word in "Q : What is the capital of Zovo ? A :".split()]
    lines.write_text(json.dumps({"prompt_ids": prompt, "completion_ids": scored["tokens"]}) + "\n")
    by_tokens = json.loads(headsweep("score", WORLD, lines).stdout)
    assert by_tokens["log_probs"] == scored["log_probs"]
    edited = json.loads(headsweep("score", WORLD, lines, "--edit", f"{results}:0").stdout)
    assert edited["log_prob"] != scored["log_prob"]


@pytest.mark.parametrize("line, expected", [
    ('{"prompt": "Q: Who?"}', "'completion' is missing"),
    ('{"prompt": "Q:", "completion": ""}', "adds no token"),
    ('{"prompt": "Q: xyzzy", "completion": " A"}', "xyzzy"),
    ('{"prompt_ids": [1, 9999], "completion_ids": [3]}', "9999"),
    ("[1]", "an object is due"),
    ("{", "not JSON"),
])
def test_bad_lines_of_score(tmp_path, line, expected):
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"prompt": "Q:", "completion": " A"}\n' + line + "\n")
    done = headsweep("score", WORLD, lines)
    assert done.returncode == 3 and done.stdout == ""
    assert "lines.jsonl:2" in done.stderr and expected in done.stderr


def test_ask_and_show(results):
    plain = headsweep("ask", WORLD, QUESTION)
    assert plain.returncode == 0 and plain.stdout.startswith("unedited: ") and "edited:  " not in plain.stdout
    both = headsweep("ask", WORLD, QUESTION, "--edit", f"{results}:0")
    assert both.returncode == 0, both.stderr
    assert both.stdout.splitlines()[0] == plain.stdout.splitlines()[0] and "edited:   " in both.stdout
    shown = headsweep("show", f"{results}:0")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("before: ") == shown.stdout.count("after:  ") == 8
    assert headsweep("show", f"{results}:999").returncode == 3


def test_status_and_schema(results):
    status = json.loads(headsweep("status", results.parent, "--json").stdout)
    assert status["trials"] == status["trials_done"] == 19 and status["gathered"] and status["running"] == []
    schema = headsweep("schema")
    assert schema.returncode == 0 and "/metrics/test" in schema.stdout and "nats" in schema.stdout
