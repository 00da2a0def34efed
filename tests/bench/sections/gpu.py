"""LLaMA-7B's shapes with random bfloat16 weights on one GPU, if torch sees one. Wall seconds: a GPU has no CPU time."""

from place import BENCH, Place, python, run

TITLE = "GPU"
STEPS, LAYERS = 12, (0, 16, 31)
METHODS = ("trl", "trl_pre", "lean_hook")


def gpu_name() -> str:
    """Empty: none."""
    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    return run(python(), "-c", code).out.strip()


def measure(place: Place) -> dict:
    name = gpu_name()
    if not name:
        return dict(name="")
    model, lanes = place.model("large"), 4 if place.quick else 16
    common = ["--model", model, "--pairs", model.with_suffix(".jsonl"), "--steps", STEPS, "--precision", "bf16",
              "--device", "cuda"]
    heads = ";".join(f"{layer}:{head}" for layer in LAYERS for head in range(lanes))
    ours = run(place.bench("steps"), *common, "--locations", heads, "--lanes", lanes).lines[0]
    peers = run(python(), BENCH / "peers" / "one_location.py", *common, "--locations",
                ";".join(f"{layer}:0" for layer in LAYERS), "--methods", ",".join(METHODS)).lines
    return dict(name=name, lanes=lanes, peak_gflops=ours["peak_gflops"],
                ours={layer["layer"]: dict(ms=layer["ms"], gflop=layer["gflop"]) for layer in ours["layers"]},
                peers=[dict(method=line["method"], layer=line["first_layer"], ms=1e3 * line["step_s"])
                       for line in peers])


def describe(found: dict) -> list[str]:
    if not found["name"]:
        return ["Not run: torch saw no GPU."]
    lines = [f"{found['name']}, bf16, {found['lanes']} lanes, milliseconds per (location, step):", "",
             "| first layer | headsweep | of peak | TRL | TRL, pi0 once | lean loop |",
             "| --- | --- | --- | --- | --- | --- |"]
    for layer, ours in found["ours"].items():
        peers = {line["method"]: line["ms"] for line in found["peers"] if str(line["layer"]) == str(layer)}
        share = 1e5 * ours["gflop"] / ours["ms"] / found["peak_gflops"]
        times = " | ".join(f"{peers[name]:.1f} ({peers[name] / ours['ms']:.1f} x)" for name in METHODS)
        lines.append(f"| {layer} | **{ours['ms']:.2f}** | {share:.0f} % | {times} |")
    return lines
