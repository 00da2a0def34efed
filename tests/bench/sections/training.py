"""Training per (location, optimiser step): headsweep's blocks of lanes against TRL, TRL with pi0 once, and the lean
loop, in turn, with the same edits, batches and start, so that the losses of each step can be compared, too."""

from dataclasses import dataclass

from place import BENCH, Place, median, python, run

TITLE = "Training, per (location, optimiser step)"
METHODS = {"trl": "TRL", "trl_pre": "TRL, pi0 once", "lean_hook": "lean loop"}
PRECISIONS = ("f32", "bf16")


@dataclass(frozen=True)
class Row:
    """What is trained, and how many times faster than each method it should be."""

    key: str
    title: str
    model: str
    locations: str
    lanes: int
    steps: int
    skip: int
    targets: dict[str, tuple[float, float, float]]  # in the order of METHODS, by headsweep's precision


def rows(quick: bool) -> list[Row]:
    layers, heads, steps, small_steps = ([5], 4, 8, 4) if quick else ([0, 5, 11], 8, 20, 6)
    small_heads = ";".join(f"{layer}:{head}" for layer in layers for head in range(heads))
    return [
        Row("tiny", "tiny, every single head", "tiny", "all-single", 8, steps, 4,
            dict(f32=(18, 8, 6), bf16=(30, 13, 9))),
        Row("small", f"small, single heads, layers {', '.join(map(str, layers))}", "small", small_heads, 8, small_steps,
            2, dict(f32=(11, 5.5, 4), bf16=(28, 14, 10))),
        Row("sets", "tiny, 16 random heads, different in each lane", "tiny", f"random16:{8 if quick else 16}:0", 8,
            steps, 4, dict(f32=(10, 5, 4), bf16=(16, 8, 6))),
    ]


def options_of(place: Place, row: Row, locations: str, precision: str) -> list[object]:
    """What headsweep's program and the peers' both understand."""
    model = place.model(row.model)
    return ["--model", model, "--pairs", model.with_suffix(".jsonl"), "--locations", locations, "--steps", row.steps,
            "--precision", precision]


def train_ours(place: Place, row: Row, precision: str) -> dict:
    return run(place.bench("steps"), *options_of(place, row, row.locations, precision), "--lanes", row.lanes,
               "--peers-start").lines[0]


def train_peers(place: Place, row: Row, ours: dict, precision: str, methods: list[str]) -> list[dict]:
    """One location of each first layer."""
    chosen = ";".join(min(layer["traces"]) for layer in ours["layers"])
    return run(python(), BENCH / "peers" / "one_location.py", *options_of(place, row, chosen, precision),
               "--skip", row.skip, "--methods", ",".join(methods)).lines


def mean_over(ours: dict, values: dict[int, float]) -> float:
    """Mean over the locations of values by first layer."""
    counts = {layer["layer"]: layer["locations"] for layer in ours["layers"]}
    return sum(counts[layer] * values[layer] for layer in counts) / sum(counts.values())


def figures_of(ours: dict, peers: list[dict]) -> dict:
    """One round: milliseconds, ratios, share of the machine's peak, largest difference of a loss."""
    mean = {key: mean_over(ours, {layer["layer"]: layer[key] for layer in ours["layers"]})
            for key in ("ms", "prefix_ms", "gflop")}
    peer_ms = {method: mean_over(ours, {line["first_layer"]: 1e3 * line["step_s"] for line in peers
                                        if line["method"] == method})
               for method in {line["method"] for line in peers}}
    traces = {name: trace for layer in ours["layers"] for name, trace in layer["traces"].items()}
    difference = max(abs(one - other) for line in peers for one, other in zip(line["losses"], traces[line["location"]]))
    return dict(mean, peers=peer_ms, ratio={method: ms / mean["ms"] for method, ms in peer_ms.items()},
                share=1e3 * mean["gflop"] / mean["ms"] / ours["peak_gflops"], peak_gflops=ours["peak_gflops"],
                difference=difference, layers={layer["layer"]: layer["ms"] for layer in ours["layers"]})


def measure_round(place: Place, row: Row, found: dict) -> None:
    """headsweep in both precisions, the peers in f32, the lean loop in bf16, too."""
    ours = {precision: train_ours(place, row, precision) for precision in PRECISIONS}
    peers = train_peers(place, row, ours["f32"], "f32", list(METHODS))
    for precision in PRECISIONS:
        found[precision].append(figures_of(ours[precision], peers))
    if not place.quick:
        lean = train_peers(place, row, ours["bf16"], "bf16", ["lean_hook"])
        found["lean_bf16"].append(figures_of(ours["bf16"], lean)["peers"]["lean_hook"])


def measure(place: Place) -> dict:
    chosen = rows(place.quick)
    found = {row.key: dict(f32=[], bf16=[], lean_bf16=[]) for row in chosen}
    for _ in range(place.rounds):
        for row in chosen:
            measure_round(place, row, found[row.key])
    return dict(rows={row.key: dict(title=row.title, lanes=row.lanes, targets=row.targets, **found[row.key])
                      for row in chosen})


def middle(rounds: list[dict], *keys: str) -> float:
    """Median over the rounds of what lies under the keys."""
    values = rounds
    for key in keys:
        values = [value[key] for value in values]
    return median(values)


def table_line(row: dict, precision: str) -> str:
    rounds, targets = row[precision], row["targets"][precision]
    ratios = [f"{middle(rounds, 'ratio', method):.1f} ({target:g})" for method, target in zip(METHODS, targets)]
    peers = [f"{middle(rounds, 'peers', method):.1f}" for method in METHODS]
    ours = f"**{middle(rounds, 'ms'):.2f}** ({middle(rounds, 'prefix_ms'):.2f})"
    checks = [f"{100 * middle(rounds, 'share'):.0f} %", f"{max(one['difference'] for one in rounds):.1e}"]
    return "| " + " | ".join([row["title"], precision, ours, *peers, *ratios, *checks]) + " |"


def describe(found: dict) -> list[str]:
    rows_found = list(found["rows"].values())
    lines = [
        "CPU milliseconds, the optimiser's step included; the peers always in f32. In brackets: of headsweep's time what",
        "the layers below the first edited one take; of each ratio (peer / headsweep, median of the rounds) its target.",
        "`of peak`: operations (counted by tests/bench/cost.hpp) over the time and over the best matrix product measured in",
        "the same process and precision. `losses`: largest difference of a step's loss (near 25 nats^2) from any peer's,",
        "the peers in f32.", "",
        "| | | headsweep | TRL | TRL, pi0 once | lean loop | x TRL | x pi0 once | x lean | of peak | losses |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *(table_line(row, precision) for precision in PRECISIONS for row in rows_found), ""]
    lean = [f"{median(row['lean_bf16']):.1f} ({row['title']})" for row in rows_found if row["lean_bf16"]]
    if lean:
        lines.append(f"The lean loop with bf16 weights, ms: {'; '.join(lean)}.")
    peaks = [f"{middle(rows_found[0][precision], 'peak_gflops'):.0f} ({precision})" for precision in PRECISIONS]
    lines += [f"Blocks of at most {rows_found[0]['lanes']} lanes. Matrix products reach {', '.join(peaks)} GFLOP/s here.",
              "By first layer (f32, ms): " + "; ".join(map(layers_in_words, rows_found)) + "."]
    return lines


def layers_in_words(row: dict) -> str:
    layers = row["f32"][0]["layers"]
    return f"{row['title']}: " + ", ".join(f"{layer}: {middle(row['f32'], 'layers', layer):.1f}" for layer in layers)
