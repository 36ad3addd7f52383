"""Planted copies: the audit beside imagededup and cleanvision, by the code of `audit_planted`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.audit_planted import score
from benchmarks.comparison.rows import Place, Row, better_of, once, run, versions

PLANTED = 20
"""Copies of each kind and strength; the stored table has 60."""
HASHES = ("phash", "dhash", "whash")
PLAIN = ("JPEG", "resized to 128", "turned 0")
"""Kinds without a turn, a crop or other light: what a hash is made for."""
ALONE = Path(__file__).resolve().parents[1] / "audit_rivals.py"


def rows(place: Place) -> list[Row]:
    """Copies found, false pairs and processor time of each tool."""
    known = versions(place.rivals, "imagededup", "cleanvision")
    folder = place.work / "copies"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=place.work) as fresh:
            planted = Path(fresh) / "copies"
            here = [sys.executable, "-m", "benchmarks.audit_planted", "plant", planted]
            run([*here, "--data", place.shared / "pbc-lt", "--planted", str(PLANTED)])
            planted.rename(folder)
    found = {"audit": _figures(place, folder, "audit")}
    for tool in (*HASHES, "cleanvision"):
        found[tool] = _figures(place, folder, tool)
    ours = found["audit"]
    hashes = max(HASHES, key=lambda tool: found[tool]["all"])
    names = {
        hashes: f"imagededup {known['imagededup']}, {hashes}, the best of three hashes",
        "cleanvision": f"cleanvision {known['cleanvision']}",
    }
    left = {
        hashes: "the kinds of copies are our choice: cells are turned and cropped; imagededup's "
        "CNN, which downloads its weights",
        "cleanvision": "the same choice; its checks of blur, light and odd sizes",
    }
    made = []
    for tool, name in names.items():
        theirs = found[tool]
        made += [
            Row(
                "audit",
                f"copies found of {ours['planted']} planted, all kinds, PBC-LT's training cells",
                name,
                f"{ours['all']}",
                f"{theirs['all']}",
                better_of(ours["all"], theirs["all"], 0, is_higher_better=True),
                "run",
                left[tool],
            ),
            Row(
                "audit",
                f"copies found of {ours['plain_planted']} only encoded again or made smaller",
                name,
                f"{ours['plain']}",
                f"{theirs['plain']}",
                better_of(ours["plain"], theirs["plain"], 0, is_higher_better=True),
                "run",
            ),
            Row(
                "audit",
                "pairs of two photographs, of which PBC-LT holds some twice",
                name,
                f"{ours['false']}",
                f"{theirs['false']}",
                better_of(ours["false"], theirs["false"], 2, is_higher_better=False),
                "run",
            ),
            Row(
                "audit",
                "processor time of the search",
                name,
                f"{ours['cpu_s']:.0f} s",
                f"{theirs['cpu_s']:.0f} s",
                better_of(ours["cpu_s"], theirs["cpu_s"], 2, is_higher_better=False),
                "run",
            ),
        ]
    return made


def _figures(place: Place, folder: Path, tool: str) -> dict[str, Any]:
    """Copies found by one tool, and its processor time."""
    pairs = place.work / f"pairs-{tool}.csv"

    def search() -> dict[str, Any]:
        if tool == "audit":
            command = [sys.executable, "-m", "benchmarks.audit_planted", "search", folder]
        else:
            command = [place.rivals, ALONE, folder, tool]
        printed, _ = run([*command, "--out", pairs])
        told = json.loads(printed.splitlines()[-1])
        table, false = score(folder, pairs)
        plain = [row for row in table if f"{row['kind']} {row['strength']}".startswith(PLAIN)]
        plain = [row for row in plain if "turned by" not in str(row["strength"])]
        return {
            "planted": sum(int(str(row["planted"])) for row in table),
            "all": sum(int(str(row["found"])) for row in table),
            "plain_planted": sum(int(str(row["planted"])) for row in plain),
            "plain": sum(int(str(row["found"])) for row in plain),
            "false": len(false),
            "cpu_s": told["cpu_s"],
        }

    return once(place.work / f"copies-{tool}.json", search)
