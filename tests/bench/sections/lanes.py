"""Time per trial against the number of lanes and the first layer: what lanes.cpp says of training and evaluation."""

import json

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from place import BENCH, Place, run

TITLE = "Lanes"
LAYERS, LAYER = (0, 4, 7), 4  # of the built-in model's 8; the one whose lanes are counted
STEPS, USUAL = 108, 8  # of the quickstart's training; lanes
FIGURE = BENCH / "lanes.png"


def time_lanes(place: Place, filter_words: str) -> dict[tuple[str, int, int], float]:
    """CPU seconds of a lane by (train or measure, first layer, lanes): all steps of training, an evaluation."""
    taken = run(place.bench("lanes"), f"--benchmark_filter={filter_words}", "--benchmark_format=json",
                "--benchmark_min_time=0.05")
    found = {}
    for one in json.loads(taken.out)["benchmarks"]:
        what, layer, lanes = one["name"].split("/")
        times = STEPS if what == "train" else 1
        found[what, int(layer.split(":")[1]), int(lanes.split(":")[1])] = times / one["items_per_second"]
    return found


def measure(place: Place) -> dict:
    counts = "(1|8)" if place.quick else "[0-9]+"
    seconds = time_lanes(place, f"layer:{LAYER}/K:{counts}$")
    seconds |= time_lanes(place, f"layer:({'|'.join(str(layer) for layer in LAYERS if layer != LAYER)})/K:{USUAL}$")
    found = [dict(lanes=lanes, train=seconds["train", LAYER, lanes], evaluation=seconds["measure", LAYER, lanes])
             for what, layer, lanes in sorted(seconds) if what == "train" and layer == LAYER]
    by_layer = [dict(layer=layer, train=seconds["train", layer, USUAL], evaluation=seconds["measure", layer, USUAL])
                for layer in LAYERS]
    if not place.quick:
        draw(found)
    return dict(trials=found, by_layer=by_layer, drawn=not place.quick)


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
             "evaluation as in the quickstart but for running text and the loss of pairs):", "",
             "| lanes | " + " | ".join(str(one["lanes"]) for one in trials) + " |", "| --- |" + " --- |" * len(trials),
             "| training | " + " | ".join(f"{one['train']:.2f}" for one in trials) + " |",
             "| evaluation | " + " | ".join(f"{one['evaluation']:.2f}" for one in trials) + " |",
             "| times one lane | " + " | ".join(f"{gain:.2f}" for gain in gains) + " |"]
    shares = [f"{one['layer']}: {one['train']:.2f} + {one['evaluation']:.2f} "
              f"({100 * one['evaluation'] / (one['train'] + one['evaluation']):.0f} %)" for one in found["by_layer"]]
    lines += ["", f"Training + evaluation at {USUAL} lanes, and evaluation's share, by first layer: {', '.join(shares)}."]
    if found["drawn"]:
        lines += ["", f"![CPU seconds a trial against the number of lanes]({FIGURE.name})"]
    return lines
