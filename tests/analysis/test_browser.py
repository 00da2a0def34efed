"""The report in a real browser: it fits a phone, asks nobody for anything, and its answers browser works.

Needs chromium (`cmake/setup.sh tests` brings it where that takes no question). Headless Chromium has no windows narrower
than 500 px, so a phone is a frame of 390 px; a small page around it measures, and `--dump-dom` brings the numbers back.
"""

import html
import json
import re
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from made_up import COMPARISON, ITEMS, Design, write_results

from analysis.report import main
from analysis.results import Results

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: `cmake/setup.sh tests` brings it")
PHONE, DESKTOP = 390, 1280
MEASURE = """<!doctype html><body style="margin:0"><iframe src="index.html%s" style="border:0;width:%dpx;height:800px">
</iframe><pre id="out"></pre><script>
const frame = document.querySelector("iframe");
frame.onload = () => {
  const page = frame.contentDocument, root = page.documentElement;
  const within = (each) => each.closest(".scroll, .tall, script, style");
  const wide = [...page.body.querySelectorAll("*")].filter((each) => !within(each) &&
    each.getBoundingClientRect().right > root.clientWidth + 1);
  document.getElementById("out").textContent = JSON.stringify({
    width: root.clientWidth, content: root.scrollWidth, wide: wide.map((each) => each.outerHTML.slice(0, 80)),
    images: [...page.images].map((each) => [each.naturalWidth, each.getBoundingClientRect().width]),
    asked: frame.contentWindow.performance.getEntriesByType("resource").map((each) => each.name)
      .filter((name) => !name.startsWith("data:")),
    chosen: (%s)(page),
  });
};
</script>"""
NOTHING = "(page) => null"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report with long names in it."""
    design = Design(seeds=(0,), edits={"optimal": [0.1, 0.2], "iti": [1.0, 3.0], "lora": [0.1]}, name="a_long_name" * 6)
    design.failed = lambda trial: trial["name"] == "random2[4]"
    path = write_results(tmp_path_factory.mktemp("browser") / "results.h5", design)
    assert main([str(path)]) == 0
    return path.parent / "report"


@pytest.fixture(scope="module")
def of_sweeps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a page of two sweeps by other measures, one of them partial."""
    folder = tmp_path_factory.mktemp("sweeps")
    small = {"sets": ("random2", "top2"), "seeds": (0,), "edits": {"optimal": [0.1, 0.2]}, "draws": 6}
    designs = [Design(model="first_of_two_models", missing=lambda trial: trial["name"] == "random2[3]", **small)]
    designs += [Design(model="second_of_two_models", comparison=COMPARISON | {"score": "mc1"}, **small)]
    paths = [write_results(folder / str(place) / "results.h5", design) for place, design in enumerate(designs)]
    assert main([*map(str, paths), "-o", str(folder / "both")]) == 0
    return folder / "both"


