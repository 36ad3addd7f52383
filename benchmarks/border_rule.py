"""What share of large cells a differential shows, by which of the cells cut by a border count.

    python -m benchmarks.border_rule

strews squares of two sizes over a plane and prints, for two sizes of field, the share of large ones
among all that are seen, among whole ones, and among those that `fields.counting` counts.
"""

from __future__ import annotations

import numpy as np

from buffycoat.fields.counting import is_counted
from buffycoat.fields.find import FoundCell

N_CELLS = 400_000
TRUE_SHARE = 0.06
"""Of monocytes in healthy blood, about."""
FIELDS = {
    "640 x 480 px, cells of 250 and 130 px (as `bccd`)": ((640, 480), 250, 130),
    "1440 x 900 px, cells of 190 and 110 px (as `chula`)": ((1440, 900), 190, 110),
}


def shares(size: tuple[int, int], large_px: int, small_px: int) -> tuple[float, float, float]:
    """Share of large cells among those seen, those whole, and those that count."""
    rng = np.random.default_rng(0)
    is_large = rng.random(N_CELLS) < TRUE_SHARE
    side = np.where(is_large, large_px, small_px)[:, None]
    corner = rng.uniform(-large_px, np.array(size) + large_px, (N_CELLS, 2))
    low, high = np.maximum(corner, 0), np.minimum(corner + side, size)
    is_seen = (high - low > 1).all(axis=1)
    is_cut = ((corner < 0) | (corner + side > size)).any(axis=1)[is_seen]
    boxes = np.hstack([np.floor(low), np.ceil(high) - np.floor(low)])[is_seen].astype(int)
    counts = np.array([
        is_counted(FoundCell((*box,), np.zeros((0, 2)), bool(cut), 1.0, 1.0, 1.0, "cell"), *size)
        for box, cut in zip(boxes.tolist(), is_cut, strict=True)
    ])  # fmt: skip
    seen = is_large[is_seen]
    return float(seen.mean()), float(seen[~is_cut].mean()), float(seen[counts].mean())


def main() -> None:
    print(f"True share {TRUE_SHARE:.1%}")
    for name, field in FIELDS.items():
        every, whole, counted = shares(*field)
        print(f"{name}: all {every:.1%}, whole {whole:.1%}, by the rule {counted:.1%}")


if __name__ == "__main__":
    main()
