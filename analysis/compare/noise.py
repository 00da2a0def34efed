"""How much is noise? Variance of answers over locations, seeds and questions; a mixed model of the kinds of location.

In: a `Sweep`.  Out: statements. An answer counts as correct if it is true and informative (`both`).
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from .. import stats
from ..scores import choose_strengths, edit_name
from ..statement import KIND_NAMES, NOISE, Statement, count, join, numbers, p_text, percent, slug, span
from ..stats import Answers
from ..stats.variance import mixed_model, variance_split
from ..sweep import Sweep

SEEDS, LOCATIONS = 3, 20  # a variance needs so many of each
MOST = 200  # locations of a kind that enter: more change nothing but the time


def state_noise(sweep: Sweep) -> Iterator[Statement]:
    """Kinds beside random sets; a split for each kind with enough seeds and locations, else a word about it."""
    if sweep.settings.score not in stats.SCORES:
        return  # of answers that are right or wrong
    lacking = []
    for edit in sweep.edits:
        chosen = choose_strengths(sweep.trials[sweep.trials["edit"] == edit]).trials
        kinds = {str(kind): sweep.answers_by_unit(rows) for kind, rows in chosen.groupby("kind", sort=False)}
        yield from _kinds(sweep, edit, kinds)
        for kind in ("single", "random"):
            answers = kinds.get(kind, {})
            seeds = min((len(each.truth) for each in answers.values()), default=0)
            if len(answers) >= LOCATIONS and seeds >= SEEDS and sweep.units > 1:
                yield from _split(sweep, edit, kind, answers, seeds)
            elif answers:
                lacking.append(
                    f"{edit_name(edit)}, {KIND_NAMES[kind]}: {count(seeds, 'seed')} at {count(len(answers), 'location')}"
                )
    if lacking:
        yield Statement(
            topic=NOISE,
            key="not-enough",
            role=sweep.other_role,
            sentence=(
                f"How much is noise of seeds is not known where there are fewer than {SEEDS} seeds at {LOCATIONS} "
                f"locations, or a single group of questions: {join(lacking)}; {sweep.n_questions}."
            ),
        )


def answer_table(answers: dict[str, Answers], seeds: int, groups: np.ndarray) -> pd.DataFrame:
    """A row for each location, seed and question: `correct` is 1 for an answer true and informative.

    Questions of a group are not independent, so that a group takes the place of a question, its mean that of an answer.
    """
    parts, sizes = [], stats.group_sums(np.ones(groups.size), groups)
    for location, each in list(answers.items())[:MOST]:
        correct = stats.group_sums(each.truth * each.info, groups)[:seeds] / sizes
        seed, question = np.indices(correct.shape)
        parts.append(
            pd.DataFrame(
                {"location": location, "seed": seed.ravel(), "question": question.ravel(), "correct": correct.ravel()}
            )
        )
    return pd.concat(parts, ignore_index=True)


def _kinds(sweep: Sweep, edit: str, kinds: dict[str, dict[str, Answers]]) -> Iterator[Statement]:
    """Each kind of location beside random sets, of which all are draws."""
    known = {kind: answers for kind, answers in kinds.items() if answers}
    spread = {answers.score("both") for answers in known.get("random", {}).values()}
    if len(known) < 2 or len(spread) < 2:
        return
    seeds = min(len(each.truth) for answers in known.values() for each in answers.values())
    singly = np.arange(sweep.questions)  # a location's mean is over questions, whatever their groups
    table = pd.concat([answer_table(answers, seeds, singly).assign(kind=kind) for kind, answers in known.items()])
    model, level = mixed_model(table, level=sweep.settings.confidence), sweep.settings.confidence
    for kind, effect in model.effects.items():
        yield Statement(
            topic=NOISE,
            key=slug("kind", edit, kind),
            role=sweep.other_role,
            sentence=(
                f"{edit_name(edit)}: {KIND_NAMES[kind]} minus random sets, share of answers true and informative, "
                f"over locations as draws: {span(effect.difference, level, signed=True)}, "
                f"{p_text(effect.p_value)}."
            ),
            assumption="Welch's t-test of location means, as a mixed model with locations and questions as random effects "
            "gives for balanced data; near normal, seeds averaged",
            n=f"{count(effect.locations, 'location')} beside {len(known['random'])}, {sweep.n_questions}",
            **numbers(effect.difference),
            unit="share",
            effect=f"{KIND_NAMES[kind]} minus random sets",
            p_value=max(effect.p_value, np.finfo(float).tiny),
        )


def _split(sweep: Sweep, edit: str, kind: str, answers: dict[str, Answers], seeds: int) -> Iterator[Statement]:
    level = sweep.settings.confidence
    split = variance_split(answer_table(answers, seeds, sweep.groups), level=level)
    grouped = sweep.units < sweep.questions
    unit, single = ("group", "groups' means of answers") if grouped else ("question", "single answers")
    n = f"{count(split.locations, 'location')}, {count(split.seeds, 'seed')}, {sweep.n_questions}"
    words = ", ".join(f"{name.replace('question', unit)} {percent(share, level)}" for name, share in split.shares.items())
    alike = "; groups of questions count alike, whatever their size" if grouped else ""
    what = f"{edit_name(edit)}, {KIND_NAMES[kind]}"
    yield Statement(
        topic=NOISE,
        key=slug("real", edit, kind),
        role=sweep.other_role,
        sentence=(
            f"{what}: {percent(split.real, level)} of the variance of scores over locations (one seed, "
            f"{sweep.n_questions}) is of the locations themselves; the rest is noise of seeds and {unit}s."
        ),
        assumption=f"crossed random effects near normal; generalised intervals (Weerahandi 1993){alike}",
        n=n,
        estimate=split.real.value,
        low=split.real.low,
        high=split.real.high,
        unit="share",
        effect="share of the variance of scores that is location",
    )
    seed = split.shares["seed"]
    yield Statement(
        topic=NOISE,
        key=slug("variance", edit, kind),
        role=sweep.other_role,
        sentence=f"{what}: the variance of {single} splits into {words}.",
        assumption=f"crossed random effects near normal; what is negative counts as 0{alike}",
        n=n,
        **numbers(seed),
        unit="share",
        effect="share of the variance of answers that is the seed's",
    )
