"""The conclusion in one or two sentences. In: a `Sweep`, its comparisons, what could not be compared. Out: text."""

from collections.abc import Sequence

from .compare.claimed import Comparison, MeanEquivalence
from .compare.power import is_too_small
from .compare.unusual import REDRAWN, looks_words, match_words
from .scores import edit_name, training_seeds
from .statement import count, ordinal, p_text, span
from .sweep import Sweep


def make_verdict(sweep: Sweep, comparisons: Sequence[Comparison], problems: Sequence[str]) -> str:
    """From the primary test; without one, from the first comparison, layer-matched if there is any, as exploratory."""
    primary = sweep.settings.primary
    lead, partial = "", _partial(sweep)
    tested = next((each for each in comparisons if each.role == "primary"), None)
    if tested is None and primary.is_named:
        return partial + _not_made(sweep, problems)
    if tested is None:
        lead = "No primary test was named before the run, so this is exploratory. "
        tested = next((each for each in comparisons if each.matched), next(iter(comparisons), None))
    if tested is None:
        return partial + lead + "No claimed set is compared with random sets" + _because(problems)
    return partial + lead + _conclusion(sweep, tested)


def _partial(sweep: Sweep) -> str:
    trials = sweep.all_trials
    lost = int((trials["status"] != "done").sum())
    return f"The sweep is partial: {lost} of {count(len(trials), 'trial')} failed or have no outcome. " if lost else ""


def _not_made(sweep: Sweep, problems: Sequence[str]) -> str:
    primary = sweep.settings.primary
    test = f"{primary.edit}: {primary.claimed} among {primary.among}"
    about = [each for each in problems if each.startswith(f"{edit_name(primary.edit)}: {primary.claimed} ")]
    return f"The primary test that the job names ({test}) could not be made" + _because(about)


def _because(problems: Sequence[str]) -> str:
    return f": {'; '.join(problems)}." if problems else ": the results hold no such sets."


def _conclusion(sweep: Sweep, each: Comparison) -> str:
    settings, rank = sweep.settings, each.rank
    found = each.cautious_joint_p <= settings.level
    what = "is unusual" if found else "is not shown to be unusual"
    text = (
        f"{edit_name(each.edit)}: {each.claimed} {what} among {count(rank.draws, 'random set')} ({match_words(each)}): "
        f"{settings.score_name} {span(each.score, settings.confidence)}, {ordinal(round(each.percentile))} percentile, "
        f"{p_text(each.counted(rank.p_value))} (smallest possible {each.counted(rank.smallest_p):.2g})"
    )
    if each.left_out:
        text += f", {each.cautious_p:.2g} at worst with {count(each.left_out, 'unfinished draw')}"
    text += looks_words(each) + ". " + _both(sweep, each) + _equivalence(sweep, each.equivalence)
    if is_too_small(sweep, each):
        text += " With so few draws the test cannot find anything at its level: the sweep was too small to tell."
    elif not found:
        text += _neither(sweep, each)
    text += _unconverged(each)
    if each.redrawn:
        text += f" But {REDRAWN}."
    if not each.matched:
        text += " The random sets are not matched in layers, so layers may explain the rank."
    if training_seeds(each.of_claimed) == 1:
        text += " One seed of training: what another would change is in no interval."
    return text


def _both(sweep: Sweep, each: Comparison) -> str:
    """The co-primary test, beside the primary one; a word about it where the two disagree."""
    if each.both is None:
        return ""
    text, level = f"By the share of answers both true and informative {p_text(each.counted(each.both.p_value))}", sweep.settings.level
    passed = [p_value <= level for p_value in (each.cautious_p, each.counted(each.both.at_worst(each.planned)))]
    if passed[0] != passed[1]:
        text += f", so the two disagree: unusual is what passes both at {level:g}, jointly p = {each.cautious_joint_p:.2g}"
        text += " at worst" * bool(each.left_out)
    return text + ". "


def _unconverged(each: Comparison) -> str:
    """How many of the edits behind the test had not converged."""
    trained = each.trials[each.trials["steps"] > 0]
    lost = int((~trained["converged"].astype(bool)).sum())
    claimed = trained.loc[trained["set"] == each.claimed, "converged"].astype(bool)
    which = "" if claimed.all() else ", the claimed set's among them"
    return f" {lost} of {count(len(trained), 'edit')} had not converged{which}." if lost else ""


def _equivalence(sweep: Sweep, mean: MeanEquivalence | None) -> str:
    """What is known of random sets on average."""
    if mean is None:
        return "Equivalence is not tested: it needs two random sets with all answers, to questions of two groups or more."
    margin = sweep.settings.margin
    text = f"Mean of random sets minus claimed: {span(mean.difference, sweep.settings.confidence, signed=True)}, "
    if mean.test.equivalent:
        return text + f"equivalent within {margin:g} ({p_text(mean.test.p_value)}{mean.caveat})."
    if mean.test.not_worse:
        return text + f"not worse by {margin:g} or more ({p_text(mean.test.p_lower)}{mean.caveat})."
    if mean.difference.high < -margin and mean.draws == mean.planned:
        return text + f"beyond the margin of {margin:g}."
    return text + f"not shown to be equivalent within {margin:g} ({p_text(mean.test.p_value)}{mean.caveat})."


def _neither(sweep: Sweep, each: Comparison) -> str:
    """A claimed set that is not shown to be unusual is not thereby shown to be like the others."""
    mean = each.equivalence
    if mean is None or mean.test.not_worse:
        return ""
    if mean.difference.high < 0.0:
        if each.cautious_p <= sweep.settings.level:
            return " So random sets do less on average."
        verb = "does" if each.rank.at_least == 1 else "do"
        return f" So random sets do less on average, though {each.rank.at_least} of {each.rank.draws} {verb} as much."
    return (
        " Neither is shown: that the claimed set is unusual, or that random sets are as good; the sweep was too small "
        "to tell."
    )
