"""Two ranks on two cores against two separate sweeps at once that share the same work."""

from jobs import write_job
from place import Child, Place, on_ranks, spread

TITLE = "Two ranks"
TARGET = 0.95


def measure(place: Place) -> dict:
    """The sweep has two seeds; each of the separate ones has one of them, so that the work is the same."""
    folder = place.folder("ranks")
    sets = dict(random4=dict(random=dict(size=4, draws=8 if place.quick else 36)))

    def start(name: str, seeds: list[int], ranks: int) -> Child:
        job = write_job(folder / f"{name}.yaml", sets, lanes=4, run=dict(seeds=seeds, lanes=4))
        return Child(*on_ranks(ranks, place.headsweep, "run", job, "-o", place.folder(f"ranks/{name}") / "sweep"))

    together, apart = [], []
    for _ in range(min(place.rounds, 2)):
        both = start("both", [0, 1], 2).wait()
        together.append(dict(seconds=both.seconds, cpu=both.cpu))
        halves = [half.wait() for half in [start("one", [0], 1), start("other", [1], 1)]]
        apart.append(dict(seconds=max(half.seconds for half in halves), cpu=sum(half.cpu for half in halves)))
    return dict(together=together, apart=apart)


def describe(found: dict) -> list[str]:
    def ratio(what: str) -> str:
        return spread([apart[what] / together[what] for apart, together in zip(found["apart"], found["together"])])

    def seconds(which: str) -> str:
        return spread([one["seconds"] for one in found[which]], 1)

    return [f"One sweep on 2 ranks: {seconds('together')} s; its two halves as separate sweeps at once: "
            f"{seconds('apart')} s, start-up and gathering in. Efficiency **{ratio('seconds')}** (target {TARGET}); the "
            f"same of CPU seconds, which tells what ranks add where other programs disturb the clock: {ratio('cpu')}."]
