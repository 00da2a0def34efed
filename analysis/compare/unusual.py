"""Is the claimed set unusual among random ones, and the paper's own test of it. In: comparisons. Out: statements."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import stats as scipy_stats

from .. import stats
from ..scores import edit_name
from ..statement import PAPER, UNUSUAL, Statement, count, join, numbers, ordinal, p_text, slug, span
from ..stats.multiple import bonferroni
from ..sweep import Sweep
from .claimed import Comparison

EXCHANGEABLE = "under the null hypothesis the claimed set is one more random draw; one-sided, ties count against it"
STOP_AT = 10  # a sequential test ends at so many draws that reach the claimed set


def state_unusual(sweep: Sweep, comparisons: Sequence[Comparison]) -> Iterator[Statement]:
    """The rank of each claimed set, by the job's score, by `both`, and by the paper's convention; overlap and draws."""
    for each in comparisons:
        yield _rank(sweep, each)
        if each.both is not None:
            yield _rank_of_both(sweep, each, each.both)
        if each.best_on_test is not None:
            yield _rank_on_test(sweep, each, each.best_on_test)
        yield _overlap(sweep, each)
        yield _draws(sweep, each)


def state_paper_test(sweep: Sweep, comparisons: Sequence[Comparison]) -> Iterator[Statement]:
    """The t-test of arXiv 2502.11447 beside the rank p, for the same data."""
    for each in comparisons:
        if len(each.draws) < 2:
            continue
        mean = each.draws.mean()
        test = scipy_stats.ttest_1samp(each.draws - each.score.value, 0.0)
        low, high = test.confidence_interval(sweep.settings.confidence)
        yield Statement(
            topic=PAPER,
            key=slug("t-test", each.edit, each.claimed, each.random),
            role="exploratory",
            sentence=(
                f"{each.label}: the paper's t-test gives {_small_p(each.mean_p)}, the rank gives "
                f"{p_text(each.rank.p_value)} for the same {sweep.settings.score_name}: {each.score.value:.3f} of the "
                f"claimed set, {mean:.3f} on average over {count(len(each.draws), 'random set')} (sd "
                f"{each.draws.std():.3f}). The t-test asks whether the mean of random sets differs from the claimed "
                "score, taken as known without error; its p shrinks with the number of draws, however many of them "
                "beat the claimed set. The rank asks whether the claimed set is unusual."
            ),
            assumption="two-sided one-sample t-test: normal draws, the claimed score a constant",
            n=f"{count(len(each.draws), 'draw')}, {sweep.n_questions}",
            estimate=float(mean - each.score.value),
            low=float(low),
            high=float(high),
            unit=sweep.settings.score_name,
            effect="random mean minus claimed score",
            p_value=max(each.mean_p, np.finfo(float).tiny),
        )


def match_words(each: Comparison) -> str:
    """How the random sets are matched."""
    return "as many heads in each layer" if each.matched else "as many heads, any layers"


def looks_words(each: Comparison) -> str:
    """How often p counts, where the sweep was extended after a look."""
    more = each.looks - 1
    return f"; the sweep was extended {_times(more)} after results could be looked at: p counts {_times(each.looks)}" if more else ""


REDRAWN = (
    "random sets change their heads from fold to fold more than the claimed set, so their means over folds vary less, and p "
    "may be too small"
)


def _rank(sweep: Sweep, each: Comparison) -> Statement:
    rank, verb = each.rank, "reaches" if each.rank.at_least == 1 else "reach"
    sentence = (
        f"{edit_name(each.edit)}: {each.claimed} reaches {sweep.settings.score_name} "
        f"{span(each.score, sweep.settings.confidence)}; {rank.at_least} of {count(rank.draws, 'random set')} "
        f"({each.random}, {match_words(each)}) {verb} as much. It is at the {ordinal(round(each.percentile))} "
        f"percentile of random sets, {p_text(each.counted(rank.p_value))} (smallest possible {each.counted(rank.smallest_p):.2g})"
        f"{_jointly(each)}{looks_words(each)}{_caveats(each)}."
    )
    layers = "" if each.matched else "; layers are not matched, so they may explain the rank"
    return _of_rank(sweep, each, "rank", each.role, sentence, EXCHANGEABLE + layers, rank, each.looks)


def _jointly(each: Comparison) -> str:
    text = "; jointly with the share of answers both true and informative"
    return f"{text} {p_text(each.counted(each.joint_p))}, the larger of the two" if each.both else ""


def _caveats(each: Comparison) -> str:
    text = f"; {REDRAWN}" if each.redrawn else ""
    if not each.all_strengths:
        text += f"; chosen from strength {join(f'{strength:g}' for strength in each.strengths)} only"
    if each.left_out:
        text += f"; {count(each.left_out, 'unfinished random set')} left out, p = {each.cautious_p:.2g} at worst"
        text += f" (jointly {each.cautious_joint_p:.2g})" if each.both else ""
    seeds = [sorted(rows["seed"].unique()) for rows in (each.of_claimed, each.of_random)]
    if seeds[0] != seeds[1]:
        text += f"; unequal seeds: {join(seeds[0])} of the claimed set, {join(seeds[1])} of the random ones"
    return text


def _rank_of_both(sweep: Sweep, each: Comparison, rank: stats.RankTest) -> Statement:
    sentence = (
        f"{each.label}: by the share of answers both true and informative, {rank.at_least} of "
        f"{count(rank.draws, 'random set')} reach the claimed one: {p_text(each.counted(rank.p_value))}"
        f"{looks_words(each)}."
    )
    role = "co-primary" if each.role == "primary" else each.role
    assumption = f"{EXCHANGEABLE}; the same trials as for Truth*Info"
    return _of_rank(sweep, each, "both", role, sentence, assumption, rank, each.looks)


def _rank_on_test(sweep: Sweep, each: Comparison, rank: stats.RankTest) -> Statement:
    sentence = (
        f"{each.label}, by the paper's own convention (each location at its best strength on test questions, which "
        f"flatters all of them): {rank.at_least} of {count(rank.draws, 'random set')} reach the claimed one: "
        f"{p_text(rank.p_value)}."
    )
    assumption = f"{EXCHANGEABLE}; strengths are chosen on the questions that are reported"
    return _of_rank(sweep, each, "best-on-test", "exploratory", sentence, assumption, rank)


def _of_rank(
    sweep: Sweep, each: Comparison, key: str, role: str, sentence: str, assumption: str, rank: stats.RankTest, looks: int = 1
) -> Statement:
    share = stats.share_interval(rank.draws - rank.at_least, rank.draws, sweep.settings.confidence)
    return Statement(
        topic=UNUSUAL,
        key=slug(key, each.edit, each.claimed, each.random),
        role=role,
        sentence=sentence,
        assumption=assumption,
        n=f"{count(rank.draws, 'draw')}, {sweep.n_questions}",
        **numbers(share),
        unit="share",
        effect="share of random sets below the claimed one",
        p_value=bonferroni(rank.p_value, looks),
    )


def _overlap(sweep: Sweep, each: Comparison) -> Statement:
    apart = each.draws[each.shared == 0]
    text = (
        f"{each.label}: a random set shares {each.shared_heads:.1f} of its {count(each.size, 'head')} with the claimed "
        f"one on average, {each.shared.max():g} at most"
    )
    rank = stats.rank_test(each.score.value, apart) if 0 < len(apart) < len(each.draws) else None
    if rank is not None:
        text += f"; among the {rank.draws} that share none, {rank.at_least} reach it: {p_text(rank.p_value)}"
    return Statement(
        topic=UNUSUAL,
        key=slug("overlap", each.edit, each.claimed, each.random),
        role=sweep.other_role,
        sentence=text + ".",
        assumption="sets that share heads with the claimed one make the test harder to pass",
        n=count(len(each.draws), "random set"),
        estimate=each.shared_heads,
        low=float(each.shared.min()),
        high=float(each.shared.max()),
        unit="heads",
        effect="heads shared with the claimed set (least and most)",
        p_value=rank.p_value if rank else np.nan,
    )


def _draws(sweep: Sweep, each: Comparison) -> Statement:
    test = stats.besag_clifford(each.score.value, each.draws.to_numpy(), STOP_AT)
    ended = test.at_least == STOP_AT
    end = f"would have ended after {test.draws}: {p_text(test.p_value)}" if ended else "has not ended, and decides nothing"
    return Statement(
        topic=UNUSUAL,
        key=slug("draws", each.edit, each.claimed, each.random),
        role="exploratory",
        sentence=(
            f"{each.label}: {count(each.planned, 'draw')} planned, {len(each.draws)} finished. The rank p is valid if that "
            f"number was fixed before a look at the results, and counts once more for each look before draws were added; the "
            f"sweep was {_extended(sweep)}. A sequential test that stops at {STOP_AT} draws as good as the claimed set {end}."
        ),
        assumption="Besag and Clifford (1991): draws in their planned order, the stopping rule fixed in advance",
        n=count(test.draws, "draw"),
        estimate=float(test.draws),
        unit="draws",
        effect="draws that a sequential test takes",
        p_value=test.p_value if ended else np.nan,
    )


def _extended(sweep: Sweep) -> str:
    """How often, when, and what could be looked at before."""
    times = [
        f"on {row.utc[:10]}, when {row.trials_done} of {count(row.trials_before, 'trial')} were done"
        for row in sweep.results.extensions.itertuples()
    ]
    if not times:
        return "never extended"
    return f"extended {_times(len(times))}, {join(times)}"


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def _small_p(value: float) -> str:
    return p_text(max(value, np.finfo(float).tiny))
