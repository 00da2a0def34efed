"""The methods of one sweep in words, ready for an appendix. In: `Results`. Out: headings with paragraphs, and as text.

All that decides the numbers stands here: model, data, split, locations, edits, learning rates and how they were chosen,
judge, selection, statistics, seeds, hashes, versions.
"""

import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..judge import judge_quality
from ..results import Results
from ..scores import edit_name
from ..statement import count, join
from .methods_statistics import statistics

PACKAGES = ("numpy", "scipy", "statsmodels", "pandas", "h5py", "matplotlib")
EDITS = {
    "optimal": "a rank-1 edit, added to the residual stream at each layer of the location as <a, o> W_o b with o the "
    "concatenated head outputs; a and b are trained with IPO on pairs of answers, b is zero outside the location's heads",
    "iti": "inference-time intervention: a constant shift of alpha standard deviations along the unit direction from the "
    "mean of false to the mean of true answers, at the location's heads",
    "lora": "LoRA trained with the same loss, not confined to heads",
}


def methods(results: Results) -> dict[str, list[str]]:
    """Heading -> paragraphs."""
    parts = {
        "Model and data": _data(results),
        "Locations": _locations(results),
        "Edits and training": _training(results),
        "Learning rates": _tuning(results.tuning),
        "Evaluation": _evaluation(results),
        "Statistics": statistics(results),
        "Outcome": _outcome(results),
        "Versions": _versions(results),
    }
    return {title: list(sentences) for title, sentences in parts.items()}


def methods_text(results: Results) -> str:
    """The same as Markdown, with the whole job at its end."""
    parts = [f"## {title}\n\n" + "\n\n".join(text) for title, text in methods(results).items() if text]
    job = str(results.attributes.get("resolved_job", "")).strip()
    return "\n\n".join(parts) + f"\n\n## The job, with all defaults\n\n```yaml\n{job}\n```\n"


def _data(results: Results) -> Iterator[str]:
    about, job = results.attributes, results.job_value
    yield (
        f"Model {results.model_name or 'unknown'} ({results.layers} layers of {results.heads} heads; hash of its weights "
        f"{about.get('model_hash', 'unknown')}), matrix products in {job('model', 'precision') or 'f32'}, on "
        f"{about.get('device', 'an unknown device')}."
    )
    part = results.column("questions/part")
    counts = [f"{int(np.sum(row == 0))}/{int(np.sum(row == 1))}/{int(np.sum(row == 2))}" for row in part]
    groups = results.questions["group"].nunique()
    grouped = f" in {count(groups, 'group')}, which are never split" if groups < len(results.questions) else ""
    split = f"{results.folds} folds" if results.folds > 1 else "one split"
    yield (
        f"Behaviour {results.behaviour_name or 'unknown'} (hash of the data {about.get('data_hash', 'unknown')}): "
        f"{count(len(results.questions), 'question')}{grouped}; {split} into training, validation and test questions "
        f"({'; '.join(dict.fromkeys(counts))}), drawn with seed {results.job.get('seed', 0)}. Probes and "
        "edits are fitted on training questions, learning rates and strengths are chosen on validation questions, all "
        "scores are of test questions."
    )


def _locations(results: Results) -> Iterator[str]:
    yield (
        "Heads are localised by a logistic regression on each head's output at the last token, true against false answers; "
        "its accuracy on validation questions ranks the heads."
    )
    units = results.locations.drop_duplicates("unit")
    for name, rows in units.groupby("set", sort=False):
        first = rows.iloc[0]
        each = " each" * (len(rows) > 1)
        text = f"{name}: {count(len(rows), 'location')} of kind {first['kind']}, {count(first['size'], 'head')}{each}"
        if first["matched_to"]:
            text += f", as many heads in each layer as {first['matched_to']}"
        yield text + (", to choose learning rates on; no test uses them." if rows["tuning"].all() else ".")


