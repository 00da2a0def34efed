"""Time per trial against the number of lanes: what lanes.cpp says of training and evaluation, drawn."""

import json

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from place import BENCH, Place, run

TITLE = "Lanes"
LAYER, STEPS = 4, 108  # of the built-in model; steps of the quickstart's training
FIGURE = BENCH / "lanes.png"


def measure(place: Place) -> dict:
    """CPU seconds of a lane by lanes: a step of training, an evaluation."""
    counts = "(1|8)" if place.quick else "[0-9]+"
    taken = run(place.bench("lanes"), f"--benchmark_filter=(train/layer:{LAYER}|measure)/K:{counts}$",
                "--benchmark_format=json", "--benchmark_min_time=0.05")
    seconds: dict[str, dict[int, float]] = dict(train={}, measure={})
    for one in json.loads(taken.out)["benchmarks"]:
        seconds[one["name"].split("/")[0]][int(one["name"].split(":")[-1])] = 1 / one["items_per_second"]
    found = [dict(lanes=lanes, train=STEPS * seconds["train"][lanes], evaluation=seconds["measure"][lanes])
             for lanes in sorted(seconds["train"])]
    if not place.quick:
        draw(found)
    return dict(trials=found, drawn=not place.quick)


def draw(found: list[dict]) -> None:
    figure, axes = plt.subplots(figsize=(6.4, 3.6))
    places = range(len(found))
    training, evaluation = ([one[part] for one in found] for part in ("train", "evaluation"))
    axes.bar(places, training, label=f"training, {STEPS} steps", color="#31688e")
    axes.bar(places, evaluation, bottom=training, label="evaluation", color="#90d743")
    axes.set_xticks(places, [one["lanes"] for one in found])
    axes.set_xlabel("lanes")
    axes.set_ylabel("CPU seconds a trial")
    axes.set_title(f"Built-in model, one head of layer {LAYER}, one core")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(FIGURE, dpi=120, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


def describe(found: dict) -> list[str]:
    trials = found["trials"]
    alone = trials[0]["train"] + trials[0]["evaluation"]
    gains = [alone / (one["train"] + one["evaluation"]) for one in trials]
    lines = [f"CPU seconds a trial (one head of layer {LAYER} of the built-in model; training of {STEPS} steps, "
             "evaluation as in the quickstart but for running text):", "",
             "| lanes | " + " | ".join(str(one["lanes"]) for one in trials) + " |", "| --- |" + " --- |" * len(trials),
             "| training | " + " | ".join(f"{one['train']:.2f}" for one in trials) + " |",
             "| evaluation | " + " | ".join(f"{one['evaluation']:.2f}" for one in trials) + " |",
             "| times one lane | " + " | ".join(f"{gain:.2f}" for gain in gains) + " |"]
    if found["drawn"]:
        lines += ["", f"![CPU seconds a trial against the number of lanes]({FIGURE.name})"]
    return lines
