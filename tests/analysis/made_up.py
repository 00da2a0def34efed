"""A small made-up results.h5, written column by column as the schema of src/store/schema.cpp says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import yaml

from analysis.results import METRICS

LAYERS, HEADS, WIDTH = 4, 4, 2
ITEMS, VALIDATION = 40, 20  # questions of each part
EPOCHS, RATES = 2, (0.02, 0.05)
ITEM_COLUMNS = ("truth", "info", "p_truth", "p_truth_no", "p_info", "p_info_no", "mc1", "mc2", "mc3", "kl_answer")
ITEM_COLUMNS += ("kl_teacher", "repetition")
COMPARISON = {
    "primary": {"edit": "optimal", "claimed": "top2", "among": "random2"},
    "score": "truth_info",
    "margin": 0.05,
    "level": 0.05,
    "caps": [0.01, 0.05, 0.2],
}


@dataclass
class Design:
    """What the made-up sweep holds. A trial for which `missing` or `failed` is true has no outcome."""

    folds: int = 1
    seeds: tuple[int, ...] = (0, 1)
    draws: int = 12
    edits: dict[str, list[float]] = field(
        default_factory=lambda: {"optimal": [0.1, 0.2, 0.5], "iti": [1.0, 3.0, 10.0], "lora": [0.1]}
    )
    # Edits that are lora of another rank: rank, targets and rate of the entry.
    wide: dict[str, tuple[int, str, float]] = field(default_factory=dict)
    sets: tuple[str, ...] = ("singles", "random2", "top2", "everywhere")
    missing: Callable[[dict], bool] = lambda trial: False
    failed: Callable[[dict], bool] = lambda trial: False
    judged: bool = True
    info_judged: bool = True
    wrong: tuple[int, int, int] = (0, 0, 0)  # of ten correct, refusing and incorrect references each
    controls: tuple[str, ...] = ()  # labels of optimal trials at top2 that are trained again with such pairs
    rechecked: int = 0  # so many optimal trials are trained again with twice the epochs
    tuned: int = 0  # so many locations of two random heads chose the learning rates
    subspaces: int = 0  # draws of random subspaces that match top2
    teacher: bool = False  # whether KL to a teacher was measured
    group_size: int = 2  # questions
    extensions: tuple[tuple[str, int, int, int], ...] = ()  # when, trials before, after, done
    comparison: dict = field(default_factory=lambda: COMPARISON)
    name: str = "made up"
    model: str = "little"
    behaviour: str = "truthfulness"


def write_results(path: Path, design: Design) -> Path:
    """Writes a made-up results.h5."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        _Writer(file, design).write()
    return path


def make_locations(design: Design) -> list[dict]:
    """Rows of /locations, with the quality that the made-up answers follow."""
    generator = np.random.default_rng(0)
    rows = []

    def add(name: str, set_name: str, kind: str, heads: list[int], **more: object) -> None:
        quality = generator.uniform(0.3, 0.9) if kind in ("single", "random") else 0.85
        row = {"name": name, "set": set_name, "kind": kind, "heads": heads, "quality": quality}
        rows.append(row | {"draw": -1, "matched_to": "", "fold": -1, "tuning": 0} | more)

    for head in range(LAYERS * HEADS) if "singles" in design.sets else []:
        add(f"singles[L{head // HEADS}.H{head % HEADS}]", "singles", "single", [head])
    for draw in range(design.draws) if "random2" in design.sets else []:
        heads = sorted(generator.choice(LAYERS * HEADS, 2, replace=False).tolist())
        add(f"random2[{draw}]", "random2", "random", heads, draw=draw, matched_to="top2")
    for fold in range(design.folds) if "top2" in design.sets else []:
        suffix = f"@fold{fold}" if design.folds > 1 else ""
        add(f"top2{suffix}", "top2", "top", [5, 6], fold=fold if design.folds > 1 else -1)
    if "everywhere" in design.sets:
        add("everywhere", "everywhere", "all", list(range(LAYERS * HEADS)))
    for draw in range(design.subspaces):
        add(f"subspace2[{draw}]", "subspace2", "subspace", [5, 6], draw=draw, matched_to="top2", quality=0.6)
    for draw in range(design.tuned):
        heads = sorted(generator.choice(LAYERS * HEADS, 2, replace=False).tolist())
        add(f"tuning2[{draw}]", "tuning2", "random", heads, draw=draw, tuning=1)
    return rows


