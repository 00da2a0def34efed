"""The localiser on outputs of a LLaMA's size (probe.cpp)."""

import json

from place import Place, run

TITLE = "Localiser"


def measure(place: Place) -> dict:
    taken = run(place.bench("probe"), "--benchmark_format=json", "--benchmark_min_time=0.05")
    one = json.loads(taken.out)["benchmarks"][0]
    return dict(heads_a_second=one["items_per_second"], seconds=one["cpu_time"])


def describe(found: dict) -> list[str]:
    return [f"Regression, area under the curve, direction and sigma of 32 x 32 heads of width 128, fitted on 6,000 texts, scored on 2,000 (target: 60 s): "
            f"**{found['seconds']:.1f} CPU seconds** ({found['heads_a_second']:.1f} heads a second)."]
