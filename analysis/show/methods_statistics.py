"""The statistics of one report in words: every test and interval with its source. In: `Results`. Out: paragraphs.

What a sweep holds nothing for is left out: no single heads, no paragraph on them.
"""

from collections.abc import Iterator

from ..compare.heads import MAX_REPEATS
from ..compare.noise import LOCATIONS, SEEDS
from ..compare.unusual import STOP_AT
from ..results import Results
from ..scores import takes_part
from ..settings import Settings, read_settings
from ..stats import REPEATS, SCORES, count_groups
from ..stats.cost import LEAST_KL
from ..stats.power import POWER

SEED = 0  # the resamples' and permutations' own, whatever the job's seed
DESCRIPTIVE = (
    "Secondary and exploratory p-values are not adjusted for their number unless that is said beside them (Holm, "
    "Benjamini-Hochberg, max-statistic): they describe, and prove nothing on their own."
)


def statistics(results: Results) -> Iterator[str]:
    """One paragraph a question."""
    settings, trials = read_settings(results), results.trials[takes_part(results.trials)]
    kinds = set(trials["kind"])
    grouped = count_groups(results.test_groups) < results.test_groups.size
    yield _fixed(settings)
    if "random" in kinds and kinds & {"top", "list"}:
        yield _rank(settings)
    yield _intervals(settings, grouped)
    yield _pairs(grouped)
    yield _equivalence(settings)
    yield DESCRIPTIVE + _many("single" in kinds)
    if "single" in kinds:
        yield _correlation()
    if "random" in kinds and trials["validation_kl_text"].notna().any():
        yield _cost(settings)
    if settings.score in SCORES and "random" in kinds:
        yield _noise(trials["seed"].nunique() >= SEEDS)
    if (trials["steps"] > 0).any():
        yield _convergence(results, bool(results.trials["recheck"].any()))
    yield (
        "Power: of a paired difference by the noncentral t, of the rank by the binomial distribution, of equivalence by "
        f"Student's t; \"found\" means with a chance of {100 * POWER:.0f} %."
    )
    yield (
        f"Every bootstrap and permutation takes {REPEATS:,} resamples, unless said otherwise, drawn with seeds of the "
        f"analysis' own: {SEED}, and {SEED + 1} for draws of locations, so that the same results give the same numbers. "
        "Each statement of the report gives its assumption and its n."
    )


def _fixed(settings: Settings) -> str:
    primary = settings.primary
    text = (
        f"Fixed in the job before the run: score {settings.score_name}, level {settings.level:g}, margin of equivalence "
        f"{settings.margin:g}, caps of KL on running text {', '.join(f'{cap:g}' for cap in settings.caps)} nats per token. "
    )
    if primary.is_named:
        text += f"Primary test: {primary.claimed} among {primary.among} under {primary.edit} edits; all else is secondary. "
    else:
        text += "No primary test was named; all tests are exploratory. "
    return text + (
        "Strengths are chosen per location on validation questions, from strengths that were finished at every location "
        "compared; of equal scores the smallest."
    )


def _rank(settings: Settings) -> str:
    return (
        "Is the claimed set unusual? Rank p = (b + 1) / (m + 1), with b of m random locations at least as good as the "
        f"claimed one (one-sided, ties count against it; Phipson and Smyth, arXiv 1603.05766). {_joint_rule(settings)}At "
        "worst means that all draws that are not finished reached the claimed set; that p counts once a look where a "
        "sweep was extended with results known (Bonferroni). When a sequential test (Besag and Clifford 1991) would have "
        f"ended: at {STOP_AT} draws that reach the claimed set. Beside them the t-test of arXiv 2502.11447, of the draws' "
        "mean against the claimed score as a constant."
    )


def _joint_rule(settings: Settings) -> str:
    if settings.score != "truth_info":
        return ""
    return (
        "The share of answers both true and informative is co-primary with Truth*Info: a set is called unusual only if "
        f"the rank p of both is at most {settings.level:g}, draws that are not finished counted against it. Each test is "
        "at that level without correction, and the joint p is the larger one (intersection-union test; Berger 1982). "
    )


