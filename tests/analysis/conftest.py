"""Fixtures of the analysis' tests."""

from collections.abc import Callable
from pathlib import Path

import pytest
from made_up import Design, write_results


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Design], Path]:
    """Writes a design to results.h5 in a folder of its own and returns the path."""
    return lambda design: write_results(tmp_path / "results.h5", design)
