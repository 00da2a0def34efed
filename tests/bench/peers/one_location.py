"""Trains rank-1 edits one location at a time, as users of today's Python stack do, and times each optimiser step.

    one_location.py --model DIR --pairs FILE.jsonl --locations "3:5;0:1,2:7" --methods trl,trl_pre,lean_hook --steps 16

Methods: trl and trl_pre (trl_loop.py), lean_hook and lean_peft (lean.py). One JSON line for each location and method,
the methods in turn: CPU seconds of a step (median, the first `--skip` left out), of the set-up and of pi0, and the
losses. With --precision bf16 the lean loop holds bfloat16 weights and TRL computes under autocast, its own default.
"""

import argparse
import json
import logging
import os
import statistics
import warnings
from pathlib import Path

os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from task import Location, Pair, Report, Setting, read_locations, read_pairs

METHODS = ("trl", "trl_pre", "lean_hook", "lean_peft")


class Peers:
    """Runs any method; the lean loop's model is loaded when first needed, and kept."""

    def __init__(self, pairs: list[Pair], setting: Setting) -> None:
        self.pairs, self.setting, self._lean = pairs, setting, None

    def run(self, location: Location, method: str) -> Report:
        if method.startswith("trl"):
            from trl_loop import train_trl  # slow to import
            return train_trl(location, method, self.pairs, self.setting)
        if self._lean is None:
            from lean import LeanLoop
            self._lean = LeanLoop(self.pairs, self.setting)
        return self._lean.run(location, method)

    @property
    def lean_reference_seconds(self) -> float:
        """Of pi0, once for all locations."""
        return self._lean.reference_seconds if self._lean else 0.0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--locations", type=read_locations, required=True)
    parser.add_argument("--methods", default="trl,trl_pre,lean_hook")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--skip", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    options.methods = options.methods.split(",")
    unknown = set(options.methods) - set(METHODS)
    if unknown or options.skip >= options.steps:
        parser.error(f"--methods: {', '.join(METHODS)}; --skip below --steps")
    return options


def line_of(location: Location, method: str, report: Report, skip: int) -> dict:
    return dict(method=method, location=location.name, first_layer=location.first_layer,
                step_s=statistics.median(report.steps[skip:]), setup_s=report.setup, precompute_s=report.precompute,
                losses=[round(loss, 6) for loss in report.losses])


def main() -> None:
    options = read_options()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(options.threads)
    setting = Setting(model=options.model, steps=options.steps, batch=options.batch, precision=options.precision,
                      learning_rate=options.learning_rate, device=options.device)
    batches = -(-setting.steps // options.epochs)
    peers = Peers(read_pairs(options.pairs, batches * setting.batch), setting)
    for location in options.locations:
        for method in options.methods:
            line = line_of(location, method, peers.run(location, method), options.skip)
            if method.startswith("lean"):
                line["reference_s"] = peers.lean_reference_seconds
            print(json.dumps(line | dict(precision=options.precision)), flush=True)


if __name__ == "__main__":
    main()