def make_trials(design: Design, locations: list[dict]) -> list[dict]:
    """Rows of /trials: every location x edit x strength x seed x fold that fits together."""
    trials = []
    for row, location in enumerate(locations):
        for edit, strengths in design.edits.items():
            if (edit == "iti" and location["kind"] == "single") or (
                edit not in ("optimal", "iti") and location["kind"] != "all"
            ):
                continue
            for strength in strengths:
                for seed in design.seeds[:1] if edit == "iti" else design.seeds:
                    for fold in range(design.folds):
                        if location["fold"] in (-1, fold):
                            trial = {"location": row, "edit": edit, "strength": strength, "seed": seed, "fold": fold}
                            trial |= {"labels": "true", "recheck": 0, "epochs": 0 if edit == "iti" else EPOCHS}
                            trial |= {name: location[name] for name in ("name", "kind", "set", "quality")}
                            trials.append(trial)
    return trials + _extra_trials(design, trials)


def _extra_trials(design: Design, trials: list[dict]) -> list[dict]:
    """Controls with other labels, and rechecks with twice the epochs."""
    optimal = [trial for trial in trials if trial["edit"] == "optimal"]
    claimed = [trial for trial in optimal if trial["kind"] == "top"]
    quality = {"swapped": 0.2, "shuffled": 0.4}
    controls = [trial | {"labels": each, "quality": quality[each]} for each in design.controls for trial in claimed]
    again = [trial | {"recheck": 1, "epochs": 2 * EPOCHS} for trial in optimal[: design.rechecked]]
    return controls + again


def make_job(design: Design) -> dict:
    """The job with its defaults, as far as the analysis reads it."""
    return {
        "name": design.name,
        "seed": 0,
        "model": {"folder": f"/models/{design.model}", "precision": "f32"},
        "behaviour": {"file": f"/data/{design.behaviour}.jsonl", "prompt": "Q: {question} A:"},
        "split": {"folds": design.folds} if design.folds > 1 else {"train": 0.6, "val": 0.2, "test": 0.2},
        "training": {"epochs": EPOCHS, "learning_rate": {2: list(RATES), 16: 0.02}},
        "evaluation": {"judge": "exact", "max_new_tokens": 12},
        "comparison": design.comparison,
        "run": {"seeds": list(design.seeds)},
    }


