"""Seconds of `make demo` where all is built: the quickstart sweep on 2 ranks and its report."""

from place import Place, run

TITLE = "make demo"


def measure(place: Place) -> dict:
    folder = place.folder("demo")
    taken = run("make", "demo", f"BUILD={place.build}", f"DEMO={folder / 'sweep'}")
    return dict(seconds=taken.seconds, cpu=taken.cpu)


def describe(found: dict) -> list[str]:
    return [f"From a built tree, 2 ranks: **{found['seconds']:.0f} s** ({found['cpu']:.0f} CPU seconds)."]
