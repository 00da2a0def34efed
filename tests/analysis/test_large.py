"""A large sweep is analysed in time and memory: 20,000 trials of 163 questions, from results.h5 to every statement."""

import os
import subprocess
import sys
from pathlib import Path

import made_up
import pytest
from made_up import Design, write_results

ROOT = Path(__file__).parents[2]
FIND = """
import resource, sys, time
from analysis.findings import find
from analysis.results import Results
results = Results(sys.argv[1])
findings = find(results)
print(len(results.trials), len(findings.statements), time.process_time())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(os.environ.get("HEADSWEEP_LONG") != "1", reason="half a minute: HEADSWEEP_LONG=1")
def test_findings_of_twenty_thousand_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own: seconds of its processors, kilobytes at its peak."""
    for name, size in (("LAYERS", 32), ("HEADS", 32), ("ITEMS", 163)):
        monkeypatch.setattr(made_up, name, size)
    design = Design(draws=300, seeds=(0, 1, 2, 3, 4), rechecked=200, tuned=2, controls=("swapped",), subspaces=20)
    path = write_results(tmp_path / "results.h5", design)
    said = subprocess.run([sys.executable, "-c", FIND, path], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    trials, statements, seconds, kilobytes = map(float, said.split())
    assert trials >= 20_000 and statements > 60
    assert seconds < 60 and kilobytes < 4e6
