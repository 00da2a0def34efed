"""Reads results.h5 into tables. The only file that knows HDF5; `headsweep schema` says what the columns mean.

In: a path.  Out: `Results`: one pandas table each for trials (joined with their locations), heads, locations,
questions, tuning and the unedited model, and any other column by its path. Missing and failed trials keep their row.
Controls, rechecks and tuning locations keep theirs, too: `labels`, `recheck` and `tuning` tell them.
"""

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from .statement import count
from .stats import count_groups

if TYPE_CHECKING:
    import xarray

FORMAT = "headsweep-results"
VERSION = "1.2"
PARTS = ("validation", "test")
EDITS = ("optimal", "iti", "lora")
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
KINDS = ("single", "random", "top", "list", "all", "subspace")
LABELS = ("true", "swapped", "shuffled")
METRICS = (
    "truth",
    "info",
    "truth_info",
    "both",
    "mc1",
    "mc2",
    "mc3",
    "kl_answer",
    "kl_text",
    "kl_teacher",
    "ce_text",
    "loss",
    "margin",
)
LOCATION_COLUMNS = ("name", "set", "kind", "size", "first_layer", "draw", "fold", "matched_to", "tuning")
TRIAL_COLUMNS = (
    "location",
    "edit",
    "rank_of_edit",
    "targets",
    "lora_rate",
    "strength",
    "seed",
    "fold",
    "labels",
    "epochs",
    "recheck",
    "status",
    "stage",
    "message",
    "seconds",
    "train_loss",
    "val_loss",
    "converged",
    "steps",
    "relative_size_prompt",
    "relative_size_answer",
)
TUNING_COLUMNS = (
    "edit",
    "rank_of_edit",
    "targets",
    "size",
    "fold",
    "learning_rate",
    "val_loss",
    "chosen",
    "edge",
)
EXTENSION_COLUMNS = ("utc", "trials_before", "trials_after", "trials_done")
FLAGS = {"locations": ("tuning",), "trials": ("recheck",), "tuning": ("chosen", "edge")}  # 0 or 1 in the file


class BadResults(ValueError):
    """The file cannot be read as results; the message says why and what to do."""


