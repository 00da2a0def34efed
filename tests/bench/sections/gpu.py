"""LLaMA-7B's shapes with random bfloat16 weights on one GPU, if torch sees one. Wall seconds: a GPU has no CPU time."""

from pathlib import Path

import numpy as np

from place import BENCH, Place, median, python, run, versions_in_words
from sections import gpu_sweep

TITLE = "GPU"
LAYERS, LANES, USUAL, STEPS = (0, 8, 16, 24, 31), (1, 4, 8, 16, 32), 16, 12
MODEL_LAYERS, SETS = 32, "random16:48:0"  # of sets of 16 heads those are taken whose first layer is 0
PEER_LAYERS = (0, 16, 31)
METHODS = ("trl", "trl_pre", "lean_hook")
# Milliseconds of a single head (mean over all layers) that the arithmetic of an H200 with fused loops foretells.
FORETOLD = {1: 6.3, 4: 4.2, 8: 3.8, 16: 3.6, 32: 3.6}
FORETOLD_SETS = 6.8


def gpu_name() -> str:
    """Empty: none."""
    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    return run(python(), "-c", code).out.strip()


def options_of(model: Path) -> list[object]:
    """What headsweep's program and the peers' both understand."""
    return ["--model", model, "--pairs", model.with_suffix(".jsonl"), "--steps", STEPS, "--precision", "bf16",
            "--device", "cuda"]


def train_ours(place: Place, model: Path, locations: str, lanes: tuple[int, ...]) -> list[dict]:
    """One line for each number of lanes: one block of each first layer."""
    return run(place.bench("steps"), *options_of(model), "--locations", locations, "--one-block", "--peers-start",
               "--lanes", ",".join(map(str, lanes))).lines


def train_peers(model: Path, locations: list[str]) -> list[dict]:
    return run(python(), BENCH / "peers" / "one_location.py", *options_of(model), "--locations", ";".join(locations),
               "--methods", ",".join(METHODS), "--skip", 4).lines


def figures_of(line: dict) -> dict:
    """One number of lanes: milliseconds without the layers below, those apart, GFLOP; memory."""
    layers = {layer["layer"]: dict(ms=layer["ms"] - layer["prefix_ms"], prefix_ms=layer["prefix_ms"],
                                   gflop=layer["gflop"], locations=layer["locations"]) for layer in line["layers"]}
    return dict(lanes=line["lanes"], layers=layers, peak_gflops=line["peak_gflops"], peak_mb=line["peak_mb"],
                weights_mb=line["weights_mb"], load_s=line["load_s"])


def first_losses(ours: dict, peers: list[dict]) -> dict[str, dict[int, float]]:
    """Of the step in which the edit is still zero, by who trains and first layer: 25 nats^2 but for rounding."""
    traces = {name: trace for layer in ours["layers"] for name, trace in layer["traces"].items()}
    found: dict[str, dict[int, float]] = {"headsweep": {layer: traces[f"{layer}:0"][0] for layer in PEER_LAYERS}}
    for line in peers:
        if line["location"] in traces:
            found.setdefault(line["method"], {})[line["first_layer"]] = line["losses"][0]
    return found


def measure(place: Place) -> dict:
    name = gpu_name()
    if not name:
        return dict(name="")
    model, lanes = place.model("large"), (4, 8) if place.quick else LANES
    heads = ";".join(f"{layer}:{head}" for layer in LAYERS for head in range(max(lanes)))
    singles = train_ours(place, model, heads, lanes)
    sets = train_ours(place, model, SETS, (min(USUAL, max(lanes)),))[0]
    one_set = min(sets["layers"][0]["traces"])
    peers = train_peers(model, [f"{layer}:0" for layer in PEER_LAYERS] + [one_set])
    return dict(name=name, versions=versions_in_words(), singles=[figures_of(line) for line in singles], sets=figures_of(sets),
                peers=[dict(method=line["method"], location=line["location"], layer=line["first_layer"],
                            ms=1e3 * line["step_s"], setup_s=line["setup_s"]) for line in peers],
                first_losses=first_losses(singles[-1], peers), one_set=one_set,
                sweep=gpu_sweep.measure(place, model))


