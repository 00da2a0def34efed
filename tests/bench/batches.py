"""Do edits trained on whole questions (`training.batches: questions`) score as those trained on pairs? On the built-in
world, the same locations both ways, each way at its own best learning rate, against another seed of training.

    batches.py [--headsweep FILE] [--work DIR] [--pairs-per-question N] [--seed-layers L,...] [--short] [--quick]

In: jobs/quickstart.yaml.  Out: DIR/batches.md, also printed, and DIR/batches.json; the sweeps in DIR/batches/, where a
finished one is not run again and a cut one goes on.
--seed-layers: those whose single heads are trained with a second seed, too.
--short: without the questions' variant of one epoch. --quick: a tiny trial run.
"""

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from jobs import single_heads, to_yaml
from place import ROOT, WORLD, run, stamp

sys.path.insert(0, str(ROOT))
from analysis.results import Results  # noqa: E402
from batches_text import compare, count_tokens, describe  # noqa: E402

TITLE = "Batches of whole questions against batches of pairs"
LAYERS, HEADS = 8, 8  # of the built-in model
SIZES = (1, 4)
TAU = 0.1
RATES = (0.015, 0.03, 0.06)  # with more, training ran away at heads of layer 0
RATE_HEADS = {1: ["L1.H2", "L1.H6", "L3.H0", "L3.H5"],
              4: ["L1.H0 L3.H5 L4.H2 L6.H7", "L1.H4 L2.H1 L5.H3 L7.H6", "L3.H3 L4.H6 L5.H1 L6.H4",
                  "L3.H7 L5.H5 L6.H0 L7.H2"]}


@dataclass(frozen=True)
class Way:
    """How an edit is trained."""

    name: str
    batches: str
    batch: int
    epochs: int


PAIRS = Way("pairs", "pairs", 8, 1)
QUESTIONS = Way("questions", "questions", 2, 2)
ONE_EPOCH = replace(QUESTIONS, name="questions-1", epochs=1)


@dataclass(frozen=True)
class Study:
    """Where things are and how thorough to be."""

    headsweep: Path
    work: Path
    pairs_per_question: int
    seed_layers: list[int]
    short: bool
    quick: bool

    @property
    def locations(self) -> dict:
        """All single heads and as many random sets of 4."""
        if self.quick:
            return single_heads([LAYERS - 1], HEADS) | dict(random4=dict(random=dict(size=4, draws=2)))
        return dict(singles=dict(single="all"), random4=dict(random=dict(size=4, draws=64)))


def rate_locations() -> dict:
    """The fixed locations that rates are chosen on."""
    return {f"rate{size}_{place}": dict(heads=heads.split())
            for size, sets in RATE_HEADS.items() for place, heads in enumerate(sets)}


def write_job(file: Path, study: Study, way: Way, locations: dict, rates: dict[int, float], **changes: dict) -> None:
    """The quickstart with other locations, training, and only what is compared measured."""
    job = yaml.safe_load((ROOT / "jobs" / "quickstart.yaml").read_text())
    job = {part: job[part] for part in ("seed", "split", "training", "evaluation", "run")} | dict(
        name="batches", model=dict(folder=str(WORLD), device="cpu"), locations=locations,
        behaviour=dict(file=str(WORLD / "truthfulness.jsonl"), prompt=job["behaviour"]["prompt"]),
        probe=dict(suffix="none", sigma_suffix="none", answers=1),  # not used by these edits
        edits=[dict(optimal=dict(at=list(locations), tau=[TAU]))])
    job["training"] |= dict(pairs_per_question=study.pairs_per_question, batches=way.batches, batch=way.batch,
                            epochs=way.epochs, learning_rate=rates)
    job["evaluation"] |= dict(answers=["test"], choice=[], drift=[], pairs=["test"])
    for part, values in changes.items():
        job[part] = job[part] | values
    file.write_text("".join(f"{key}: {to_yaml(value)}\n" for key, value in job.items()))


def sweep(study: Study, name: str, way: Way, locations: dict, rates: dict[int, float], **changes: dict) -> Path:
    """The folder of a finished sweep; `cpu.json` beside its results says what it took."""
    folder = study.work / "batches" / name
    job = folder.parent / f"{name}.yaml"
    folder.parent.mkdir(parents=True, exist_ok=True)
    before = job.read_text() if job.exists() else ""
    write_job(job, study, way, locations, rates, **changes)
    if (folder / "cpu.json").exists() and before == job.read_text():
        return folder
    print(f"batches: {name} ...", file=sys.stderr, flush=True)
    if before != job.read_text():
        run("rm", "-rf", folder)
    taken = run(study.headsweep, "run", job, "-o", folder, "--resume")
    (folder / "cpu.json").write_text(json.dumps(dict(cpu=taken.cpu, seconds=taken.seconds)))
    return folder


