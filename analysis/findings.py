"""All numbers of one report, and the sentences that say what was swept, what they mean, what is missing.

In: `Results`.  Out: `Findings`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis import stats
from analysis.compare import (
    Comparison,
    Difference,
    SingleHeads,
    compare_claimed,
    compare_pairs,
    compare_single_heads,
)
from analysis.judge import judge_lines
from analysis.results import METRICS, Results
from analysis.scores import SCORE, Choice, choose_strengths, edit_kind, edit_name, score_units
from analysis.summary import make_summary

KIND_NAMES = {"single": "single head", "random": "random set", "top": "top set", "list": "listed set"}
REASONS = 5  # so many reasons of failure are listed


@dataclass(frozen=True)
class HeadScores:
    """Test score of an edit at each single head, and the probe's accuracy there: [L*H], as in /heads."""

    edit: str
    edited: np.ndarray
    probe: np.ndarray
    correlation: stats.Interval | None  # Spearman, over the heads that have both


@dataclass(frozen=True)
class Findings:
    """What the report shows."""

    results: Results
    choice: Choice
    scores: pd.DataFrame  # one row an (edit, location): test scores at the chosen strength
    summary: pd.DataFrame
    comparisons: list[Comparison]
    differences: list[Difference]
    single_heads: list[SingleHeads]
    head_scores: list[HeadScores]
    missing: list[str]


def find(results: Results) -> Findings:
    """Computes everything the report shows."""
    choice = choose_strengths(results.trials)
    scores = score_units(choice.trials, results.test_questions)
    weights = stats.resample_weights(int(results.test_questions.sum()))
    comparisons, problems = compare_claimed(results, weights)
    return Findings(
        results=results,
        choice=choice,
        scores=scores,
        summary=make_summary(results, choice, weights),
        comparisons=comparisons,
        differences=compare_pairs(results, choice, weights),
        single_heads=compare_single_heads(scores),
        head_scores=[_head_scores(results, rows) for rows in _singles(scores)],
        missing=[
            *_missing_trials(results),
            *_left_out(results, choice),
            *problems,
            *_not_measured(results, scores),
        ],
    )


def title_of(results: Results) -> str:
    """The job's name, or the folder's."""
    return results.job_name or results.path.resolve().parent.name


def overview(results: Results) -> str:
    """What was swept, in plain words."""
    trials, kinds = results.trials, results.locations.drop_duplicates("unit")["kind"].value_counts()
    named = [_count(count, KIND_NAMES[kind]) for kind, count in kinds.items() if kind in KIND_NAMES]
    named += ["all heads"] if "all" in kinds else []
    status = trials["status"].value_counts()
    counts = ", ".join(f"{status.get(name, 0)} {name}" for name in ("done", "failed", "missing"))
    edits = _join([edit_name(edit) for edit in trials["edit"].unique()]).replace("Optimal", "optimal")
    seeds = sorted(trials["seed"].unique())
    split = f"{results.folds} folds" if results.folds > 1 else "one split"
    model, behaviour = (
        _stem(results.job_value(*key)) for key in (("model", "folder"), ("behaviour", "file"))
    )
    return (
        f"Model {model} ({results.layers} layers of {results.heads} heads), behaviour {behaviour}: "
        f"{_count(kinds.sum(), 'location')} ({_join(named)}) under {edits} edits. "
        f"{_count(len(trials), 'trial')}: {counts}. Seed{'s' * (len(seeds) > 1)} {_join(map(str, seeds))}; "
        f"{split} with {results.test_questions.sum()} test questions; "
        f"started {results.attributes.get('started_utc', 'at an unknown time')}."
    )


def verdict(comparison: Comparison) -> str:
    """One claimed set among random sets, in a sentence."""
    rank = comparison.rank
    match = "as many heads in each layer" if comparison.matched else "as many heads, any layers"
    text = (
        f"{edit_name(comparison.edit)}: {comparison.claimed} reaches {comparison.score.value:.3f}; "
        f"{rank.at_least} of {rank.draws} random sets ({comparison.random}, {match}) reach as much: p = "
        f"{rank.p_value:.3g} (smallest possible {rank.smallest_p:.2g})"
    )
    if not comparison.all_strengths:
        text += f"; chosen from strength {_join([f'{strength:g}' for strength in comparison.strengths])} only"
    if comparison.left_out:
        lost = _count(comparison.left_out, "unfinished random set")
        text += f"; {lost} left out, p = {comparison.cautious_p:.3g} at worst"
    return text


def judge_notes(results: Results) -> list[str]:
    """What is known of the judge's errors, and what was done about them."""
    lines = judge_lines(results)
    alone = [] if results.info_judged else ["Nobody judged information: info counts as 1, Truth*Info is truth."]
    if not lines:
        return alone
    return [
        *alone,
        *lines,
        "Corrected: (p + specificity - 1) / (sensitivity + specificity - 1), within 0 and 1 (Rogan and Gladen "
        "1978). It takes the judge's errors on generated answers to be those on references; Truth*Info, "
        "intervals and p are not corrected.",
    ]


