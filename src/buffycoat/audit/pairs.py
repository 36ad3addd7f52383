"""Pairs of cells that show one photograph, exactly or nearly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from buffycoat.audit import overlay, warp
from buffycoat.audit.align import STILL, Alignment, align
from buffycoat.audit.candidates import find_candidates
from buffycoat.audit.scan import Scan
from buffycoat.audit.turned import align_landmarks
from buffycoat.audit.words import find_alike
from buffycoat.cells import Manifest
from buffycoat.images import read

DEGRADED_FROM = 5.0
"""Root mean square difference in gray levels of 255 from which a copy is degraded, and not only
re-encoded; see `difference`. On training cells of PBC-LT 98 % of copies at JPEG quality 50 stay
under 3.8, at quality 20 under 6.7; half of those at severity 2 are over 8, at severity 1 over 3. It
decides what a pair is called, not whether it is found."""
SHIFTED_FROM = 0.97
"""Ratio of sides from which two frames that are not the same are shifted, and not a crop."""
TURNED_FROM = 2.0
"""Degrees under which a turn is not worth a word."""
COMPARE_PX = 192
"""Side at which the difference is measured."""

Kind = Literal["file", "pixels", "picture"]


@dataclass(frozen=True)
class Pair:
    """Two cells with one photograph.

    Attributes:
        first: Row of the manifest.
        second: A later row.
        kind: The same "file", the same "pixels" in another file, or the same "picture".
        correlation: How well the pictures agree once aligned, at most 1.
        difference: Between them, in gray levels, once aligned; 0 for the first two kinds.
        changes: What was done to one of them, in words; empty for the first two kinds.
        is_degraded: Whether one of them is noisier, more blurred or otherwise lit.
        is_shifted: Whether the frames lie beside each other on one field: then another cell may be
            in the centre.
    """

    first: int
    second: int
    kind: Kind
    correlation: float = 1.0
    difference: float = 0.0
    changes: tuple[str, ...] = ()
    is_degraded: bool = False
    is_shifted: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether file or pixels are the same."""
        return self.kind != "picture"

    @property
    def words(self) -> str:
        """What the two are to each other."""
        if self.kind == "file":
            return "the same file, byte for byte"
        if self.kind == "pixels":
            return "the same pixels in another file"
        return f"{' and '.join(self.changes)}; correlation {self.correlation:.2f} once aligned"


def find_pairs(
    manifest: Manifest, found: Scan, on_progress: Callable[[int, int], None] | None = None
) -> list[Pair]:
    """All pairs of cells with one photograph.

    Of pictures that are the same to the pixel, the first stands for all in the search.

    Args:
        manifest: n cells.
        found: Its scan.
        on_progress: Called with (steps done, steps in all).

    Returns:
        In the order of rows, each pair once. Of k cells with the same pixels k - 1 pairs are given,
        each with the first of them.
    """
    exact = _exact(found)
    copies = {pair.second for pair in exact}
    rows = np.array([row for row in np.flatnonzero(found.is_good) if row not in copies], np.int64)
    near = [
        _describe(manifest, first, second, alignment)
        for (first, second), alignment in confirm(found, rows, on_progress).items()
    ]
    return sorted([*exact, *near], key=lambda pair: (pair.first, pair.second))


def confirm(
    found: Scan, rows: np.ndarray, on_progress: Callable[[int, int], None] | None = None
) -> dict[tuple[int, int], Alignment]:
    """Pairs that show one photograph, by landmarks first, then by hashes and embeddings.

    Args:
        found: What is known of the cells.
        rows: The cells to search, shape (m,), in order, each picture once.
        on_progress: Called with (candidates done, candidates in all).

    Returns:
        Two rows of the manifest, the smaller first -> how they lie over each other.
    """
    alike = find_alike([found.landmarks[row] for row in rows])
    by_hash = find_candidates(found, rows).tolist()
    total = len(alike) + len(by_hash)
    same: dict[tuple[int, int], Alignment] = {}

    def compare(pair: tuple[int, int], has_landmarks: bool) -> None:
        if pair in same:
            return
        pictures = found.picture(pair[0]), found.picture(pair[1])
        if has_landmarks:
            landmarks = found.landmarks[pair[0]], found.landmarks[pair[1]]
            alignment = align_landmarks(*pictures, landmarks)
        else:
            alignment = align(*pictures)
        if alignment is not None and alignment.is_same:
            same[pair] = alignment

    for done in range(total):
        if done < len(alike):
            a, b = alike[done]
            compare((int(rows[a]), int(rows[b])), True)
        else:
            first, second = by_hash[done - len(alike)]
            compare((first, second), False)
        if on_progress is not None and (done % 256 == 255 or done + 1 == total):
            on_progress(done + 1, total)
    return same


