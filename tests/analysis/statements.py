"""Findings of made-up sweeps with a known answer, and how tests read their statements."""

import re
from collections.abc import Callable

import numpy as np

from analysis.findings import Findings
from analysis.statement import TOPICS, Statement

SETS = ("random2", "top2", "everywhere")
Make = Callable[..., Findings]


def one(findings: Findings, key: str) -> Statement:
    """The statement of that key; there must be exactly one."""
    (found,) = [each for each in findings.statements if each.key == key]
    return found


def assert_sound(findings: Findings) -> None:
    """What holds of all statements."""
    keys = [each.key for each in findings.statements]
    assert len(set(keys)) == len(keys)
    assert [TOPICS.index(each.topic) for each in findings.statements] == sorted(
        TOPICS.index(each.topic) for each in findings.statements
    )
    for each in findings.statements:
        assert re.fullmatch(r"[A-Zt].*\.", each.sentence) and "nan" not in each.sentence, each.sentence
        assert not 0.0 >= each.p_value and not each.p_value > 1.0
        if np.isfinite(each.low):
            assert each.low - 1e-9 <= each.estimate <= each.high + 1e-9 and each.assumption and each.n