def try_rate(study: Study, way: Way, rate: float) -> dict[int, float]:
    """Mean validation loss by number of heads."""
    folder = sweep(study, f"rate-{way.name}-{rate:.3g}", way, rate_locations(), {size: rate for size in SIZES},
                   evaluation=dict(answers=[], pairs=["val"]))
    trials = Results(folder / "results.h5").trials
    return {size: float(trials.loc[trials["size"] == size, "val_loss"].mean()) for size in SIZES}


def choose_rates(study: Study, way: Way) -> dict:
    """The best rate of each size."""
    tried = {rate: try_rate(study, way, rate) for rate in RATES[2 if study.quick else 0:]}
    chosen = {size: min(tried, key=lambda rate: tried[rate][size]) for size in SIZES}
    edges = [size for size in SIZES if chosen[size] in (RATES[0], RATES[-1])]
    return dict(chosen=chosen, edges=edges, tried=tried)


def main_sweeps(study: Study, rates: dict[str, dict]) -> dict[str, Path]:
    """All locations both ways, the single heads with another seed, and if wanted one epoch of questions."""
    seeded = single_heads(study.seed_layers, HEADS)
    of_pairs, of_questions = rates["pairs"]["chosen"], rates["questions"]["chosen"]
    folders = dict(
        questions=sweep(study, "questions", QUESTIONS, study.locations, of_questions),
        pairs=sweep(study, "pairs", PAIRS, study.locations, of_pairs),
        seed=sweep(study, "pairs-seed1", PAIRS, seeded, of_pairs, run=dict(seeds=[1])))
    if not study.short:
        one = choose_rates(study, ONE_EPOCH)
        rates["questions-1"] = one
        folders["questions-1"] = sweep(study, "questions-1", ONE_EPOCH, study.locations, one["chosen"])
    return folders


def epoch_seconds(study: Study, way: Way, pairs_per_question: int) -> float:
    """CPU seconds of an epoch for one of 8 lanes: two epochs less one, so that all else cancels."""
    heads = {f"time{head}": dict(heads=[f"L3.H{head}"]) for head in range(HEADS)}
    short = replace(study, pairs_per_question=pairs_per_question)
    took = []
    for epochs in (1, 2):
        folder = sweep(short, f"time-{way.name}-{epochs}", replace(way, epochs=epochs), heads, {1: RATES[0]},
                       evaluation=dict(answers=[], pairs=[]))
        took.append(json.loads((folder / "cpu.json").read_text())["cpu"])
    return (took[1] - took[0]) / len(heads)


def measure_times(study: Study) -> dict[str, float]:
    """CPU seconds of an epoch, per location. An epoch of pairs grows with their number: a third is timed."""
    whole = study.pairs_per_question or 18
    part = max(1, whole // 3)
    return dict(pairs=epoch_seconds(study, PAIRS, part) * whole / part,
                questions=epoch_seconds(study, QUESTIONS, study.pairs_per_question))


def read_options() -> Study:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--headsweep", type=Path, default=ROOT / "build" / "headsweep")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--pairs-per-question", type=int, default=9, help="of 18; 0: all")
    parser.add_argument("--seed-layers", default=",".join(map(str, range(LAYERS))))
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    work = options.work.resolve() / ("quick" if options.quick else "")
    pairs = 2 if options.quick else options.pairs_per_question
    layers = [7] if options.quick else [int(layer) for layer in options.seed_layers.split(",")]
    return Study(options.headsweep.resolve(), work, pairs, layers, options.short or options.quick, options.quick)


def measure(study: Study) -> dict:
    rates = {way.name: choose_rates(study, way) for way in (QUESTIONS, PAIRS)}
    folders = main_sweeps(study, rates)
    comparisons = dict(questions=("pairs", "questions", "pairs"), singles=("pairs", "questions", "seed"),
                       crossed=("seed", "questions", "seed"), seeds=("pairs", "seed", "seed"))
    if not study.short:
        comparisons["questions-1"] = ("pairs", "questions-1", "pairs")
    ways = {}
    for way in (PAIRS, QUESTIONS) + (() if study.short else (ONE_EPOCH,)):
        steps = int(Results(folders[way.name] / "results.h5").trials["steps"].max())
        ways[way.name] = dict(batches=way.batches, batch=way.batch, epochs=way.epochs, steps=steps)
    return dict(
        pairs_per_question=study.pairs_per_question, rates=rates, ways=ways,
        comparisons={key: compare(*(folders[name] for name in names)) for key, names in comparisons.items()} | {
            f"size {size}": compare(folders["pairs"], folders["questions"], folders["pairs"], size) for size in SIZES},
        tokens=count_tokens(folders["pairs"], study.pairs_per_question),
        tokens_of_all=count_tokens(folders["pairs"], 0), seconds=measure_times(study))


def main() -> None:
    study = read_options()
    study.work.mkdir(parents=True, exist_ok=True)
    facts = stamp()
    found = measure(study)
    (study.work / "batches.json").write_text(json.dumps(facts | dict(found=found), indent=1) + "\n")
    measured = f"({facts['date']}, revision {facts['revision']}, load {facts['load']} before)"
    text = "\n".join([f"## {TITLE}", "", *describe(found), "", measured, ""])
    (study.work / "batches.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
