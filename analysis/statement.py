"""One result of the comparison with all that a reader needs to doubt it. Out: `Statement`, and how its numbers are written."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, nan

import pandas as pd

from .stats import Interval

TOPICS = (
    "Is the claimed set unusual?",
    "Is it equivalent, or not worse?",
    "Differences on the same questions",
    "Single heads",
    "Does the localiser predict editability?",
    "At the same cost",
    "Noise",
    "Did it train?",
    "Controls",
    "Was the sweep large enough?",
    "The paper's own test",
)
UNUSUAL, EQUIVALENT, DIFFERENCES, HEADS, LOCALISER, COST, NOISE, TRAINED, CONTROLS, ENOUGH, PAPER = TOPICS
KIND_NAMES = {
    "single": "single heads",
    "random": "random sets",
    "top": "top sets",
    "list": "listed sets",
    "all": "all heads",
    "subspace": "random subspaces",
}
ROLES = ("primary", "co-primary", "secondary", "exploratory")


@dataclass(frozen=True)
class Statement:
    """A sentence in plain words, and its numbers; NaN where there is none."""

    topic: str
    key: str
    role: str
    sentence: str
    assumption: str = ""
    n: str = ""
    estimate: float = nan
    low: float = nan
    high: float = nan
    unit: str = ""
    effect: str = ""
    p_value: float = nan
    adjusted: str = ""  # for how many tests: "" | "Holm" | "BH" | "max-statistic"

    def __post_init__(self) -> None:
        if self.topic not in TOPICS or self.role not in ROLES:
            raise ValueError(f"{self.key}: topic '{self.topic}' or role '{self.role}' is not known")
        if self.p_value == 0.0:
            raise ValueError(f"{self.key}: a p-value is never 0")


def as_table(statements: Iterable[Statement]) -> pd.DataFrame:
    """One row a statement."""
    return pd.DataFrame([vars(each) for each in statements], columns=list(Statement.__dataclass_fields__))


def numbers(interval: Interval) -> dict[str, float]:
    """An estimate with its interval, as a statement holds them."""
    return {"estimate": interval.value, "low": interval.low, "high": interval.high}


def slug(*words: object) -> str:
    """`optimal-top16-matched16`."""
    kept = "".join(letter if letter.isalnum() or letter in ".@" else "-" for letter in "-".join(map(str, words)))
    return "-".join(part for part in kept.lower().split("-") if part)


def span(interval: Interval, level: float = 0.95, signed: bool = False) -> str:
    """`0.512 (95 % interval 0.430 to 0.590)`; signed for differences."""
    form = "+.3f" if signed else ".3f"
    text = format(interval.value, form)
    if isfinite(interval.low) and isfinite(interval.high):
        text += f" ({100 * level:g} % interval {interval.low:{form}} to {interval.high:{form}})"
    return text


def percent(interval: Interval, level: float = 0.95, digits: int = 0) -> str:
    """`57 % (95 % interval 43 to 70 %)`; `digits` of the estimate after its point."""
    return f"{100 * interval.value:.{digits}f} % ({100 * level:g} % interval {100 * interval.low:.0f} to {100 * interval.high:.0f} %)"


def p_text(p_value: float) -> str:
    """`p = 0.043`."""
    return f"p = {p_value:.2g}" if isfinite(p_value) else "no p"


def count(number: int, noun: str) -> str:
    """`1 trial`, `2 trials`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def join(words: Iterable[object]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    listed = [str(word) for word in words]
    return " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)


def ordinal(number: int) -> str:
    """`57th`."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
