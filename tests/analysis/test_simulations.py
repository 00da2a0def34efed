"""Every statistic keeps its level, its coverage and its power on made-up sweeps of known truth.

100 simulations each, 1,000 with HEADSWEEP_LONG=1; what one must not do is simulated four times as often, since
the test is that it does fail.
"""

import os
from pathlib import Path

import pytest

from tests.analysis.check import CAUTIOUS, MOST, Check
from tests.analysis.simulate import CHECKS, HEADINGS

SIMULATIONS = 1000 if os.environ.get("HEADSWEEP_LONG") == "1" else 100
TABLE = Path(__file__).parents[2] / "analysis" / "SIMULATIONS.md"


@pytest.mark.parametrize(
    "check", CHECKS, ids=lambda check: f"{check.role}-{check.statistic}-{check.situation}"
)
def test_rate(check: Check) -> None:
    simulations = SIMULATIONS * (4 if check.role == "contrast" else 1)
    rate = check.rate(simulations)
    assert check.holds(rate, simulations), f"{rate:.3f} of {simulations}, {check.role} {check.nominal}"


@pytest.mark.parametrize("most, simulations", [(MOST, 100), (MOST, 1000), (CAUTIOUS, 1000)])
def test_an_endless_interval_fails(most: float, simulations: int) -> None:
    check = Check("endless", "any", "1 question", "coverage", 0.95, lambda generator: 1.0, most)
    assert not check.holds(check.rate(simulations), simulations)
    assert check.holds(0.95, simulations) and not check.holds(0.8, simulations)


def test_the_table_is_of_these_checks() -> None:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| ") and line.count(" | ") == 5]
    written = [(row[0].removeprefix("| "), row[1]) for row in rows if row[0] not in ("| statistic", "| ---")]
    assert written == [
        (check.statistic, check.situation) for role in HEADINGS for check in CHECKS if check.role == role
    ]
    assert not [line for line in lines if line.endswith("| **no** |")]
