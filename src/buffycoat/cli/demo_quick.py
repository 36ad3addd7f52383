"""`buffycoat demo --quick`: drawn fields of one slide, counted with the starter bundle."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from buffycoat.cli.demo_review import Shown
from buffycoat.cli.progress import make_reporter

if TYPE_CHECKING:
    import numpy as np

    from buffycoat.progress import Reporter
    from buffycoat.simulate.fields import Placed

SLIDE = "slide-1"
FIELDS = 8
CELLS = (
    *["SNE"] * 14, *["LY"] * 7, *["MO"] * 3, *["EO"] * 2, "BA", "BNE", "BNE", "MMY", "MY", "ERB",
)  # fmt: skip
"""White cells on the slide, in the shares of blood with a left shift: four a field."""
SIZE_PX = 640
SEED = 0
PLACES_UM = (22.0, 68.0)
"""Where cells lie, from the left and from the top: well apart, and off the border."""
SHIFT_UM = 6.0


def count_drawn_fields(out: Path) -> Shown:
    """Draw fields, find and classify their cells, count them, and write the pages.

    Args:
        out: Folder for the fields and for the results.
    """
    from buffycoat.cli.differential import BLAST_THRESHOLD, THRESHOLD
    from buffycoat.cli.field_differential import CELLS as CROPS
    from buffycoat.cli.field_differential import PREDICTIONS, Finding, count_fields
    from buffycoat.evaluate.counting import Counting
    from buffycoat.evaluate.differential import BLAST, IMMATURE

    fields, results = out / "fields", out / "differential"
    with make_reporter() as reporter:
        _draw(fields / SLIDE, reporter)
    asked = Counting(
        by="slide_id",
        groups=None,
        calibration=None,
        calibration_labels=None,
        thresholds={IMMATURE: THRESHOLD, BLAST: BLAST_THRESHOLD},
        max_doubtful=1.0,  # drawn cells are unlike photographs, and the figures are no findings
        taxonomy="auto",
        count_faulty=False,
    )
    drawn = ", ".join(f"{n} {code}" for code, n in Counter(CELLS).items())
    caveat = (
        "These cells are drawn, and the starter has learned from photographs: expect many wrong "
        "classes. The figures show that everything works, and say nothing about blood. Drawn "
        f"were {drawn}."
    )
    count_fields("starter", fields, results, asked, Finding(None, None, 0), caveat)
    return Shown(results / PREDICTIONS, results / CROPS, fields)


def _draw(folder: Path, reporter: Reporter) -> None:
    """Draw the fields that are not there yet."""
    import numpy as np

    from buffycoat.images import write_png
    from buffycoat.simulate.fields import render_field

    codes = np.random.default_rng(SEED).permutation(CELLS).reshape(FIELDS, -1)
    reporter.start("draw", f"{FIELDS} fields")
    for number, some in enumerate(codes):
        path = folder / f"{number:02d}.png"
        if not path.exists():  # a picture is there whole or not at all
            rng = np.random.default_rng([SEED, number])
            write_png(path, render_field(_placed(some, rng), rng, SIZE_PX).image)
        reporter.advance(number + 1, FIELDS)
    reporter.finish(f"{len(CELLS)} white cells")


def _placed(codes: np.ndarray, rng: np.random.Generator) -> list[Placed]:
    from buffycoat.simulate.fields import Placed

    spots = [(x, y) for x in PLACES_UM for y in PLACES_UM]
    shifts = rng.uniform(-SHIFT_UM, SHIFT_UM, (len(spots), 2))
    return [
        Placed(str(code), x + dx, y + dy)
        for code, (x, y), (dx, dy) in zip(codes, spots, shifts, strict=True)
    ]