def chromium(folder: Path, page: str, *options: str) -> str:
    """Loads a page of the folder and returns its document; no name resolves."""
    alone = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--allow-file-access-from-files"]
    alone += [f"--user-data-dir={folder}/.profile", "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=5000"]
    command = [CHROMIUM, *alone, *options, f"file://{folder}/{page}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout


def measure(folder: Path, width: int, choice: str = "", act: str = NOTHING) -> dict:
    """What a frame of this width shows; `act` is run in it."""
    (folder / "measure.html").write_text(MEASURE % (choice, width, act))
    document = chromium(folder, "measure.html", f"--window-size={max(width, 500)},900", "--dump-dom")
    return json.loads(html.unescape(re.search(r'<pre id="out">(.*?)</pre>', document, re.DOTALL)[1]))


@pytest.mark.parametrize("width", (PHONE, DESKTOP))
def test_nothing_overflows_and_nothing_is_asked_for(report: Path, width: int) -> None:
    seen = measure(report, width)
    assert seen["width"] == width and seen["content"] <= width, seen["wide"]
    assert seen["wide"] == []
    assert seen["asked"] == []
    assert len(seen["images"]) == 8
    for natural, shown in seen["images"]:
        assert 0 < shown <= width
        assert natural * 0.85 < shown, "letters shrink"  # narrow figures on a phone, whole ones on a desk


VERDICT = """(page) => [...page.querySelectorAll(".verdict")].map((each) => {
  const box = each.getBoundingClientRect();
  const there = page.elementFromPoint((box.left + box.right) / 2, box.top + Math.min(box.height / 2, 20));
  return {text: each.innerText.trim(), top: box.top, bottom: box.bottom, width: box.width,
    shown: each.checkVisibility({opacityProperty: true, visibilityProperty: true}) && each.contains(there)};
})"""


@pytest.mark.parametrize(("width", "name"), [(PHONE, "report"), (DESKTOP, "report"), (PHONE, "of_sweeps"), (DESKTOP, "of_sweeps")])
def test_the_verdict_is_seen_first(request: pytest.FixtureRequest, width: int, name: str) -> None:
    (verdict,) = measure(request.getfixturevalue(name), width, "", VERDICT)["chosen"]
    assert "top2 is " in verdict["text"] and "random sets" in verdict["text"]
    assert verdict["shown"] and verdict["width"] > 0.8 * min(width, 1000)
    assert 0 <= verdict["top"] < 400
    assert verdict["bottom"] <= 800 or width == PHONE  # where its end may need a scroll


@pytest.mark.parametrize("width", (PHONE, DESKTOP))
def test_tables_of_sweeps_scroll_in_their_own_box(of_sweeps: Path, width: int) -> None:
    act = """(page) => [...page.querySelectorAll(".scroll")].map((each) => [each.clientWidth, each.scrollWidth])"""
    seen = measure(of_sweeps, width, "", act)
    assert seen["content"] <= width and seen["wide"] == []
    assert len(seen["chosen"]) == 2
    for shown, whole in seen["chosen"]:
        assert shown <= width < whole


ROWS = """(page) => [page.getElementById("answers-count").textContent,
  [...page.querySelectorAll("#answers-rows tr")].map((row) => [...row.cells].map((cell) => cell.innerText))]"""


def test_answers_are_chosen_by_the_address(report: Path) -> None:
    count, rows = measure(report, PHONE, "#answers?edit=ITI&at=top2&show=gained", ROWS)["chosen"]
    results = Results(report.parent / "results.h5")
    trials = results.trials.query("edit == 'iti' and unit == 'top2'")
    trial = trials["validation_truth_info"].idxmax()
    good, before = (
        read("truth") * read("info") == 1
        for read in (lambda name: results.trial_items(name, trial), lambda name: results.baseline_items(name, 0))
    )
    gained = np.flatnonzero(good & ~before)
    assert 0 < gained.size < ITEMS and count.startswith(f"{gained.size} of {ITEMS} test questions; 2 heads, strength ")
    for row, place in zip(rows, gained, strict=True):
        assert row[0] == f"Was ist {place}, bitteschön?"
        assert row[1].startswith(results.baseline_answers(0)[place])
        assert row[2].startswith(results.answers(trial)[place]) and "not" not in row[2]


def test_answers_are_chosen_by_hand(report: Path) -> None:
    act = """(page) => {
      const choose = (name, value) => {
        const field = page.getElementById("choose-" + name);
        field.value = value;
        field.dispatchEvent(new page.defaultView.Event("input"));
      };
      choose("edit", "Optimal"); choose("at", "singles[L1.H2]"); choose("find", "Ist 17,");
      return [(%s)(page), page.location.hash];
    }""" % ROWS
    (count, rows), address = measure(report, DESKTOP, "", act)["chosen"]
    assert count.startswith(f"1 of {ITEMS} test questions; 1 head, ")
    assert [row[0] for row in rows] == ["Was ist 17, bitteschön?"]
    assert address == "#answers?edit=Optimal&at=singles%5BL1.H2%5D&show=all&find=Ist+17%2C"


def test_screenshot_and_print(report: Path, tmp_path: Path) -> None:
    picture, sheet = tmp_path / "report.png", tmp_path / "report.pdf"
    chromium(report, "index.html", f"--window-size={DESKTOP},2000", f"--screenshot={picture}")
    assert struct.unpack(">II", picture.read_bytes()[16:24]) == (DESKTOP, 2000)
    assert picture.stat().st_size > 100_000  # not a white page
    chromium(report, "index.html", f"--print-to-pdf={sheet}")
    assert len(re.findall(rb"/Type /Page\b", sheet.read_bytes())) > 3
