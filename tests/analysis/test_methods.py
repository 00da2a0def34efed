"""The methods text: every test with its source, and nothing that the sweep does not use."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

from made_up import COMPARISON, Design

import analysis
from analysis.findings import find
from analysis.results import Results
from analysis.show.methods import methods
from analysis.show.page import make_page, partial_text

Write = Callable[[Design], Path]

SOURCES = ("Phipson and Smyth", "Berger 1982", "Besag and Clifford 1991", "Bonferroni", "Hesterberg 2015", "Owen 2007")
SOURCES += ("Satterthwaite", "Clopper and Pearson", "Miller 2024", "Janssen 1997", "Schuirmann 1987", "Tango 1998", "Holm (1979)")
SOURCES += ("Benjamini and Hochberg (1995)", "Westfall and Young 1993", "Welch", "jackknife", "trapezoid", "2,000 resamples")
SOURCES += ("of the loss of no edit", "seeds of the analysis' own: 0", "Secondary and exploratory p-values are not adjusted")


def test_every_test_is_named_with_its_source(write: Write) -> None:
    results = Results(write(Design(sets=("singles", "random2", "top2"), draws=3)))
    told = methods(results)
    text = "\n".join(told["Statistics"])
    for words in SOURCES:
        assert words in text
    assert "Weerahandi" not in text  # with two seeds nothing is split
    assert "60 questions in 30 groups, which are never split" in told["Model and data"][1]
    own = tomllib.loads((Path(analysis.__file__).parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"headsweep_analysis {own}, numpy " in told["Versions"][-1]
    (reading,) = re.findall('<section id="reading">(.*?)</section>', make_page(find(results), []), re.DOTALL)
    assert "are not adjusted for their number unless" in reading


def test_what_the_sweep_does_not_use_is_left_out(write: Write) -> None:
    design = Design(sets=("random2", "top2"), edits={"iti": [1.0]}, group_size=1, comparison=COMPARISON | {"score": "mc1"})
    told = methods(Results(write(design)))
    text = "\n".join(told["Statistics"])
    for words in ("max-statistic (Westfall", "jackknife", "converged", "Berger", "Welch", "group of questions"):
        assert words not in text
    assert "60 questions; one split" in told["Model and data"][1]


def test_one_of_a_thing_is_singular(write: Write) -> None:
    small = {"sets": ("top2",), "seeds": (0,), "edits": {"optimal": [0.1]}}
    results = Results(write(Design(**small, missing=lambda trial: True)))
    told = methods(results)
    assert "top2: 1 location of kind top, 2 heads." in told["Locations"]
    assert told["Outcome"][0].startswith("1 trial: 0 done") and "Seed of training: 0." in told["Edits and training"][-1]
    assert partial_text(results) == "This sweep is partial: of 1 trial 1 has no outcome yet."
