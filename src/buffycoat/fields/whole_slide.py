"""Cells of a slide, part by part; a part that is done stays done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from buffycoat.fields import parts
from buffycoat.fields.counting import is_counted
from buffycoat.fields.crops import crop
from buffycoat.fields.field import Field
from buffycoat.fields.find import find, once
from buffycoat.fields.journal import Journal
from buffycoat.fields.parts import Block
from buffycoat.fields.rows import box_of, cell_row, part_row, slide_row
from buffycoat.fields.slides.slide import Slide
from buffycoat.images import write_png
from buffycoat.progress import Reporter

TILE_PX = 4096
"""Side of what is read at once. The cells do not depend on it; memory does, by 3 bytes a pixel."""
Mapper = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]


@dataclass(frozen=True)
class SlideTask:
    """A slide that is searched.

    Attributes:
        slide: It.
        red_px: Diameter of its red cells, in pixels.
        scale_from: Where that is from, in words.
        out: Folder of the crops.
        journal: Of what is done.
        key: Tells results of this slide at this scale from all others.
        tile_px: Side of what is read at once.
    """

    slide: Slide
    red_px: float
    scale_from: str
    out: Path
    journal: Journal
    key: str
    tile_px: int = TILE_PX

    def run(self, mapped: Mapper, reporter: Reporter) -> dict[str, Any]:
        """Rows of the slide ("field"), of its cells ("cells") and parts ("parts").

        And whether it is larger than one part, so that it is a slide of its own ("is_slide").
        """
        rows = parts.grid(self.slide.width, self.slide.height, self.red_px)
        blocks = [block for row in rows for block in row]
        done = {b: r for b in blocks if (r := self.journal.find(self._key(b))) is not None}
        for tile in parts.tiles(rows, self.tile_px):
            missing = [block for block in tile if block not in done]
            if missing:
                done |= self._search(missing, mapped)
            reporter.advance(len(done), len(blocks))
        found = [(block, row) for block in blocks for row in done[block]["cells"]]
        kept = once([box_of(r) for _, r in found], [r["nucleus_area_um2"] for _, r in found])
        cells = [found[n] for n in kept]
        self._write_lost(cells)
        seen = [part for block in blocks for part in done[block]["parts"]]
        return self._rows([row for _, row in cells], seen) | {"is_slide": len(blocks) > 1}

    def _rows(self, cells: list[dict[str, Any]], seen: list[dict[str, Any]]) -> dict[str, Any]:
        name, size = self.slide.name, (self.slide.width, self.slide.height)
        row = slide_row(name, size, (self.red_px, self.scale_from), seen, cells)
        return {"field": row, "cells": cells, "parts": [{"field": name, **one} for one in seen]}

    def _search(self, blocks: Sequence[Block], mapped: Mapper) -> dict[Block, dict[str, Any]]:
        """Read some parts at once and search each."""
        left, top, width, height = parts.around(blocks)
        pixels = self.slide.read(left, top, width, height)

        def search(block: Block) -> dict[str, Any]:
            x, y, across, down = block.whole
            return self._one(block, pixels[y - top : y - top + down, x - left : x - left + across])

        return dict(zip(blocks, mapped(search, blocks), strict=True))

    def _one(self, block: Block, pixels: np.ndarray) -> dict[str, Any]:
        """Rows of one part, the crops of its cells written."""
        done: dict[str, Any] = {"parts": [], "cells": []}
        for box, part in block.pieces(pixels, self.red_px):
            left, top, width, height = box
            view = Field(self.slide.name, pixels[top : top + height, left : left + width])
            found = find(view, self.red_px, part)
            at = (block.whole[0] + left, block.whole[1] + top)
            for cell in found.cells:
                moved = cell.moved(*at)
                counts = is_counted(cell, width, height)
                row = cell_row(view.name, moved, self.red_px, found.quality.faults, counts)
                write_png(self.out / row["path"], crop(view, cell.box, self.red_px))
                done["cells"].append(row)
            done["parts"].append(part_row(parts.shared(block.core, (*at, width, height)), found))
        self.journal.add(self._key(block), done)
        return done

    def _write_lost(self, cells: Sequence[tuple[Block, dict[str, Any]]]) -> None:
        """Crops that somebody removed since."""
        for block in {b: None for b, row in cells if not (self.out / row["path"]).is_file()}:
            self._one(block, self.slide.read(*block.whole))

    def _key(self, block: Block) -> str:
        return f"{self.key} {' '.join(map(str, block.core))}"