def _training(results: Results) -> Iterator[str]:
    trials = results.trials
    for edit, rows in trials.groupby("edit", sort=False):
        kind = str(edit).replace(",", " ").split()[0]
        name = "alpha" if kind == "iti" else "tau"
        strengths = rows.groupby("set", sort=False)["strength"].unique().map(lambda each: join(f"{x:g}" for x in sorted(each)))
        at = [f"{name} {each} at {join(sets.index)}" for each, sets in strengths.groupby(strengths, sort=False)]
        yield f"{edit_name(str(edit))}: {EDITS[kind]}. {'; '.join(at)}."
    training = results.job.get("training") or {}
    settings = ", ".join(f"{key} {_plain(value)}" for key, value in training.items() if key != "learning_rate")
    seeds = sorted(trials["seed"].unique())
    yield f"Training: {settings or 'as the job says'}. Learning rate by number of edited heads: " + (
        f"{_plain(training.get('learning_rate', 'unknown'))}. Seed{'s' * (len(seeds) > 1)} of training: {', '.join(map(str, seeds))}."
    )
    controls = trials.loc[trials["labels"] != "true", "labels"].value_counts()
    for labels, trained in controls.items():
        yield f"Control: {count(trained, 'trial')} with pairs of {labels} labels; no comparison uses what it gave."
    if trials["recheck"].any():
        yield f"Trained again with twice the epochs, to check convergence only: {count(int(trials['recheck'].sum()), 'trial')}."


def _tuning(tuning: pd.DataFrame) -> Iterator[str]:
    if tuning.empty:
        yield "Learning rates were given, not chosen."
    for (edit, rank, targets, size), rows in tuning.groupby(["edit", "rank_of_edit", "targets", "size"], sort=False):
        tried = rows.groupby("learning_rate").agg(loss=("val_loss", "mean"), chosen=("chosen", "any"), edge=("edge", "any"))
        words = [
            f"{rate:g} (validation loss {row.loss:.4g}{', chosen' * row.chosen}{', an end of the grid' * (row.chosen and row.edge)})"
            for rate, row in zip(tried.index, tried.itertuples(), strict=True)
        ]
        yield f"{edit_name(str(edit))} of rank {rank} on {targets} at {count(size, 'head')}, mean over tuning locations: {', '.join(words)}."


def _evaluation(results: Results) -> Iterator[str]:
    settings = results.job.get("evaluation") or {}
    listed = ", ".join(f"{key} {_plain(value)}" for key, value in settings.items() if value not in ("", None))
    yield f"Greedy answers; judge: {results.attributes.get('judged_by', 'none')}. Settings: {listed}."
    for name, quality in judge_quality(results).items():
        if quality.is_known:
            yield (
                f"The judge on references of known label, {name}: sensitivity {quality.sensitivity:.3f} "
                f"({count(quality.positives, 'reference')}), specificity {quality.specificity:.3f} "
                f"({count(quality.negatives, 'reference')})."
            )
    yield (
        "Truth*Info is the share of true answers times the share of informative ones. MC1, MC2, MC3: multiple choice among "
        "the references. KL is that of next-token distributions, unedited to edited model, in nats per token."
    )


def _outcome(results: Results) -> Iterator[str]:
    status = results.trials["status"].value_counts()
    trials = results.trials
    trained = trials[(trials["status"] == "done") & (trials["steps"] > 0)]
    text = f"{count(len(trials), 'trial')}: " + ", ".join(f"{status.get(name, 0):,} {name}" for name in ("done", "failed", "missing"))
    if len(trained):
        text += f"; {100 * trained['converged'].mean():.0f} % of {count(len(trained), 'trained edit')} converged"
    yield f"{text}; {trials['seconds'].sum(skipna=True) / 3600:.2f} hours of computing."


def _versions(results: Results) -> Iterator[str]:
    about = results.attributes
    names = ("started_utc", "written_utc", "command_line", "sweep_hash", "version")
    found = [f"{name.replace('_', ' ')} {about[name]}" for name in names if about.get(name)]
    builds = str(about.get("builds", about.get("build", "unknown"))).strip().splitlines()
    yield f"Program: {'; '.join(builds)}. {'; '.join(found)}."
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    yield f"Analysis: headsweep_analysis {_own_version()}, {packages}."


def _own_version() -> str:
    """As the checkout says; an installed package has its number with it."""
    told = Path(__file__).parents[1] / "pyproject.toml"
    if not told.is_file():
        return version("headsweep-analysis")
    return str(tomllib.loads(told.read_text(encoding="utf-8"))["project"]["version"])


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "[" + ", ".join(_plain(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) and " " in value else str(value)
