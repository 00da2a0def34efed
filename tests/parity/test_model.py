"""The forward, the edits' gradients and the decoder against transformers, on small random models and the built-in one."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("HEADSWEEP_BUILD", ROOT / "build")) / "tests" / "test_model"


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    script = Path(__file__).with_name("make_models.py")
    subprocess.run([sys.executable, script, folder, ROOT / "jobs" / "tinyworld"], check=True)
    return folder


def test_model_agrees_with_transformers(models):
    environment = {**os.environ, "HEADSWEEP_PARITY": str(models), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([PROGRAM, "--gtest_filter=ModelParity.*"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIPPED" not in done.stdout
    print(done.stdout)
