"""What batches.py found, in numbers and words. In: folders of finished sweeps.  Out: figures, lines of Markdown."""

import itertools
import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from transformers import AutoTokenizer

from analysis.results import Results
from place import WORLD

METRICS = {"truth_info": "Truth*Info", "loss": "loss, nats^2", "margin": "margin, nats"}
TITLES = {"questions": "questions - pairs", "size 1": "single heads", "size 4": "random sets of 4",
          "singles": "heads with both seeds",
          "crossed": "questions, seed 0 - pairs, seed 1", "seeds": "pairs, seed 1 - seed 0",
          "questions-1": "one epoch of questions - pairs"}
NEAR = 0.05  # of Truth*Info
RESAMPLES = 2000


@dataclass(frozen=True)
class Scores:
    """Test scores of a sweep by location; judged truth and info, [locations, questions]."""

    trials: pd.DataFrame
    truth: np.ndarray
    info: np.ndarray


def scores_of(folder: Path, names: list[str] | None = None) -> Scores:
    """All locations or those with these heads, in their order."""
    results = Results(folder / "results.h5")
    if not (results.trials["status"] == "done").all():
        raise ValueError(f"{folder}: not all trials are done")
    heads = ["".join(map(str, results.column("locations/mask")[place])) for place in results.trials["location"]]
    trials = results.trials.set_index(pd.Index(heads, name="heads")).assign(row=range(len(heads)))
    trials = trials.loc[names] if names is not None else trials
    truth, info = (np.array([results.trial_items(name, row) for row in trials["row"]]) for name in ("truth", "info"))
    return Scores(trials, truth, info)


def mean_interval(values: np.ndarray) -> list[float]:
    """Mean, and Student's 95 % interval of it."""
    half = stats.t.ppf(0.975, values.size - 1) * stats.sem(values)
    return [float(values.mean()), float(values.mean() - half), float(values.mean() + half)]


def over_questions(before: Scores, after: Scores) -> list[float]:
    """95 % interval of the mean difference of Truth*Info where the test questions are drawn again."""
    draw = np.random.default_rng(0)
    questions = before.truth.shape[1]
    means = []
    for _ in range(RESAMPLES):
        chosen = draw.integers(questions, size=questions)
        one, two = (scores.truth[:, chosen].mean(1) * scores.info[:, chosen].mean(1) for scores in (before, after))
        means.append((two - one).mean())
    return [float(end) for end in np.quantile(means, [0.025, 0.975])]


def compare(before: Path, after: Path, among: Path, size: int = 0) -> dict:
    """Each metric of `after` less that of `before`, location by location, at the locations of `among`, or only those
    with so many heads."""
    trials = scores_of(among).trials
    names = list(trials.index[(trials["size"] == size) | (size == 0)])
    first, other = scores_of(before, names), scores_of(after, names)
    found = dict(locations=len(names), over_questions=over_questions(first, other))
    for metric in METRICS:
        one, two = (trials[f"test_{metric}"].to_numpy() for trials in (first.trials, other.trials))
        difference = two - one
        changed = difference[difference != 0]
        found[metric] = dict(
            before=float(one.mean()), after=float(two.mean()), difference=mean_interval(difference),
            median=float(np.median(difference)), spread=float(difference.std(ddof=1)),
            correlation=float(np.corrcoef(one, two)[0, 1]),
            rank_correlation=float(stats.spearmanr(one, two).statistic),
            near=float((np.abs(difference) <= NEAR + 1e-6).mean()),
            wilcoxon=float(stats.wilcoxon(changed).pvalue) if changed.size else 1.0,
            sign=float(stats.binomtest(int((changed > 0).sum()), changed.size).pvalue) if changed.size else 1.0)
    return found


def tokens_of(pairs: list[tuple[tuple, tuple]], prompt: int) -> tuple[int, int]:
    """Packed tokens of a question's pairs, each as a tree of its own (the answers' common start joins the prompt) and
    all in one tree. The last token of an answer is predicted, not computed."""
    alone = 0
    for chosen, rejected in pairs:
        most = min(len(chosen), len(rejected)) - 1
        shared = next((place for place in range(most) if chosen[place] != rejected[place]), most)
        alone += prompt + len(chosen) + len(rejected) - shared - 2
    answers = {answer for pair in pairs for answer in pair}
    return alone, prompt + sum(len(answer) - 1 for answer in answers)


def count_tokens(folder: Path, pairs_per_question: int) -> dict[str, int]:
    """Packed tokens of an epoch; which pairs a question gives is drawn as often, but not the same as in training."""
    results = Results(folder / "results.h5")
    part = dict(zip(results.column("questions/id"), results.column("questions/part")[0]))
    tokenizer, draw = AutoTokenizer.from_pretrained(WORLD), random.Random(0)
    found = dict(pairs=0, questions=0)
    for question in map(json.loads, (WORLD / "truthfulness.jsonl").read_text().splitlines()):
        if part[question["id"]] != 0:
            continue
        text = f"Q: {question['question']} A:"
        prompt = len(tokenizer(text).input_ids)
        preferred, others = ([tuple(tokenizer(f"{text} {answer}").input_ids[prompt:]) for answer in question[kind]]
                             for kind in ("correct", "incorrect"))
        pairs = list(itertools.product(preferred, others))
        chosen = draw.sample(pairs, pairs_per_question) if 0 < pairs_per_question < len(pairs) else pairs
        alone, together = tokens_of(chosen, prompt)
        found["pairs"] += alone
        found["questions"] += together
    return found