def by_layer(layers: dict) -> dict[int, dict]:
    """JSON made texts of the numbers of layers."""
    return {int(layer): one for layer, one in layers.items()}


def mean_ms(layers: dict) -> float:
    """Over all layers of the model; those between the measured ones by interpolation."""
    known = by_layer(layers)
    return float(np.mean(np.interp(range(MODEL_LAYERS), list(known), [one["ms"] for one in known.values()])))


def share_of_peak(one: dict, layer: dict) -> float:
    """Percent."""
    return 1e5 * layer["gflop"] / layer["ms"] / one["peak_gflops"]


def lanes_lines(found: dict) -> list[str]:
    layers = list(by_layer(found["singles"][0]["layers"]))
    lines = ["| lanes | " + " | ".join(f"layer {layer}" for layer in layers) + " | mean | foretold | tensors at most, GB |",
             "| --- |" + " --- |" * (len(layers) + 3)]
    for one in found["singles"]:
        cells = [f"{layer['ms']:.2f} ({share_of_peak(one, layer):.0f} %)" for layer in one["layers"].values()]
        lines.append(f"| {one['lanes']} | " + " | ".join(cells) + f" | **{mean_ms(one['layers']):.2f}** | "
                     f"{FORETOLD[one['lanes']]} | {1e-3 * one['peak_mb']:.1f} |")
    sets = found["sets"]
    first = by_layer(sets["layers"])[0]
    return lines + ["", f"Sets of 16 random heads that begin at layer 0, {first['locations']} different ones: "
                    f"**{first['ms']:.2f}** ({share_of_peak(sets, first):.0f} %); foretold for the mean first layer "
                    f"(1.4): {FORETOLD_SETS}."]


def peers_lines(found: dict) -> list[str]:
    usual = next(one for one in found["singles"] if one["lanes"] == min(USUAL, found["singles"][-1]["lanes"]))
    rows = [(f"a head of layer {layer}", by_layer(usual["layers"])[layer], f"{layer}:0") for layer in PEER_LAYERS]
    rows.append(("16 heads from layer 0 on", by_layer(found["sets"]["layers"])[0], found["one_set"]))
    lines = [f"Beside the peers, one location at a time; headsweep with {usual['lanes']} lanes, the layers below in:", "",
             "| | headsweep | TRL | TRL, pi0 once | lean loop |", "| --- | --- | --- | --- | --- |"]
    for title, ours, location in rows:
        whole = ours["ms"] + ours["prefix_ms"]
        peers = {line["method"]: line["ms"] for line in found["peers"] if line["location"] == location}
        times = " | ".join(f"{peers[name]:.1f} ({peers[name] / whole:.1f} x)" for name in METHODS)
        lines.append(f"| {title} | **{whole:.2f}** | {times} |")
    losses = "; ".join(f"{name} " + ", ".join(f"{value:.2f}" for value in by_layer(values).values())
                       for name, values in found["first_losses"].items())
    layers = ", ".join(map(str, PEER_LAYERS))
    return lines + ["", f"Setting up a location: TRL {setup(found, 'trl'):.0f} s, with pi0 once {setup(found, 'trl_pre'):.0f} s "
                    f"(it hashes the model). Loss of the zero edit at layers {layers} (25 nats^2 but for bf16's rounding, which "
                    f"layers of random numbers amplify): {losses}."]


def setup(found: dict, method: str) -> float:
    """Seconds, median over the locations."""
    return median([line["setup_s"] for line in found["peers"] if line["method"] == method])


def describe(found: dict) -> list[str]:
    if not found["name"]:
        return ["Not run: torch saw no GPU."]
    peak = max(one["peak_gflops"] for one in found["singles"])
    return [f"{found['name']}, {found['versions']}; bf16; a matrix product reaches {1e-3 * peak:.0f} TFLOP/s here. Milliseconds per (location, step)",
            "of single heads by first layer, without the layers below it; in brackets the share of that peak that the step's",
            "operations (tests/bench/cost.hpp) make up.", "", *lanes_lines(found), "", *peers_lines(found), "",
            *gpu_sweep.describe(found["sweep"])]
