"""What a reader must know is not there: unfinished trials, locations left out, what takes no part, what was not measured.

In: a `Sweep` and the choice of strengths.  Out: sentences.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from .results import METRICS
from .scores import Choice, edit_kind, edit_name
from .settings import SCORES
from .statement import count, join
from .sweep import Sweep

REASONS = 5  # so many reasons of failure are listed


def missing_sentences(sweep: Sweep, choice: Choice, scores: pd.DataFrame) -> Iterator[str]:
    """All of them."""
    yield from _unfinished(sweep.all_trials)
    yield from _not_planned(sweep.all_trials)
    yield from _left_out(sweep.map_trials, choice)
    yield from _not_compared(sweep)
    yield from _not_measured(sweep, scores)


def _unfinished(trials: pd.DataFrame) -> Iterator[str]:
    missing = int((trials["status"] == "missing").sum())
    if missing:
        share = f"{missing} of {count(len(trials), 'trial')}"
        yield f"{share} without an outcome yet: `headsweep run ... --resume` does them"
    reasons = trials.loc[trials["status"] == "failed", ["stage", "message"]].value_counts()
    for (stage, message), number in reasons.head(REASONS).items():
        yield f"{count(number, 'trial')} failed in {stage or 'an unknown stage'}: {message}"
    if len(reasons) > REASONS:
        others = count(int(reasons.iloc[REASONS:].sum()), "trial")
        yield f"{others} failed for other reasons, see tables/trials.csv"


def _not_planned(trials: pd.DataFrame) -> Iterator[str]:
    present = {edit_kind(edit) for edit in trials["edit"].unique()}, set(trials["kind"])
    absent = [edit_name(edit) for edit in ("optimal", "iti", "lora") if edit not in present[0]]
    kinds = {
        "single heads": {"single"},
        "random sets": {"random"},
        "all heads": {"all"},
        "a claimed set": {"top", "list"},
    }
    absent += [name for name, either in kinds.items() if not either & present[1]]
    if absent:
        yield f"not part of this sweep: {join(absent)}"


def _left_out(trials: pd.DataFrame, choice: Choice) -> Iterator[str]:
    for edit, strengths in choice.dropped.items():
        if strengths:
            which = join(f"{strength:g}" for strength in strengths)
            yield f"{edit_name(edit)}: not chosen from strength {which}, which too few locations finished"
    planned = trials.groupby(["edit", "set"])["unit"].nunique()
    for (edit, name), rows in choice.incomplete.groupby(["edit", "set"], sort=False):
        yield (
            f"{edit_name(edit)}: {len(rows)} of {planned[edit, name]} locations of {name} are left out, "
            "for their trials are not all done and scored on validation questions"
        )


def _not_compared(sweep: Sweep) -> Iterator[str]:
    """What takes no part in the comparison by intent."""
    trials = sweep.all_trials
    tuning = trials[trials["tuning"] == 1]
    if len(tuning):
        where = count(tuning["unit"].nunique(), "location")
        yield f"{where} that learning rates were chosen on take part in no test ({count(len(tuning), 'trial')})"
    rest = trials[trials["tuning"] == 0]
    kinds = {
        "with other labels": rest["labels"] != "true",
        "in random subspaces": rest["kind"] == "subspace",
        "of the recheck with twice the epochs": rest["recheck"] == 1,
    }
    told = [f"{count(int(those.sum()), 'trial')} {words}" for words, those in kinds.items() if those.any()]
    if told:
        yield f"not in the comparison, shown beside it: {join(told)}"


def _not_measured(sweep: Sweep, scores: pd.DataFrame) -> Iterator[str]:
    results = sweep.results
    if np.isnan(results.probe_score).any():
        yield "the probe's accuracy is not known for all heads"
    if sweep.units == 1:
        missing = "intervals and p over questions are missing"
        yield f"{sweep.n_questions}: nothing tells how scores would differ on others, so {missing}"
    if results.baseline["test_truth"].isna().any():
        yield "the unedited model's test answers were not judged"
    wanted = [name for name in METRICS if name != "kl_teacher" or sweep.settings.score == name]
    empty = [name for name in wanted if len(scores) and scores[name].isna().all()]
    if empty:
        yield f"not measured on test questions: {join(empty)}"
    if sweep.settings.score in empty:
        yield f"the job compares by {SCORES[sweep.settings.score]}, which was not measured: nothing is compared"