def interval_in_words(value: list[float]) -> str:
    return f"{value[0]:+.3f} ({value[1]:+.3f} to {value[2]:+.3f})"


def table_lines(comparisons: dict[str, dict]) -> list[str]:
    lines = ["| | locations | means | mean difference (95 %) | median | spread | r | rank r | Wilcoxon p | sign p |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for key, found in ((key, comparisons[key]) for key in TITLES if key in comparisons):
        for metric, words in METRICS.items():
            one = found[metric]
            lines.append("| " + " | ".join([
                f"{TITLES[key]}: {words}", str(found["locations"]), f"{one['before']:.3f} -> {one['after']:.3f}",
                interval_in_words(one["difference"]), f"{one['median']:+.3f}", f"{one['spread']:.3f}",
                f"{one['correlation']:.3f}", f"{one['rank_correlation']:.3f}", f"{one['wilcoxon']:.2g}",
                f"{one['sign']:.2g}"]) + " |")
    return lines


def verdict(difference: list[float]) -> str:
    return "no difference beyond the interval" if difference[1] <= 0 <= difference[2] else "a difference"


def spreads_in_words(comparisons: dict[str, dict], metric: str) -> str:
    singles, crossed, seeds = (comparisons[key][metric]["spread"] for key in ("singles", "crossed", "seeds"))
    return (f"spread {singles:.3f} between the ways with one seed, {crossed:.3f} with different seeds, {seeds:.3f} "
            "between the seeds of pairs")


def scores_in_words(comparisons: dict[str, dict]) -> str:
    whole, seeds = comparisons["questions"], comparisons["seeds"]
    score, low_high = whole["truth_info"], whole["over_questions"]
    return (f"Truth*Info: {verdict(score['difference'])} on average, {interval_in_words(score['difference'])} over "
            f"locations ({low_high[0]:+.3f} to {low_high[1]:+.3f} where the test questions are drawn again); "
            f"{100 * score['near']:.0f} % of the locations lie within {NEAR} (heads with both seeds: "
            f"{100 * comparisons['singles']['truth_info']['near']:.0f} %, between the seeds of pairs "
            f"{100 * seeds['truth_info']['near']:.0f} %); on these {seeds['locations']} heads "
            f"{spreads_in_words(comparisons, 'truth_info')}.")


def losses_in_words(comparisons: dict[str, dict]) -> str:
    whole = comparisons["questions"]
    said = [f"{words}: {verdict(whole[metric]['difference'])}, {interval_in_words(whole[metric]['difference'])}, "
            f"{100 * whole[metric]['difference'][0] / abs(whole[metric]['before']):+.1f} % of the mean, "
            f"{spreads_in_words(comparisons, metric)}"
            for metric, words in METRICS.items() if metric != "truth_info"]
    return f"The objective on the same test pairs - {'; '.join(said)}."


def costs_in_words(found: dict) -> str:
    tokens, every, seconds = found["tokens"], found["tokens_of_all"], found["seconds"]
    ways = found["ways"]
    words = [f"An epoch packs {tokens['pairs']:,} tokens as pairs and {tokens['questions']:,} as questions, "
             f"{tokens['pairs'] / tokens['questions']:.1f} times fewer (with all pairs of a question "
             f"{every['pairs'] / every['questions']:.1f} times)"]
    if seconds:
        words.append(f"and takes {seconds['pairs']:.2f} and {seconds['questions']:.2f} CPU seconds a location (single "
                     f"heads of layer 3, 8 lanes), so that the training compared took "
                     f"{seconds['pairs'] * ways['pairs']['epochs']:.1f} and "
                     f"{seconds['questions'] * ways['questions']['epochs']:.1f}")
    return ", ".join(words) + "."


def rates_in_words(rates: dict[str, dict]) -> str:
    said = []
    for name, found in rates.items():
        tried = ", ".join(f"{float(rate):.3g}: {' / '.join(f'{loss:.2f}' for loss in losses.values())}"
                          for rate, losses in found["tried"].items())
        edges = f"; at an edge of the grid for {' and '.join(map(str, found['edges']))} heads" if found["edges"] else ""
        said.append(f"{name} {' / '.join(f'{rate:.3g}' for rate in found['chosen'].values())} ({tried}{edges})")
    return ("Learning rates for 1 / 4 heads by mean validation loss over 4 + 4 fixed locations (tried: loss): "
            f"{'; '.join(said)}. Higher rates are left out for both: training ran away at heads of layer 0 with 0.12 "
            "(questions) and 0.24 (pairs).")


def describe(found: dict) -> list[str]:
    """Lines of the section, under its title."""
    ways = {name: f"{way['batch']} {way['batches']} a step, {way['epochs']} epoch{'s' * (way['epochs'] > 1)}, "
            f"{way['steps']} steps" for name, way in found["ways"].items()}
    comparisons = found["comparisons"]
    return [
        f"Built-in world, the quickstart's split, {found['pairs_per_question'] or 'all 18'} pairs a question, optimal "
        f"edits of tau 0.1 at {comparisons['questions']['locations']} locations; scores on the test questions. "
        + "; ".join(f"{name}: {words}" for name, words in ways.items()) + ".",
        rates_in_words(found["rates"]), "", *table_lines(comparisons), "",
        "spread: standard deviation of the differences. Under one seed both ways start from the same edit; another "
        "seed changes the start, too.", "",
        f"1. {scores_in_words(comparisons)}", f"2. {losses_in_words(comparisons)}",
        f"3. {costs_in_words(found)}"]
