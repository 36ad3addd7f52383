"""The field of view around a cell, and a picture that is gone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("review_page")]

CELLS = {"SNE": (30.0, 30.0), "LY": (62.0, 58.0)}


@pytest.fixture(scope="module")
def cut_cells(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Two cells cut out of a rendered field, as `crop` leaves them; the picture of one is gone."""
    from buffycoat.images import write_png
    from buffycoat.simulate.fields import Placed, render_field

    folder: Path = tmp_path_factory.mktemp("cut")
    field = render_field([Placed(c, *at) for c, at in CELLS.items()], np.random.default_rng(1))
    for name in ("fields", "cells"):
        (folder / name).mkdir()
    write_png(folder / "fields" / "field.png", field.image)
    rows = []
    for code, (left, top, width, height) in zip(CELLS, field.boxes, strict=True):
        name = f"{code}.png"
        write_png(folder / "cells" / name, field.image[top : top + height, left : left + width])
        box = f"{left},{top},{width},{height}"
        around = 2 * (left + width // 2) + 20  # 10 px more than there is on the left
        rows.append(
            {"path": name, "field": "field.png", "box": box, "label": code,
             "crop_px": around if code == "SNE" else width}
        )  # fmt: skip
    size = {"field": "field.png", "width": field.image.shape[1], "height": field.image.shape[0]}
    pd.DataFrame([size]).to_csv(folder / "cells" / "fields.csv", index=False)
    pd.DataFrame(rows).to_csv(folder / "cells" / "cells.csv", index=False)
    table = pd.DataFrame({"cell_id": [*CELLS, "BA"], "label": [*CELLS, "BA"]})
    table["cell_id"] += ".png"
    table["is_counted"] = table["label"] != "LY"  # as if the right border cut it
    table["field"], table["field_faults"] = "field.png", ""
    table.to_csv(folder / "predictions.csv", index=False)
    return SimpleNamespace(
        predictions=folder / "predictions.csv", images=folder / "cells", fields=folder / "fields"
    )


def test_the_field_around_a_cell_is_shown(serve, open_page, cut_cells, wait_until):
    server = serve("--fields", str(cut_cells.fields), of=cut_cells)
    page = open_page(f"{server.url}#/slides/1/first")
    page.wait_for_selector(".cell:focus")
    page.get_by_role("button", name="Field of view").click()
    shown = page.get_by_alt_text("Field of view around the cell")
    shown.wait_for()
    wait_until(page, "document.querySelector('.viewer img').naturalWidth >= 400")
    page.locator('[data-code="LY"] .cell').click()
    assert page.get_by_role("button", name="Field of view").get_attribute("aria-pressed") == "true"
    page.locator('[data-code="BA"] .cell').click()
    assert page.get_by_role("button", name="Field of view").count() == 0
    assert "picture missing" in page.locator('[data-code="BA"] .cell').inner_text()
    page.get_by_role("tab", name="Differential").click()
    page.get_by_role("button", name="Sign …").click()
    told = page.get_by_role("dialog")
    told.wait_for()
    assert "1 picture missing: nobody can see these cells" in told.inner_text()
    assert "1 of the cells not counted: cut by the right or lower border" in told.inner_text()
    page.keyboard.press("Escape")
    left_out = page.locator('[data-code="LY"] .cell')
    assert "not counted" in left_out.inner_text()
    assert "not counted: cut by the right or lower border" in left_out.get_attribute("aria-label")


def test_what_is_mirrored_beyond_the_field_is_hatched(serve, open_page, cut_cells):
    server = serve("--fields", str(cut_cells.fields), of=cut_cells)
    page = open_page(f"{server.url}#/slides/1/first")
    page.wait_for_selector(".cell:focus")
    assert page.locator(".grid .mirrored").count() == 1
    page.locator('[data-code="SNE"] .cell').click()
    page.get_by_text("Hatched: outside of the field of view").wait_for()
    shown = page.evaluate("getComputedStyle(document.querySelector('.viewer .mirrored')).clipPath")
    assert "evenodd" in shown
    page.get_by_role("button", name="Field of view").click()
    page.locator(".viewer .mirrored").wait_for(state="detached")
    page.locator('[data-code="LY"] .cell').click()
    assert page.get_by_text("Hatched").count() == 0
