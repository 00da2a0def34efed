"""Fixtures of the analysis' tests."""

from collections.abc import Callable
from pathlib import Path

import made_up
import pytest
from made_up import Design, write_results
from statements import Make

from analysis.findings import Findings, find
from analysis.results import Results


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Design], Path]:
    """Writes a design to results.h5 in a folder of its own and returns the path."""
    return lambda design: write_results(tmp_path / "results.h5", design)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Findings of a made-up sweep whose locations have the named chances of a true answer, by kind."""
    plain = made_up.make_locations

    def made(design: Design, change: Callable[[Path], None] = lambda path: None, **quality: float) -> Findings:
        def with_quality(design: Design) -> list[dict]:
            return [row | {"quality": quality.get(row["kind"], row["quality"])} for row in plain(design)]

        monkeypatch.setattr(made_up, "make_locations", with_quality)
        path = write_results(tmp_path / "results.h5", design)
        change(path)
        return find(Results(path))

    return made
