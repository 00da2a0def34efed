"""All numbers of one report, and the sentences that say what was swept, what they mean, what is missing.

In: `Results`.  Out: `Findings`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from . import stats
from .compare.claimed import Comparison, compare_claimed
from .compare.controls import state_controls
from .compare.cost import state_cost
from .compare.equivalence import state_equivalence
from .compare.heads import HeadScores, state_heads
from .compare.localiser import head_scores, state_localiser
from .compare.noise import state_noise
from .compare.pairs import state_differences
from .compare.power import state_power
from .compare.training import state_training
from .compare.unusual import state_paper_test, state_unusual
from .judge import judge_lines
from .missing import missing_sentences
from .results import Results
from .scores import Choice, choose_strengths, edit_name, score_units, training_seeds
from .settings import Settings
from .statement import TOPICS, Statement, count, join
from .summary import make_summary
from .sweep import Sweep
from .verdict import make_verdict

KIND_NAMES = {
    "single": "single head",
    "random": "random set",
    "top": "top set",
    "list": "listed set",
    "subspace": "random subspace",
}


@dataclass(frozen=True)
class Findings:
    """What the report shows."""

    results: Results
    settings: Settings  # the job's section `comparison`
    choice: Choice
    scores: pd.DataFrame  # one row an (edit, location): test scores at the chosen strength
    summary: pd.DataFrame
    comparisons: list[Comparison]  # the primary one first
    head_scores: list[HeadScores]
    statements: list[Statement]  # in the order of TOPICS
    verdict: str
    missing: list[str]


def find(results: Results) -> Findings:
    """Computes everything the report shows."""
    sweep = Sweep(results)
    choice = choose_strengths(sweep.map_trials)
    scores = score_units(choice.trials, results.test_questions, sweep.settings)
    comparisons, problems = compare_claimed(sweep)
    maps = list(head_scores(sweep, scores, choice.trials))
    return Findings(
        results=results,
        settings=sweep.settings,
        choice=choice,
        scores=scores,
        summary=make_summary(sweep, choice),
        comparisons=comparisons,
        head_scores=maps,
        statements=state_all(sweep, comparisons, maps, choice),
        verdict=make_verdict(sweep, comparisons, problems),
        missing=[*missing_sentences(sweep, choice, scores), *problems],
    )


def state_all(
    sweep: Sweep, comparisons: list[Comparison], maps: list[HeadScores], choice: Choice
) -> list[Statement]:
    """Every statement of the comparison, topic by topic, the primary test first within its own."""
    statements = [
        *state_unusual(sweep, comparisons),
        *state_equivalence(sweep, comparisons),
        *state_differences(sweep, comparisons),
        *state_heads(sweep),
        *state_localiser(sweep, maps, choice.trials),
        *state_cost(sweep, comparisons),
        *state_noise(sweep),
        *state_training(sweep, comparisons, choice.trials[choice.trials["tuning"] == 0]),
        *state_controls(sweep, comparisons),
        *state_power(sweep, comparisons),
        *state_paper_test(sweep, comparisons),
    ]
    return sorted(statements, key=lambda each: TOPICS.index(each.topic))


def title_of(results: Results) -> str:
    """The job's name, or the folder's."""
    return results.job_name or results.path.resolve().parent.name


def overview(results: Results) -> str:
    """What was swept, in plain words."""
    trials, kinds = results.trials, results.locations.drop_duplicates("unit")["kind"].value_counts()
    named = [count(number, KIND_NAMES[kind]) for kind, number in kinds.items() if kind in KIND_NAMES]
    named += ["all heads"] if "all" in kinds else []
    status = trials["status"].value_counts()
    counts = ", ".join(f"{status.get(name, 0)} {name}" for name in ("done", "failed", "missing"))
    edits = join([edit_name(edit) for edit in trials["edit"].unique()]).replace("Optimal", "optimal")
    seeds = sorted(trials["seed"].unique())
    split = f"{results.folds} folds" if results.folds > 1 else "one split"
    return (
        f"Model {results.model_name or 'unknown'} ({results.layers} layers of {results.heads} heads), behaviour "
        f"{results.behaviour_name or 'unknown'}: "
        f"{count(kinds.sum(), 'location')} ({join(named)}) under {edits} edits. "
        f"{count(len(trials), 'trial')}: {counts}. Seed{'s' * (len(seeds) > 1)} {join(map(str, seeds))}; "
        f"{split} with {results.test_questions.sum()} test questions; "
        f"started {results.attributes.get('started_utc', 'at an unknown time')}."
    )


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
        "number of draws sets the smallest p. Where the score is Truth*Info, the share of answers both true and "
        "informative must pass as well: the joint p is the larger one. A large p does not show that the claimed set "
        "equals random ones. Random sets with as many heads in each layer as the claimed one make the stricter test: "
        "layers then explain nothing.",
        f"Intervals are {100 * findings.settings.confidence:g} % bootstrap intervals over test questions ({stats.REPEATS} resamples; for a mean "
        f"over locations the locations are taken as given); a range is over locations.{_seeds(findings)}",
        f"With {questions} test questions the standard error of a share near one half is {error:.3f}: "
        "smaller differences between two locations can be noise (larger ones, where questions of a group are answered "
        "alike), and the best of many locations looks better than it is. One model and one behaviour say nothing about others.",
    ]


def _seeds(findings: Findings) -> str:
    one = training_seeds(findings.choice.trials) == 1
    return " Edits were trained with one seed: what another would change is in no interval." if one else ""