def notes(findings: Findings) -> list[str]:
    """How to read the numbers."""
    questions = int(findings.results.test_questions.sum())
    error = 0.5 / np.sqrt(max(questions, 1))
    return [
        "Strengths (and the best and worst single head) are chosen on validation questions; all scores "
        "shown are on test questions. A strength at an end of its grid is flagged: a wider grid might do "
        "better.",
        "p is the rank of the claimed set among the random ones, (b+1)/(m+1) with b of m random sets at "
        "least as good, ties against the claimed set. It asks whether a random draw would do as well; the "
        "number of draws sets the smallest p. A large p does not show that the claimed set equals random "
        "ones. Random sets with as many heads in each layer as the claimed one make the stricter test: "
        "layers then explain nothing.",
        f"Intervals are 95 % bootstrap intervals over test questions ({stats.REPEATS} resamples; for a mean "
        "over locations the locations are taken as given); a range is over locations.",
        f"With {questions} test questions the standard error of a share near one half is {error:.3f}: "
        "smaller differences between two locations can be noise, and the best of many locations looks "
        "better than it is. One model and one behaviour say nothing about others.",
        *_unconverged(findings.choice),
    ]


def _singles(scores: pd.DataFrame) -> Iterator[pd.DataFrame]:
    singles = scores[(scores["kind"] == "single") & scores[SCORE].notna()]
    return (rows for _, rows in singles.groupby("edit", sort=False))


def _head_scores(results: Results, rows: pd.DataFrame) -> HeadScores:
    place = results.locations.drop_duplicates("unit").set_index("unit").index.get_indexer(rows["unit"])
    heads = results.column("locations/mask")[place].argmax(axis=1)
    edited = np.full(results.layers * results.heads, np.nan)
    edited[heads] = rows[SCORE]
    probe = results.probe_score.mean(axis=0).astype(np.float64)
    both = np.isfinite(edited) & np.isfinite(probe)
    correlation = stats.spearman(probe[both], edited[both]) if both.sum() > 2 else None
    return HeadScores(str(rows["edit"].iloc[0]), edited, probe, correlation)


def _missing_trials(results: Results) -> Iterator[str]:
    trials = results.trials
    missing = int((trials["status"] == "missing").sum())
    if missing:
        share = f"{missing} of {_count(len(trials), 'trial')}"
        yield f"{share} without an outcome yet: `headsweep run ... --resume` does them"
    reasons = trials.loc[trials["status"] == "failed", ["stage", "message"]].value_counts()
    for (stage, message), count in reasons.head(REASONS).items():
        yield f"{_count(count, 'trial')} failed in {stage or 'an unknown stage'}: {message}"
    if len(reasons) > REASONS:
        others = _count(reasons.iloc[REASONS:].sum(), "trial")
        yield f"{others} failed for other reasons, see tables/trials.csv"
    yield from _not_planned(trials)


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
        yield f"not part of this sweep: {_join(absent)}"


def _left_out(results: Results, choice: Choice) -> Iterator[str]:
    for edit, strengths in choice.dropped.items():
        if strengths:
            which = _join([f"{strength:g}" for strength in strengths])
            yield f"{edit_name(edit)}: not chosen from strength {which}, which too few locations finished"
    planned = results.trials.groupby(["edit", "set"])["unit"].nunique()
    for (edit, name), rows in choice.incomplete.groupby(["edit", "set"], sort=False):
        yield (
            f"{edit_name(edit)}: {len(rows)} of {planned[edit, name]} locations of {name} are left out, "
            "for their trials are not all done and scored on validation questions"
        )


def _not_measured(results: Results, scores: pd.DataFrame) -> Iterator[str]:
    if np.isnan(results.probe_score).any():
        yield "the probe's accuracy is not known for all heads"
    if results.baseline["test_truth"].isna().any():
        yield "the unedited model's test answers were not judged"
    empty = [name for name in METRICS if len(scores) and scores[name].isna().all()]
    if empty:
        yield f"not measured on test questions: {_join(empty)}"


def _unconverged(choice: Choice) -> Iterator[str]:
    trained = choice.trials[choice.trials["steps"] > 0] if len(choice.trials) else choice.trials
    if trained.empty:
        return
    shares = (1.0 - trained["converged"].astype(float)).groupby(trained["kind"], sort=False).mean()
    names = {kind: f"{name}s" for kind, name in KIND_NAMES.items()} | {"all": "all heads"}
    listed = _join([f"{100 * share:.0f} % of {names[kind]}" for kind, share in shares.items()])
    yield (
        f"Trained edits at the chosen strengths that had not converged: {listed}. "
        "The score of such a trial may be too low."
    )


def _join(words: Iterator[str] | list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    listed = list(words)
    return " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)


def _count(number: int, noun: str) -> str:
    """`1 trial`, `2 trials`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _stem(path: str) -> str:
    return Path(path).stem or "unknown"
