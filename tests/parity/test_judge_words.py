"""Models as judges against transformers: the probabilities of their words, of one token and of several."""
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("HEADSWEEP_BUILD", ROOT / "build")) / "tests" / "test_eval"


def test_judges_agree_with_transformers(tmp_path):
    script = Path(__file__).with_name("make_judges.py")
    subprocess.run([sys.executable, script, tmp_path, ROOT / "jobs" / "tinyworld" / "truthfulness.jsonl"], check=True)
    environment = {**os.environ, "HEADSWEEP_PARITY": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([PROGRAM, "--gtest_filter=JudgeParity.*"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIPPED" not in done.stdout
    print(done.stdout)
