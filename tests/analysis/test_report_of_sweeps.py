"""The report of several sweeps: one page that sets them side by side, measures apart."""

import re
from pathlib import Path

import pandas as pd
import pytest
from made_up import COMPARISON, Design, write_results
from test_report import draw_only, words_of

from analysis import report
from analysis.report import main


def test_several_sweeps_stand_side_by_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "save", draw_only)
    small = {"sets": ("random2", "top2"), "seeds": (0,), "edits": {"optimal": [0.1, 0.2]}}
    paths = [
        write_results(tmp_path / name / "results.h5", Design(model=name, draws=draws, **small))
        for name, draws in (("first", 6), ("second", 9))
    ]
    assert main([*map(str, paths), "-o", str(tmp_path / "both")]) == 0
    text = capsys.readouterr().out
    assert "== first" in text and "== second" in text
    page = (tmp_path / "both" / "index.html").read_text(encoding="utf-8")
    for name in ("first", "second"):
        assert f'href="{name}/index.html"' in page and (tmp_path / "both" / name / "index.html").exists()
    table = pd.read_csv(tmp_path / "both" / "tables" / "sweeps.csv")
    assert table[["sweep", "draws"]].to_numpy().tolist() == [["first", 6], ["second", 9]]
    assert (tmp_path / "both" / "figures" / "forest_of_sweeps.svg").exists()


def test_sweeps_by_other_measures_stand_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "save", draw_only)
    small = {"sets": ("random2", "top2"), "seeds": (0,), "edits": {"optimal": [0.1, 0.2]}}
    lost = {"missing": lambda trial: trial["name"] in ("random2[3]", "random2[4]")}
    designs = {
        "judged": Design(model="judged", draws=8, **small, **lost),
        "chosen": Design(model="chosen", draws=9, comparison=COMPARISON | {"score": "mc1", "level": 0.2}, **small),
    }
    paths = [write_results(tmp_path / name / "results.h5", design) for name, design in designs.items()]
    assert main([*map(str, paths), "-o", str(tmp_path / "both")]) == 0
    page = (tmp_path / "both" / "index.html").read_text(encoding="utf-8")
    first, second = page.split("<h3>By ")[1:]
    assert first.startswith("Truth*Info</h3>") and second.startswith("MC1</h3>")
    assert page.count('<div class="scroll"') == 2 and page.count('id="figure-forest_of_sweeps_') == 2
    rows = pd.read_csv(tmp_path / "both" / "tables" / "sweeps.csv").set_index("sweep")
    told, alone = (cells_of(part) for part in (first, second))
    for name, cells in (("judged", told), ("chosen", alone)):
        of = rows.loc[name]
        assert [cells[word] for word in ("model", "behaviour", "role")] == [name, "truthfulness", "primary"]
        assert cells["among (matched in)"] == "random2 (layers)"
        assert cells["questions"] == "40 in 20 groups" and cells["level"] == f"{of['level']:g}"
        assert cells[f"claimed set's {of['measure']}"] == f"{of['score']:.3f} [{of['low']:.3f}, {of['high']:.3f}]"
        ends = f"[{of['difference_low']:.3f}, {of['difference_high']:.3f}]"
        assert cells["random minus claimed"] == f"{of['random_minus_claimed']:.3f} {ends}"
        assert cells["equivalence"].startswith(of["equivalence"]) and " 0.05 (p = " in cells["equivalence"]
    assert told["draws"] == "6 of 8" and told["joint p at worst"] == f"{rows.loc['judged', 'cautious_joint_p']:.2g}"
    assert float(told["joint p at worst"]) > float(told["joint p"])
    assert alone["draws"] == "9" and alone["rank p"] == alone["rank p at worst"] and "joint p" not in alone


def cells_of(part: str) -> dict[str, str]:
    """The one row of a part's table, by its header."""
    names, cells = (re.findall(rf"<{tag}[ >][^<]*</{tag}>", part) for tag in ("th", "td"))
    return dict(zip(*([words_of(each).strip() for each in those] for those in (names, cells)), strict=True))