def photographs(found: Scan, on_progress: Callable[[int, int], None] | None = None) -> np.ndarray:
    """What each cell shows, as the number of the first row that shows it, shape (n,), int64.

    Args:
        found: What is known of n cells.
        on_progress: Called with (candidates done, candidates in all).
    """
    links = [(pair.first, pair.second) for pair in _exact(found)]
    copies = {second for _, second in links}
    rows = np.array([row for row in np.flatnonzero(found.is_good) if row not in copies], np.int64)
    links += confirm(found, rows, on_progress)
    shown = np.arange(len(found.reasons))
    pairs = [Pair(first, second, "picture") for first, second in links]
    for members, _ in group(pairs):
        shown[members] = members[0]
    return shown


def group(pairs: Sequence[Pair]) -> list[tuple[list[int], list[Pair]]]:
    """Cells that hang together by pairs: each group's rows in order, and its pairs."""
    leader: dict[int, int] = {}

    def lead(row: int) -> int:
        while leader.setdefault(row, row) != row:
            leader[row] = leader[leader[row]]
            row = leader[row]
        return row

    for pair in pairs:
        a, b = sorted((lead(pair.first), lead(pair.second)))
        leader[b] = a
    groups: dict[int, tuple[list[int], list[Pair]]] = {}
    for row in sorted(leader):
        groups.setdefault(lead(row), ([], []))[0].append(row)
    for pair in pairs:
        groups[lead(pair.first)][1].append(pair)
    return list(groups.values())


def difference(first: np.ndarray, second: np.ndarray, found: np.ndarray) -> float:
    """Root mean square difference of two aligned photographs.

    Of a freely turned one the corners are left out: they are filled in.

    Args:
        first: Shape (h, w, 3), uint8.
        second: Any shape (h', w', 3), uint8.
        found: Warp of their `Alignment`.

    Returns:
        In gray levels, 0-255, where they overlap.
    """
    side = COMPARE_PX
    grays = [
        cv2.resize(
            cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (side, side), interpolation=cv2.INTER_AREA
        ).astype(np.float32)
        for image in (first, second)
    ]
    laid, covered = warp.lay_over(grays[1], found)
    if warp.tilt_of(found) > STILL:
        height, width = second.shape[:2]
        covered &= overlay.round_part(
            (width / max(height, width), height / max(height, width)), found, side
        )
    return float(np.sqrt(np.mean((grays[0] - laid)[covered] ** 2)))


def _exact(found: Scan) -> list[Pair]:
    pairs = []
    first_of: dict[str, int] = {}
    for row, pixel in enumerate(found.pixels):
        first = first_of.setdefault(pixel, row) if pixel else row
        if first != row:
            kind: Kind = "file" if found.files[first] == found.files[row] else "pixels"
            pairs.append(Pair(first, row, kind))
    return pairs


def _describe(manifest: Manifest, first: int, second: int, alignment: Alignment) -> Pair:
    images = [read(ref) for ref in manifest.subset(np.array([first, second])).refs()]
    apart = difference(images[0], images[1], alignment.warp)
    is_degraded = apart >= DEGRADED_FROM
    changes = []
    is_mirrored, turn = warp.turn_of(alignment.warp)
    if is_mirrored:
        changes.append("mirrored")
    if abs(turn) >= TURNED_FROM:
        changes.append(f"turned by {abs(turn):.0f} degrees")
    smaller = min(alignment.scale, 1 / alignment.scale)
    is_shifted = smaller >= SHIFTED_FROM and warp.centre_shift(alignment.warp) >= STILL
    if is_shifted:
        changes.append("the field is shifted")
    elif smaller < SHIFTED_FROM:
        changes.append(f"cropped to {smaller:.0%} of a side")
    if is_degraded:
        changes.append(f"degraded or lit otherwise ({apart:.0f} gray levels apart)")
    return Pair(
        first,
        second,
        "picture",
        alignment.correlation,
        apart,
        tuple(changes or ["encoded or resized anew"]),
        is_degraded,
        is_shifted,
    )
