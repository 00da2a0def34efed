"""Several sweeps side by side: models, behaviours, checkpoints. In: their `Findings` by name. Out: one table."""

from collections.abc import Mapping

import pandas as pd

from ..findings import Findings
from ..scores import SCORE
from ..stats import count_groups
from .claimed import Comparison


def compare_sweeps(found: Mapping[str, Findings]) -> pd.DataFrame:
    """One row a sweep and claimed set among random ones, the primary test first; without one, a row of the sweep alone.

    Every p is of its own sweep, not adjusted for their number.
    """
    rows = []
    for label, findings in found.items():
        results, settings = findings.results, findings.settings
        about = {"sweep": label, "model": results.model_name, "behaviour": results.behaviour_name}
        about |= {"measure": settings.score_name, "level": settings.level, "margin": settings.margin}
        groups = results.test_groups
        about |= {"questions": groups.size, "groups": count_groups(groups), "unedited": float(findings.summary[SCORE].iloc[0])}
        rows += [about | each.as_row() | _equivalence(each) for each in findings.comparisons] or [about]
    return pd.DataFrame(rows)


def _equivalence(each: Comparison) -> dict[str, object]:
    """What is known of the mean of random sets beside the claimed one, and the interval of their difference."""
    if each.equivalence is None:
        return {"equivalence": "not tested"}
    test, difference = each.equivalence.test, each.equivalence.difference
    words = "equivalent" if test.equivalent else "not worse" if test.not_worse else "not shown"
    return {"equivalence": words, "difference_low": difference.low, "difference_high": difference.high}
