"""Several sweeps side by side: models, behaviours, checkpoints. In: their `Findings` by name. Out: one table."""

from collections.abc import Mapping

import pandas as pd

from ..findings import Findings
from ..scores import SCORE
from .claimed import Comparison


def compare_sweeps(found: Mapping[str, Findings]) -> pd.DataFrame:
    """One row a sweep and claimed set among random ones, the primary test first; without one, a row of the sweep alone.

    Every p is of its own sweep, not adjusted for their number.
    """
    rows = []
    for label, findings in found.items():
        results = findings.results
        about = {"sweep": label, "model": results.model_name, "behaviour": results.behaviour_name}
        about |= {"measure": findings.settings.score_name, "unedited": float(findings.summary[SCORE].iloc[0])}
        compared = [each.as_row() | {"equivalence": _words(each)} for each in findings.comparisons]
        rows += [about | each for each in compared] or [about]
    return pd.DataFrame(rows)


def _words(each: Comparison) -> str:
    """What is known of the mean of random sets beside the claimed one."""
    if each.equivalence is None:
        return "not tested"
    test = each.equivalence.test
    return "equivalent" if test.equivalent else "not worse" if test.not_worse else "not shown"
