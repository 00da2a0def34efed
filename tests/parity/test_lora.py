"""LoRA of any rank against peft: log-probabilities, gradients, greedy answers and a short training, on small random
models of each family."""
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("HEADSWEEP_BUILD", ROOT / "build")) / "tests" / "test_edit"


def test_lora_agrees_with_peft(tmp_path):
    subprocess.run([sys.executable, Path(__file__).with_name("make_lora.py"), tmp_path], check=True)
    environment = {**os.environ, "HEADSWEEP_LORA_PARITY": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([PROGRAM, "--gtest_filter=LoraParity.*"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIPPED" not in done.stdout
    print(done.stdout)
