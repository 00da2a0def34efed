"""Two ways of training compared location by location, on test questions. In: results of two sweeps with the same
locations and seeds.  Out: figures, lines of Markdown."""

import itertools
import json
import random

import numpy as np
import pandas as pd
from analysis.results import Results
from place import WORLD
from scipy import stats
from transformers import AutoTokenizer

METRICS = {"truth_info": "Truth*Info", "loss": "loss, nats^2", "margin": "margin, nats"}
GROUPS = {"all": "all locations", "1": "single heads", "4": "random sets of 4"}


def scores_of(results: Results) -> pd.DataFrame:
    """One row a trial: heads, size, seed, and the metrics."""
    if not (results.trials["status"] == "done").all():
        raise ValueError(f"{results.path}: not all trials are done")
    masks = results.column("locations/mask")
    heads = ["".join(map(str, masks[place])) for place in results.trials["location"]]
    return results.trials[["size", "seed", *(f"test_{metric}" for metric in METRICS)]].assign(heads=heads)


def by_seed(scores: pd.DataFrame, metric: str, size: str) -> pd.DataFrame:
    """A column a seed, a row a location."""
    chosen = scores if size == "all" else scores[scores["size"] == int(size)]
    return chosen.pivot(index="heads", columns="seed", values=f"test_{metric}").sort_index()


def compare(one: np.ndarray, other: np.ndarray) -> dict:
    """other - one, location by location; Student's 95 % interval of the mean."""
    difference = other - one
    half = stats.t.ppf(0.975, difference.size - 1) * stats.sem(difference)
    return dict(
        locations=difference.size, one=float(one.mean()), other=float(other.mean()), mean=float(difference.mean()),
        low=float(difference.mean() - half), high=float(difference.mean() + half), spread=float(difference.std(ddof=1)),
        rank=float(stats.spearmanr(one, other).statistic),
        wilcoxon=float(stats.wilcoxon(difference).pvalue) if difference.any() else 1.0)


def compare_all(pairs: pd.DataFrame, questions: pd.DataFrame) -> list[dict]:
    """Between the ways (means over the seeds; one seed; different seeds), and between the seeds of each."""
    found = []
    for size, metric in itertools.product(GROUPS, METRICS):
        first, second = by_seed(pairs, metric, size), by_seed(questions, metric, size)
        if not first.index.equals(second.index):
            raise ValueError("the two sweeps have different locations")
        seed, other = first.columns
        sides = {"questions - pairs, mean of the seeds": (first.mean(axis=1), second.mean(axis=1)),
                 "questions - pairs, one seed": (first[seed], second[seed]),
                 "questions - pairs, different seeds": (first[other], second[seed]),
                 "pairs, seed 1 - seed 0": (first[seed], first[other]),
                 "questions, seed 1 - seed 0": (second[seed], second[other])}
        found += [dict(size=size, metric=metric, sides=name, **compare(one.to_numpy(), two.to_numpy()))
                  for name, (one, two) in sides.items()]
    return found


def table_lines(compared: list[dict]) -> list[str]:
    lines = ["| | | | locations | means | mean difference (95 %) | spread | rank r | Wilcoxon p |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for one in compared:
        lines.append("| " + " | ".join([
            GROUPS[one["size"]], METRICS[one["metric"]], one["sides"], str(one["locations"]),
            f"{one['one']:.3f} -> {one['other']:.3f}",
            f"{one['mean']:+.3f} ({one['low']:+.3f} to {one['high']:+.3f})", f"{one['spread']:.3f}",
            f"{one['rank']:.3f}", f"{one['wilcoxon']:.2g}"]) + " |")
    return lines + ["", "spread: standard deviation of the differences over locations; rank r: Spearman."]


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


def count_tokens(results: Results, pairs_per_question: int) -> dict[str, int]:
    """Packed tokens of an epoch; which pairs a question gives is drawn as often, but not the same as in training."""
    part = dict(zip(results.column("questions/id"), results.column("questions/part")[0]))
    tokenizer, draw, found = AutoTokenizer.from_pretrained(WORLD), random.Random(0), dict(pairs=0, questions=0)
    for question in map(json.loads, (WORLD / "truthfulness.jsonl").read_text().splitlines()):
        if part[question["id"]] != 0:
            continue
        text = f"Q: {question['question']} A:"
        prompt = len(tokenizer(text).input_ids)
        preferred, others = ([tuple(tokenizer(f"{text} {answer}").input_ids[prompt:]) for answer in question[kind]]
                             for kind in ("correct", "incorrect"))
        pairs = list(itertools.product(preferred, others))
        alone, together = tokens_of(draw.sample(pairs, min(pairs_per_question, len(pairs))), prompt)
        found["pairs"] += alone
        found["questions"] += together
    return found