class Results:
    """One results.h5. Tables are pandas frames whose row number is the row in the file.

    `edit` of a trial tells what was trained: `lora` is rank 1 on o_proj, others are `lora rank 16, all linear`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._columns: dict[str, NDArray] = {}
        with _open(self.path) as file:
            self.attributes = {name: _plain(value) for name, value in file.attrs.items()}
            _check_version(self.path, self.attributes)
        self.locations = self._table("locations", LOCATION_COLUMNS)
        self.locations["unit"] = [re.sub(r"@fold\d+$", "", name) for name in self.locations["name"]]
        self.head_table = self._table("heads", ("layer", "head"))
        self.layers = int(self.head_table["layer"].max()) + 1
        self.heads = int(self.head_table["head"].max()) + 1
        self.probe_score = self.column("heads/probe/score")  # [folds, L*H]
        self.item_part = self._parts_of_items()  # [folds, items]: place in PARTS, -1: none
        self.questions = self._table("questions", ("id", "group", "text"))
        self.tuning = self._table("tuning", TUNING_COLUMNS)  # one row a learning rate that was tried
        self.baseline = self._metrics("baseline")
        self.trials = self._joined_trials()
        _check_words(self.path, "trials/edit", self.trials["edit"], EDITS)
        self.trials["edit"] = _tell_lora_apart(self.trials)
        _check_words(self.path, "locations/kind", self.locations["kind"], KINDS)
        _check_words(self.path, "trials/labels", self.trials["labels"], LABELS)

    @property
    def folds(self) -> int:
        """Number of folds; 1 for a single split."""
        return int(self.item_part.shape[0])

    @property
    def test_questions(self) -> NDArray[np.int64]:
        """Number of test questions of each fold."""
        return np.sum(self.item_part == PARTS.index("test"), axis=1)

    @cached_property
    def test_groups(self) -> NDArray[np.int64]:
        """Group of each test question of all folds, as numbers: questions of one group are not independent."""
        rows = np.concatenate([self.item_questions(fold) for fold in range(self.folds)])
        return pd.factorize(self.questions["group"].to_numpy()[rows])[0]

    @property
    def n_test_questions(self) -> str:
        """`163 questions`, with their groups if they have any."""
        questions, groups = self.test_groups.size, count_groups(self.test_groups)
        text = count(questions, "question")
        return text if groups == questions else f"{text} in {count(groups, 'group')}"

    @cached_property
    def extensions(self) -> pd.DataFrame:
        """One row a time that the sweep was given more trials; none where the file does not tell of any."""
        with _open(self.path) as file:
            told = "extensions" in file
        return self._table("extensions", EXTENSION_COLUMNS) if told else pd.DataFrame(columns=EXTENSION_COLUMNS)

    @cached_property
    def info_judged(self) -> bool:
        """Whether information was judged wherever truth was; where not, info counts as 1 in all tables."""
        truth, info = (np.isfinite(self.column(f"judge/{name}")).any() for name in ("truth", "info"))
        return bool(info or not truth)

    def column(self, path: str) -> NDArray:
        """The whole dataset at `path`, read once; texts come back as str."""
        if path not in self._columns:
            with _open(self.path) as file:
                if path not in file:
                    raise BadResults(f"{self.path}: dataset /{path} is missing. {_way_out(self.path)}")
                values = file[path][()]
            self._columns[path] = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
        return self._columns[path]

    @cached_property
    def job(self) -> dict[str, Any]:
        """The job with all defaults filled in."""
        return yaml.safe_load(str(self.attributes.get("resolved_job", ""))) or {}

    @property
    def job_name(self) -> str:
        """The job's `name`; empty where there is none."""
        return str(self.job.get("name", ""))

    @property
    def model_name(self) -> str:
        """The model's folder, `Qwen2.5-7B`; empty where the job names none."""
        return Path(str(self.job_value("model", "folder"))).name

    @property
    def behaviour_name(self) -> str:
        """The behaviour's file without its ending; empty where the job names none."""
        return re.sub(r"\.(jsonl|csv)$", "", Path(str(self.job_value("behaviour", "file"))).name)

    def job_value(self, section: str, key: str) -> Any:
        """A value of the job, for example ("model", "folder"); empty where there is none."""
        return (self.job.get(section) or {}).get(key, "")

    def trial_items(self, name: str, trial: int, part: str = "test") -> NDArray[np.float64]:
        """A column of /items of one trial: a value for each question of a part of its fold; NaN: not evaluated."""
        return self._items(f"items/{name}", trial, self.places(int(self.trials.at[trial, "fold"]), part))

    def baseline_items(self, name: str, fold: int, part: str = "test") -> NDArray[np.float64]:
        """The same of the unedited model."""
        return self._items(f"baseline/items/{name}", fold, self.places(fold, part))

    def places(self, fold: int, part: str = "test") -> NDArray[np.int64]:
        """Places on the axis `item` of the questions of a part of a fold."""
        return np.flatnonzero(self.item_part[fold] == PARTS.index(part))

    def curve(self, trial: int) -> NDArray[np.float64]:
        """Loss at each optimiser step of one trial; empty where nothing was trained."""
        return self.column("curves/loss")[trial, : self.column("curves/length")[trial]].astype(np.float64)

    def answers(self, trial: int) -> list[str]:
        """The greedy answers of one trial to the test questions of its fold."""
        return self._answers("items", trial, int(self.trials.at[trial, "fold"]))

    def baseline_answers(self, fold: int) -> list[str]:
        """The unedited model's greedy answers to the same questions."""
        return self._answers("baseline/items", fold, fold)

    def item_questions(self, fold: int) -> NDArray[np.int64]:
        """Rows of `questions` of the test questions of a fold, in the order of its items."""
        return self.column("items/question")[fold, self.places(fold)].astype(np.int64)

    def to_xarray(self) -> "xarray.Dataset":
        """All trials, items and curves as one Dataset with named coordinates."""
        from .arrays import to_xarray  # xarray takes a moment to load, and few need it

        return to_xarray(self)

    def _answers(self, group: str, row: int, fold: int) -> list[str]:
        first = row * self.item_part.shape[1]
        offsets = self.column(f"{group}/answer_offsets")[first : first + self.item_part.shape[1] + 1]
        with _open(self.path) as file:  # a large sweep has many answers: only those asked for are read
            data = bytes(file[f"{group}/answer_bytes"][offsets[0] : offsets[-1]])
        ends = offsets - offsets[0]
        return [data[ends[place] : ends[place + 1]].decode("utf-8", "replace") for place in self.places(fold)]

    def _items(self, path: str, row: int, places: NDArray[np.int64]) -> NDArray[np.float64]:
        evaluated = self.column(f"{path.rsplit('/', 1)[0]}/count")[row] > 0
        values = self.column(path)[row, places].astype(np.float64)
        if path.endswith("/info") and not self.info_judged:
            values = _ones_where_known(self.column(f"{path.rsplit('/', 1)[0]}/truth")[row, places])
        return values if evaluated else np.full(values.shape, np.nan)

    def _parts_of_items(self) -> NDArray[np.int64]:
        question = self.column("items/question").astype(np.int64)  # -1: none
        part = np.take_along_axis(self.column("questions/part").astype(np.int64), question.clip(0), axis=1)
        return np.where(question < 0, -1, part - 1)  # 0 is training

    def _table(self, group: str, names: tuple[str, ...]) -> pd.DataFrame:
        table = pd.DataFrame({name: self.column(f"{group}/{name}") for name in names})
        flags = FLAGS.get(group, ())
        return table.astype(dict.fromkeys(flags, bool))

    def _metrics(self, group: str) -> pd.DataFrame:
        table = pd.DataFrame(
            {f"{part}_{name}": self.column(f"{group}/{part}/{name}") for part in PARTS for name in METRICS}
        ).astype(np.float64)
        for part in () if self.info_judged else PARTS:
            truth = table[f"{part}_truth"]
            table[f"{part}_info"] = _ones_where_known(truth.to_numpy())
            table[f"{part}_truth_info"] = table[f"{part}_both"] = truth
        return table

    def _joined_trials(self) -> pd.DataFrame:
        trials = pd.concat([self._table("trials", TRIAL_COLUMNS), self._metrics("metrics")], axis=1)
        about = self.locations.drop(columns="fold").iloc[trials["location"].to_numpy()]
        return pd.concat([trials, about.reset_index(drop=True)], axis=1)