def _intervals(settings: Settings, grouped: bool) -> str:
    groups, units = (", whole groups at a time", "groups") if grouped else ("", "questions")
    return (
        f"Intervals are {100 * settings.confidence:g} % percentile bootstrap intervals over test questions{groups}, "
        "stretched to Student's t (Hesterberg 2015, arXiv 1411.5279) and cut where no share can be, unless said "
        f"otherwise; locations of a mean are then taken as given. Claimed minus mean of random sets: {units} and, "
        "independently, draws are resampled (the pigeonhole bootstrap, Owen 2007), stretched to Student's t with degrees "
        "of freedom by Satterthwaite; the claimed set is taken as given. Shares of locations or trials: exact binomial "
        "intervals (Clopper and Pearson 1934). Truth*Info is a product of means; seeds are averaged."
    )


def _pairs(grouped: bool) -> str:
    unit = "group of questions" if grouped else "question"
    return (
        f"Differences of two locations on the same questions: sign flip, in which the two change places within a {unit} at "
        f"random ({REPEATS:,} swaps, two-sided); the statistic is the difference over its clustered standard error (Miller "
        "2024, arXiv 2411.00640), recomputed each time (Janssen 1997)."
    )


def _equivalence(settings: Settings) -> str:
    return (
        f"Equivalence within {settings.margin:g}: two one-sided tests (TOST; Schuirmann 1987); non-inferiority is the "
        "lower one alone. For the mean of random sets p is the share of the resamples of questions and draws beyond the "
        "margin, (1 + b) / (1 + R); draws that are not finished count at their worst. For single locations a score test "
        "on paired questions, with the error that the null hypothesis implies (Tango 1998), times the design effect of "
        "groups if that is above 1, by Student's t."
    )


def _many(single_heads: bool) -> str:
    text = (
        " Of many locations against one reference: Holm (1979) certifies, Benjamini and Hochberg (1995) draw the map; "
        "both adjust the p-values of these one-sided tests."
    )
    if single_heads:
        text += (
            " Whether some head is special: max-statistic (Westfall and Young 1993), the best of all heads against the "
            f"best after the answers to each question are shifted over the heads at random ({MAX_REPEATS} shifts)."
        )
    return text


def _correlation() -> str:
    return (
        "Localiser and edit: Spearman's rank correlation over heads, its interval by Fisher's z with the error of a "
        "jackknife and Student's t. The jackknife leaves out a layer, and a question (or its group), variances added; of "
        "fewer units, where that cannot be done, as is then said. Given the layer: each layer's mean rank taken away, a "
        f"layer left out; p by {REPEATS:,} permutations of edited scores within layers. Agreement of seeds: mean rank "
        "correlation over pairs of seeds, a head left out."
    )


def _cost(settings: Settings) -> str:
    caps = ", ".join(f"{cap:g}" for cap in settings.caps)
    return (
        f"At the same cost: under each cap ({caps} nats per token) every location is taken at its strongest edit (smallest "
        "tau, largest alpha) whose KL on validation running text is at most the cap; one that has none counts as the "
        "unedited model. Rank p and difference are then as above. Area: mean score over log KL, by the trapezoid rule "
        f"from the unedited model at {LEAST_KL:g} nats per token, over the same span for all."
    )


def _noise(split: bool) -> str:
    text = (
        "Kinds of locations: Welch's t-test of location means of answers true and informative, which is what a mixed "
        "model with locations and questions as random effects gives for balanced data."
    )
    if split:
        text += (
            f" Variance split, where {SEEDS} seeds or more were trained at {LOCATIONS} locations or more: crossed random "
            "effects by mean squares (Searle, Casella and McCulloch 1992, chapter 4), generalised intervals (Weerahandi "
            "1993)."
        )
    return text


def _convergence(results: Results, rechecked: bool) -> str:
    share = (results.job.get("training") or {}).get("converged_slope", "the job's converged_slope")
    text = (
        "An edit has converged if its loss, by a straight line through the last tenth of its steps, changes there by at "
        f"most {share} of the loss of no edit, 1 / (2 tau)^2."
    )
    again = " Rechecks with twice the epochs, at the chosen strengths: t-test of the mean change over locations."
    return text + again * rechecked
