"""Copies as people make them, through the command line: any angle, light and crop, in any split."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.simulate.render import render_cell

CODES = ("SNE", "LY", "MO")


def _image(code: str, number: int) -> Image.Image:
    rng = np.random.default_rng([number, *map(ord, code)])
    return Image.fromarray(render_cell(code, rng, 160).image)


def _draw(folder: Path, count: int, start: int = 0) -> None:
    for code in CODES:
        (folder / code).mkdir(parents=True, exist_ok=True)
        for number in range(start, start + count):
            _image(code, number).save(folder / code / f"{number:03d}.png")


def _audit(data: Path, out: Path, *options: str) -> tuple[int, str, dict[str, dict]]:
    result = CliRunner().invoke(app, ["audit", str(data), "--out", str(out), *options])
    checks = json.loads((out / "audit.json").read_text())["checks"]
    said = " ".join((result.stdout + result.stderr).split())
    return result.exit_code, said, {check["check"]: check for check in checks}


def _change(image: Image.Image, how: float | str) -> Image.Image:
    if how == "zoom":
        return image.crop((32, 32, 128, 128)).resize((160, 160))
    if isinstance(how, str):
        return ImageEnhance.Brightness(image).enhance(float(how[1:]))
    return image.rotate(how, resample=Image.Resampling.BICUBIC, fillcolor=(235, 215, 210))


def test_free_turns_bright_copies_and_tight_crops_are_found(tmp_path: Path) -> None:
    data = tmp_path / "cells"
    _draw(data / "train", 9)
    _draw(data / "val", 2, 50)
    planted = {}
    for code in CODES:
        for number, how in enumerate((3, 6, 10, 15, 30, 45, "x1.6", "x1.8", "zoom")):
            name = f"copy_{how}_{number}.jpg"
            _change(_image(code, number), how).save(data / "val" / code / name, quality=92)
            planted[f"val/{code}/{name}"] = f"train/{code}/{number:03d}.png"
    code, said, checks = _audit(data, tmp_path / "out")
    assert code == 4, said
    found = {
        frozenset(Path(cell["path"]).relative_to(data).as_posix() for cell in finding["cells"])
        for name in ("near_duplicates", "pristine_twins")
        for finding in checks[name]["findings"]
    }
    assert found == {frozenset(pair) for pair in planted.items()}
    assert "turned by 30 degrees" in said


def test_copies_in_the_only_split_are_a_finding_that_can_be_accepted(tmp_path: Path) -> None:
    data = tmp_path / "cells"
    turns = (lambda image: image, ImageOps.mirror, ImageOps.flip, lambda image: image.rotate(90))
    for code in CODES:
        (data / code).mkdir(parents=True)
        for number in range(4):
            for way, turn in enumerate(turns):
                turn(_image(code, number)).save(data / code / f"{number}{way}.png")
    code, said, checks = _audit(data, tmp_path / "out")
    assert code == 4, said
    assert "which are cut into folds" in said
    findings = checks["near_duplicates"]["findings"]
    assert [len(finding["cells"]) for finding in findings] == [4] * 12
    assert {finding["severity"] for finding in findings} == {"finding"}
    code, said, _ = _audit(data, tmp_path / "out", "--ignore", "near_duplicates")
    assert code == 0, said
    assert "12 accepted" in said


def test_what_is_beyond_reach_is_said_in_table_json_and_page(tmp_path: Path) -> None:
    data = tmp_path / "cells"
    _draw(data, 3)
    code, said, checks = _audit(data, tmp_path / "out")
    assert code == 0, said
    assert checks["far_copies"]["state"] == "not checked"
    limits = checks["far_copies"]["not_checked"]
    assert "crops to under" in limits
    assert "far_copies │ not checked" in said
    page = (tmp_path / "out" / "audit.html").read_text(encoding="utf-8")
    assert limits in page


@pytest.mark.parametrize("fill", [(0, 0, 0), (255, 255, 255)])
def test_strangers_that_were_turned_alike_are_no_pair(tmp_path: Path, fill: tuple) -> None:
    """Their corners are the same; nothing else is."""
    for code in CODES:
        (tmp_path / "cells" / code).mkdir(parents=True)
        for number in range(8):
            turned = _image(code, number).rotate(30, Image.Resampling.BICUBIC, fillcolor=fill)
            turned.save(tmp_path / "cells" / code / f"{number}.png")
    code, said, _ = _audit(tmp_path / "cells", tmp_path / "out")
    assert code == 0, said