def _open(path: Path) -> h5py.File:
    if not path.is_file():
        raise BadResults(f"{path}: no such file. {_way_out(path)}")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise BadResults(f"{path}: not a whole HDF5 file. {_way_out(path)}") from error


def _check_version(path: Path, attributes: dict[str, str | int | float]) -> None:
    found = attributes.get("format", "none")
    if found != FORMAT:
        raise BadResults(f"{path}: format '{found}', '{FORMAT}' is due. {_way_out(path)}")
    version = str(attributes.get("version", "none"))
    major, _, minor = version.partition(".")
    due_major, due_minor = map(int, VERSION.split("."))
    if major != str(due_major) or not minor.isdecimal() or int(minor) < due_minor:
        raise BadResults(
            f"{path}: version {version}, this report reads {VERSION} and later {due_major}.x. "
            f"Use the analysis of the headsweep that wrote it, or gather the sweep again with this one."
        )


def _check_words(path: Path, column: str, words: pd.Series, known: tuple[str, ...]) -> None:
    unknown = sorted(set(words) - set(known))
    if unknown:
        raise BadResults(f"{path}: {column}: '{unknown[0]}', this report knows {', '.join(known)}.")


def _tell_lora_apart(trials: pd.DataFrame) -> pd.Series:
    """The edit of each trial, with rank and targets of a lora beyond rank 1 on o_proj, and its rate where two differ."""
    lora = trials[trials["edit"] == "lora"]
    words = trials["edit"].copy()
    for (rank, targets), rows in lora.groupby(["rank_of_edit", "targets"], sort=False):
        where = "all linear" if set(targets.split()) == set(LINEAR) else targets
        plain = (rank, targets) == (1, "o_proj")
        words[rows.index] = "lora" if plain else f"lora rank {rank}, {where}"
        if rows["lora_rate"].nunique() > 1:
            rates = [f", rate {rate:g}" if rate else ", usual rate" for rate in rows["lora_rate"]]
            words[rows.index] = [word + rate for word, rate in zip(words[rows.index], rates, strict=True)]
    return words


def _ones_where_known(values: NDArray) -> NDArray[np.float64]:
    return np.where(np.isnan(values), np.nan, 1.0)


def _way_out(path: Path) -> str:
    return f"`headsweep gather {path.parent}` writes results.h5 of a sweep folder from its parts."


def _plain(value: object) -> str | int | float:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return value.item() if isinstance(value, np.generic) else str(value)