class _Writer:
    def __init__(self, file: h5py.File, design: Design) -> None:
        self.file, self.design = file, design
        self.locations = make_locations(design)
        self.trials = make_trials(design, self.locations)
        self.generator = np.random.default_rng(1)
        for trial in self.trials:
            absent = "failed" if design.failed(trial) else "missing" if design.missing(trial) else "done"
            trial["status"] = absent

    def write(self) -> None:
        attributes = {"format": "headsweep-results", "version": "1.2", "judged_by": "model"}
        attributes["resolved_job"] = yaml.safe_dump(make_job(self.design), sort_keys=False)
        attributes |= {"started_utc": "2024-05-06T07:08:09Z", "build": "headsweep 0.1.0 (made up)"}
        attributes |= {"command_line": "headsweep run made_up.yaml", "device": "cpu", "model_hash": "0123456789abcdef"}
        attributes["complete"] = int(all(trial["status"] != "missing" for trial in self.trials))
        self.file.attrs.update(attributes)
        self._write_heads()
        self._write_locations()
        self._write_questions()
        self._write_trials()
        self._write_outcomes("metrics", "items", [self._item_chances(trial) for trial in self.trials])
        self._write_outcomes("baseline", "baseline/items", [(0.4, 0.9)] * self.design.folds)
        self._write_curves()
        self._write_references()
        self._write_tuning()
        self._write_extensions()

    def _put(self, path: str, values: object) -> None:
        array = np.asarray(values)
        self.file[path] = np.char.encode(array, "utf-8") if array.dtype.kind == "U" else array

    def _write_heads(self) -> None:
        layer, head = np.divmod(np.arange(LAYERS * HEADS, dtype=np.int32), HEADS)
        self._put("heads/layer", layer)
        self._put("heads/head", head)
        shape = (self.design.folds, LAYERS * HEADS)
        self._put("heads/probe/score", self.generator.uniform(0.5, 0.9, shape).astype(np.float32))

    def _write_locations(self) -> None:
        for name in ("name", "set", "kind", "draw", "fold", "matched_to", "tuning"):
            self._put(f"locations/{name}", [row[name] for row in self.locations])
        self._put("locations/size", [len(row["heads"]) for row in self.locations])
        self._put("locations/first_layer", [row["heads"][0] // HEADS for row in self.locations])
        mask = np.zeros((len(self.locations), LAYERS * HEADS), np.uint8)
        for row, location in enumerate(self.locations):
            mask[row, location["heads"]] = 1
        self._put("locations/mask", mask)

    def _write_questions(self) -> None:
        count = ITEMS * self.design.folds + VALIDATION
        self._put("questions/id", [f"q{i}" for i in range(count)])
        self._put("questions/group", [f"g{i // self.design.group_size}" for i in range(count)])
        self._put("questions/text", [f"Was ist {i}, bitteschön?" for i in range(count)])
        tested = np.arange(ITEMS * self.design.folds, dtype=np.int32).reshape(-1, ITEMS)
        validating = np.broadcast_to(np.arange(count - VALIDATION, count), (self.design.folds, VALIDATION))
        part = np.zeros((self.design.folds, count), np.uint8)
        part[:, -VALIDATION:] = 1
        np.put_along_axis(part, tested, 2, axis=1)
        self._put("questions/part", part)
        self._put("items/question", np.hstack([validating, tested]).astype(np.int32))

    def _write_trials(self) -> None:
        count = len(self.trials)
        for name in ("location", "strength", "seed", "fold", "status", "labels", "recheck", "epochs"):
            self._put(f"trials/{name}", [trial[name] for trial in self.trials])
        wide = self.design.wide
        adapters = [
            wide.get(trial["edit"], (0 if trial["edit"] == "iti" else 1, "o_proj", 0.0))
            for trial in self.trials
        ]
        edits = ["lora" if trial["edit"] in wide else trial["edit"] for trial in self.trials]
        self._put("trials/edit", np.array(edits, dtype="U7"))
        for place, name in enumerate(("rank_of_edit", "targets", "lora_rate")):
            self._put(f"trials/{name}", [adapter[place] for adapter in adapters])
        failed = [trial["status"] == "failed" for trial in self.trials]
        self._put("trials/stage", ["training" if lost else "" for lost in failed])
        self._put("trials/message", ["loss is not a number" if lost else "" for lost in failed])
        for name in ("seconds", "train_loss", "val_loss", "relative_size_prompt", "relative_size_answer"):
            self._put(f"trials/{name}", self.generator.uniform(0.1, 1, count))
        self._put("trials/converged", (np.arange(count) % 5 > 0).astype(np.uint8))
        self._put("trials/steps", [0 if trial["edit"] == "iti" else 30 for trial in self.trials])

    def _item_chances(self, trial: dict) -> tuple[float, float] | None:
        """Chances of a true and an informative answer, best at the middle strength; None: no outcome."""
        if trial["status"] != "done":
            return None
        grid = self.design.edits[trial["edit"]]
        distance = abs(grid.index(trial["strength"]) - len(grid) // 2)
        return trial["quality"] - 0.15 * distance, 0.95 - 0.1 * distance

    def _write_outcomes(self, metrics: str, items: str, chances: list[tuple[float, float] | None]) -> None:
        judged = {
            part: self._judge(chances, count) for part, count in (("validation", VALIDATION), ("test", ITEMS))
        }
        for part, (truth, info) in judged.items():
            means = {
                "truth": truth.mean(axis=1),
                "info": info.mean(axis=1),
                "both": (truth * info).mean(axis=1),
            }
            means["truth_info"] = means["truth"] * means["info"]
            if not self.design.teacher:
                means["kl_teacher"] = np.full(len(chances), np.nan)
            for name in METRICS:
                values = means.get(
                    name, np.where(np.isnan(means["truth"]), np.nan, self.generator.random(len(chances)))
                )
                self._put(f"{metrics}/{part}/{name}", values.astype(np.float32))
        truth, info = (np.hstack(parts) for parts in zip(*judged.values(), strict=True))
        columns = {"truth": truth, "info": info}
        if not self.design.teacher:
            columns["kl_teacher"] = np.full(truth.shape, np.nan)
        for name in ITEM_COLUMNS:
            self._put(f"{items}/{name}", columns.get(name, truth * 0.5).astype(np.float32))
        done = np.array([chance is not None for chance in chances])
        self._put(f"{items}/count", np.where(done, VALIDATION + ITEMS, 0).astype(np.int32))
        texts = [f"Antwort {i}, größer".encode() for i in range(len(chances) * (VALIDATION + ITEMS))]
        self._put(f"{items}/answer_bytes", np.frombuffer(b"".join(texts), np.uint8))
        self._put(f"{items}/answer_offsets", np.cumsum([0] + [len(text) for text in texts]))

    def _judge(self, chances: list[tuple[float, float] | None], count: int) -> tuple[np.ndarray, np.ndarray]:
        """0/1 truth and info [rows, count]; NaN without an outcome, or in a sweep without a judge."""
        rows = np.array(
            [chance if chance is not None and self.design.judged else (np.nan, np.nan) for chance in chances]
        )
        answers = self.generator.random((len(chances), count, 2)) < rows[:, None, :]
        answers = np.where(np.isnan(rows)[:, None, :], np.nan, answers)
        return answers[..., 0], answers[..., 1] if self.design.info_judged else np.full_like(answers[..., 1], np.nan)

    def _write_references(self) -> None:
        """Ten references of each kind; the judge is wrong about the first `wrong` of each, on both matters."""
        kind = np.repeat(np.arange(3, dtype=np.uint8), 10)
        erring = np.arange(30) % 10 < np.asarray(self.design.wrong)[kind]
        self._put("judge/question", np.arange(30, dtype=np.int32))
        self._put("judge/kind", kind)
        self._put("judge/answer", [f"Antwort {i}." for i in range(30)])
        for name, right in (("truth", kind != 2), ("info", kind != 1)):
            asked = self.design.judged and (name == "truth" or self.design.info_judged)
            said = (right != erring) if asked else np.full(30, np.nan)
            self._put(f"judge/{name}", said.astype(np.float32))

    def _write_tuning(self) -> None:
        rates = RATES if self.design.tuned else ()
        rows = [(rate, fold, rate == RATES[-1]) for fold in range(self.design.folds) for rate in rates]
        self._put("tuning/edit", np.array(["optimal"] * len(rows), "U7"))
        self._put("tuning/targets", np.array(["o_proj"] * len(rows), "U6"))
        for name, value in (("rank_of_edit", 1), ("size", 2)):
            self._put(f"tuning/{name}", np.full(len(rows), value, np.int32))
        self._put("tuning/learning_rate", np.array([rate for rate, _, _ in rows], np.float64))
        self._put("tuning/fold", np.array([fold for _, fold, _ in rows], np.int32))
        self._put("tuning/val_loss", np.array([1.0 / rate for rate, _, _ in rows], np.float64))
        for name in ("chosen", "edge"):
            self._put(f"tuning/{name}", np.array([last for _, _, last in rows], np.uint8))

    def _write_extensions(self) -> None:
        """Files of before the group was there lack it."""
        if not self.design.extensions:
            return
        utc, *counts = zip(*self.design.extensions, strict=True)
        self._put("extensions/utc", utc)
        for name, values in zip(("trials_before", "trials_after", "trials_done"), counts, strict=True):
            self._put(f"extensions/{name}", np.array(values, np.int32))

    def _write_curves(self) -> None:
        trained = np.array([trial["edit"] != "iti" and trial["status"] == "done" for trial in self.trials])
        loss = 25 * np.exp(-np.arange(30) / 10) + self.generator.random((len(self.trials), 30))
        self._put("curves/length", np.where(trained, 30, 0).astype(np.int32))
        self._put("curves/loss", np.where(trained[:, None], loss, np.nan).astype(np.float32))
