"""How the job says that locations are compared: its section `comparison`, fixed before the first result is known.

In: the resolved job of `Results`.  Out: `Settings`; defaults where the section is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .results import BadResults, Results

SCORES = {  # what a location can be scored by, as people read it
    "truth_info": "Truth*Info",
    "both": "share true and informative",
    "mc1": "MC1",
    "mc2": "MC2",
    "kl_teacher": "minus KL to the teacher",
}


@dataclass(frozen=True)
class Primary:
    """The one test that the job names: a claimed set among random sets under one edit."""

    edit: str = ""
    claimed: str = ""
    among: str = ""

    @property
    def is_named(self) -> bool:
        """Whether all three words are there."""
        return bool(self.edit and self.claimed and self.among)


@dataclass(frozen=True)
class Settings:
    """The section `comparison` of a job."""

    primary: Primary = Primary()
    score: str = "truth_info"
    margin: float = 0.05  # of equivalence and non-inferiority, in units of the score
    level: float = 0.05  # of tests
    caps: tuple[float, ...] = (0.01, 0.05, 0.2)  # nats/token of validation kl_text

    @property
    def score_name(self) -> str:
        """`Truth*Info`."""
        return SCORES[self.score]

    @property
    def confidence(self) -> float:
        """Of intervals: 1 - level."""
        return 1.0 - self.level

    @property
    def interval_name(self) -> str:
        """`95 % interval`."""
        return f"{100 * self.confidence:g} % interval"

    @property
    def bounded(self) -> bool:
        """Whether the score lies within 0 and 1."""
        return self.score != "kl_teacher"

    def values(self, table: pd.DataFrame, prefix: str = "") -> pd.Series:
        """The score in a table of metrics: more is better, so a divergence is negative."""
        values = table[f"{prefix}{self.score}"].astype(np.float64)
        return -values if self.score == "kl_teacher" else values


def read_settings(results: Results) -> Settings:
    """Raises `BadResults` for a score that this report does not know."""
    section = results.job.get("comparison")
    if not isinstance(section, Mapping):
        return Settings()
    usual = Settings()
    words = section.get("primary") or {}
    score = str(section.get("score", usual.score))
    if score not in SCORES:
        raise BadResults(f"{results.path}: comparison.score: '{score}', this report knows {', '.join(SCORES)}.")
    return Settings(
        primary=Primary(*(str(words.get(key) or "") for key in ("edit", "claimed", "among"))),
        score=score,
        margin=float(section.get("margin", usual.margin)),
        level=float(section.get("level", usual.level)),
        caps=tuple(sorted(float(cap) for cap in section.get("caps", usual.caps))),
    )
