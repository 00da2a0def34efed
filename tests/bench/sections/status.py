"""What `headsweep status` takes on a sweep of 20,000 trials, half of them done by 64 ranks."""

import json
from pathlib import Path

import h5py

from jobs import write_job
from place import Place, run

TITLE = "Status of 20,000 trials"
DRAWS, RANKS, STOPPED = 2000, 64, 5


def begin_sweep(folder: Path, headsweep: Path, draws: int) -> Path:
    """A sweep of `draws` sets and ten seeds with one finished block."""
    job = write_job(folder / "job.yaml", dict(pairs=dict(random=dict(size=2, draws=draws))),
                    run=dict(seeds=list(range(10))), training=dict(epochs=1),
                    evaluation=dict(answers=["test"], choice=[], max_new_tokens=4))
    run(headsweep, "run", job, "-o", folder / "sweep", "--limit", 1, allowed=(STOPPED,))
    return folder / "sweep"


def pretend_done(sweep: Path) -> tuple[int, int]:
    """Writes the log lines of half of the blocks; (trials, blocks) of the plan."""
    with h5py.File(next(sweep.glob("header-*.h5"))) as header:
        blocks = [name.decode() for name in header["blocks/name"][()]]
        trials = len(header["trials/hash"])
    first = json.loads((sweep / "state" / "rank-00000.log").read_text().splitlines()[0])["time"]
    for place, block in enumerate(blocks[::2]):
        event = dict(rank=place % RANKS, block=block, trials=8, time=first - 3600 + 60 * (place // RANKS))
        lines = [event | dict(event="start", host="n1"), event | dict(event="done", seconds=60, bytes=10**6, part_hash="0" * 16)]
        with (sweep / "state" / f"rank-{place % RANKS:05}.log").open("a") as log:
            log.write("".join(json.dumps(line) + "\n" for line in lines))
    return trials, len(blocks)


def measure(place: Place) -> dict:
    sweep = begin_sweep(place.folder("status"), place.headsweep, DRAWS // 10 if place.quick else DRAWS)
    trials, blocks = pretend_done(sweep)
    looks = [run(place.headsweep, "status", sweep) for _ in range(5)]
    return dict(trials=trials, blocks=blocks, seconds=[look.seconds for look in looks], cpu=[look.cpu for look in looks])


def describe(found: dict) -> list[str]:
    return [f"{found['trials']} trials in {found['blocks']} blocks, half of them done by {RANKS} ranks: "
            f"**{min(found['seconds']):.2f} s** (slowest of five: {max(found['seconds']):.2f} s), "
            f"{min(found['cpu']):.2f} CPU seconds."]
