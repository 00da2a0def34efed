"""Several sweeps side by side: models, behaviours, checkpoints. In: paths. Out: `Results` by name, and one table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from .results import BadResults, Results


def open_many(paths: Sequence[str | Path]) -> dict[str, Results]:
    """Several sweeps by the words that tell them apart: job, model, behaviour, or else their path."""
    sweeps = [Results(path) for path in paths]
    parts = [[sweep.job_name, sweep.model_name, sweep.behaviour_name] for sweep in sweeps]
    differing = [place for place, words in enumerate(zip(*parts, strict=True)) if len(set(words)) > 1]
    labels = [", ".join(filter(None, (words[place] for place in differing))) for words in parts]
    if len(set(labels)) < len(sweeps) or not all(labels):
        labels = [sweep.path.parent.name for sweep in sweeps]
    if len(set(labels)) < len(sweeps):
        labels = [str(sweep.path) for sweep in sweeps]
    if len(set(labels)) < len(sweeps):
        raise BadResults(f"{max(labels, key=labels.count)}: named twice. Name each results.h5 once.")
    return dict(zip(labels, sweeps, strict=True))


def join_trials(sweeps: Mapping[str, Results]) -> pd.DataFrame:
    """Trials of several sweeps in one table; `sweep` and `trial` say whose and which row."""
    tables = [sweep.trials.rename_axis("trial").reset_index() for sweep in sweeps.values()]
    return pd.concat(tables, keys=list(sweeps), names=["sweep"]).reset_index(level="sweep").reset_index(drop=True)
