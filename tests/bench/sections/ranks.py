"""Two ranks on two cores: against two separate sweeps at once that share the same work, and against what `headsweep
plan` says of two ranks after a sweep on one."""

import json
from pathlib import Path

from jobs import plan_table, write_job
from place import Child, Place, on_ranks, spread

TITLE = "Two ranks"
TARGET = 0.95


def seconds_of_blocks(sweep: Path) -> float:
    """From the start of the first block to the end of the last."""
    events = [json.loads(line) for log in sweep.glob("state/*.log") for line in log.read_text().splitlines()]
    return (max(event["time"] for event in events if event["event"] == "done")
            - min(event["time"] for event in events if event["event"] == "start"))


def measure(place: Place) -> dict:
    """The sweep has two seeds; each of the separate ones has one of them, so that the work is the same."""
    folder = place.folder("ranks")
    sets = dict(random4=dict(random=dict(size=4, draws=8 if place.quick else 36)))

    def start(name: str, seeds: list[int], ranks: int) -> Child:
        job = write_job(folder / f"{name}.yaml", sets, lanes=4, run=dict(seeds=seeds, lanes=4))
        return Child(*on_ranks(ranks, place.headsweep, "run", job, "-o", place.folder(f"ranks/{name}") / "sweep"))

    alone = folder / "alone" / "sweep"
    start("alone", [0, 1], 1).wait()
    ranks, hours, _ = plan_table(place, folder / "alone.yaml", "--from", alone, "--ranks", 2)[1]
    planned, together, apart = 3600 * hours / ranks, [], []
    for _ in range(min(place.rounds, 2)):
        both = start("both", [0, 1], 2).wait()
        together.append(dict(seconds=both.seconds, cpu=both.cpu,
                             blocks=seconds_of_blocks(folder / "both" / "sweep")))
        halves = [half.wait() for half in [start("one", [0], 1), start("other", [1], 1)]]
        apart.append(dict(seconds=max(half.seconds for half in halves), cpu=sum(half.cpu for half in halves)))
    return dict(together=together, apart=apart, planned=planned, alone=seconds_of_blocks(alone))


def describe(found: dict) -> list[str]:
    def ratio(what: str) -> str:
        return spread([apart[what] / together[what] for apart, together in zip(found["apart"], found["together"])])

    def seconds(which: str) -> str:
        return spread([one["seconds"] for one in found[which]], 1)

    planned = found["planned"]
    return [f"One sweep on 2 ranks: {seconds('together')} s; its two halves as separate sweeps at once: "
            f"{seconds('apart')} s, start-up and gathering in. Efficiency **{ratio('seconds')}** (target {TARGET}); the "
            f"same of CPU seconds, which tells what ranks add where other programs disturb the clock: {ratio('cpu')}.", "",
            f"`headsweep plan --from` the same sweep on one rank ({found['alone']:.1f} s of blocks) says {planned:.1f} s "
            f"for two; they took {spread([one['blocks'] for one in found['together']], 1)} s: off by "
            f"**{spread([100 * (planned / one['blocks'] - 1) for one in found['together']], 1)} %**."]
