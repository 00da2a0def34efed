"""How far a judge can be trusted, and shares of true and informative answers corrected for its errors.

In: `Results`, whose references the judge has judged like any answer.  Out: sensitivity, specificity, corrected shares.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .results import Results
from .settings import read_settings
from .statement import percent
from .stats import share_interval

CORRECT, REFUSAL, INCORRECT = 0, 1, 2  # /judge/kind
MATTERS = {"truth": "true", "info": "informative"}


@dataclass(frozen=True)
class Quality:
    """A judge's word on one matter against the references, of which the truth is known."""

    sensitivity: float  # share of yes among those that deserve it
    specificity: float  # share of no among the others
    positives: int
    negatives: int
    negative_texts: int = 0  # how many of these differ: refusals are often one and the same

    @property
    def is_known(self) -> bool:
        """Whether the judge has judged references of both kinds."""
        return bool(np.isfinite(self.sensitivity) and np.isfinite(self.specificity))

    @property
    def is_perfect(self) -> bool:
        """Whether there is nothing to correct."""
        return self.sensitivity == 1.0 and self.specificity == 1.0

    def correct(self, share: ArrayLike) -> NDArray[np.float64]:
        """(p + specificity - 1) / (sensitivity + specificity - 1) within [0, 1] (Rogan and Gladen 1978).

        NaN where the judge is no better than chance.
        """
        excess = self.sensitivity + self.specificity - 1.0
        shares = np.asarray(share, dtype=np.float64)
        if not excess > 0.0:
            return np.full(shares.shape, np.nan)
        return np.clip((shares + self.specificity - 1.0) / excess, 0.0, 1.0)


def judge_quality(results: Results) -> dict[str, Quality]:
    """Of `truth` and of `info`."""
    kind = results.column("judge/kind")
    right = {"truth": kind != INCORRECT, "info": kind != REFUSAL}
    texts = results.column("judge/answer")
    return {name: _quality(results.column(f"judge/{name}"), right[name], texts) for name in MATTERS}


def needs_correction(results: Results) -> bool:
    """Whether the judge is known to err."""
    return any(each.is_known and not each.is_perfect for each in judge_quality(results).values())


def with_corrected(results: Results, table: pd.DataFrame, prefixes: tuple[str, ...] = ("",)) -> pd.DataFrame:
    """The table with a column `truth_corrected` beside `truth`, and of `info`, for each prefix of their names."""
    quality = judge_quality(results)
    names = [f"{prefix}{name}" for prefix in prefixes for name in MATTERS]
    corrected = {
        f"{name}_corrected": quality[name.split("_")[-1]].correct(table[name].to_numpy()) for name in names
    }
    return table.assign(**corrected)


def judge_lines(results: Results) -> list[str]:
    """Who judged, and how well, in a sentence for each matter; nothing for a judge without errors."""
    who, level = str(results.attributes.get("judged_by", "")), read_settings(results).confidence
    lines = []
    for name, quality in judge_quality(results).items():
        if not quality.is_known or quality.is_perfect:
            continue
        text = (
            f"judge ({who}): of {quality.positives} references that are {MATTERS[name]} it says so of "
            f"{_with_interval(quality.sensitivity, quality.positives, level)}, of {quality.negatives} that are not "
            f"({quality.negative_texts} different texts) it denies it of "
            f"{_with_interval(quality.specificity, quality.negatives, level)}"
        )
        chance = quality.sensitivity + quality.specificity <= 1.0
        lines.append(text + ("; no better than chance, so nothing is corrected" if chance else ""))
    return lines


def _with_interval(share: float, count: int, level: float) -> str:
    """In percent, with the exact interval of independent references."""
    return percent(share_interval(round(share * count), count, level), level, digits=1)


def _quality(said: NDArray, right: NDArray[np.bool_], texts: NDArray) -> Quality:
    judged = np.isfinite(said)
    positive, negative = (said[judged & some].astype(np.float64) for some in (right, ~right))
    return Quality(
        sensitivity=float(positive.mean()) if positive.size else np.nan,
        specificity=float(1.0 - negative.mean()) if negative.size else np.nan,
        positives=int(positive.size),
        negatives=int(negative.size),
        negative_texts=len(set(texts[judged & ~right])),
    )
