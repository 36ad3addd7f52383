"""Pairs, their kinds and groups; candidates against a slow search."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from buffycoat.audit import candidates, pairs, perceptual
from buffycoat.audit.pairs import Pair, difference, find_pairs, group, photographs
from buffycoat.audit.scan import scan
from buffycoat.audit.warp import of_orientation
from buffycoat.sources.read import read


@pytest.fixture(scope="module")
def scanned(clean_folder):
    manifest = read(clean_folder.folder, "images")
    return manifest, scan(manifest, workers=1)


def test_candidates_are_those_of_a_slow_search(scanned, monkeypatch) -> None:
    manifest, found = scanned
    monkeypatch.setattr(candidates, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(candidates, "FRAME_AT_LEAST", 0.3)
    monkeypatch.setattr(candidates, "CELL_AT_LEAST", 0.3)
    rows = np.flatnonzero(np.arange(len(manifest)) % 5)
    expected = set()
    for hashes in (found.frame_hashes.astype(int), found.cell_hashes.astype(int)):
        for a in rows:
            scores = {
                b: max(perceptual.orient_hashes(hashes[a], o) @ hashes[b] for o in range(8))
                for b in rows
                if b != a
            }
            least = sorted(scores.values())[-candidates.NEAREST]
            near = [b for b, s in scores.items() if s > least and s >= 0.3 * perceptual.BITS]
            expected |= {(min(a, b), max(a, b)) for b in near}
    got = candidates.find_candidates(found, rows)
    assert expected <= {(a, b) for a, b in got.tolist()}
    assert len(got) <= 2 * candidates.NEAREST * len(rows)
    assert (got[:, 0] < got[:, 1]).all()


def test_a_clean_set_has_no_pairs(scanned) -> None:
    assert find_pairs(*scanned) == []
    assert photographs(scanned[1]).tolist() == list(range(len(scanned[0])))


def test_embeddings_lead_to_a_copy_that_nothing_else_does(cells, monkeypatch) -> None:
    """A fake embedder says that two are alike; landmarks and hashes are kept from saying so."""
    source = cells.of("eval", "LY")[0]
    image = cells.image(source)
    cells.add(image.crop((36, 36, 112, 112)).resize(image.size), "train", "LY", "9001.jpg")
    rng = np.random.default_rng(0)
    of_image: dict[bytes, np.ndarray] = {}

    def embed(photographs, um_per_px=None):
        rows = []
        for one in photographs:
            key = one.tobytes()
            rows.append(of_image.setdefault(key, rng.normal(size=64)))
        vectors = np.array(rows)
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    from buffycoat import images

    shared = rng.normal(size=64)
    for name in (source["path"], "9001.jpg"):
        of_image[images.read(cells.folder / name).tobytes()] = shared
    monkeypatch.setattr(pairs, "find_alike", lambda _: [])
    without, with_embeddings = cells.audit(), cells.audit(embed=embed)
    assert without.is_clean
    assert [one.name for one in with_embeddings.of_state("found")] == ["near_duplicates"]
    assert "and from embeddings" in with_embeddings.searched


def test_frames_that_are_shifted_may_have_two_labels(cells) -> None:
    """A quarter of the field apart, another cell may be in the centre."""
    source = cells.of("train", "SNE")[0]
    image = np.asarray(cells.image(source))
    wide = np.pad(image, ((0, 0), (0, 16), (0, 0)), mode="reflect")
    cells.add(Image.fromarray(wide[:, 16:]), "train", "LY", "9001.jpg")
    [found] = cells.audit().of_state("found")
    assert found.name == "near_duplicates"  # kept in one fold all the same
    assert "the field is shifted" in found.looked.findings[0].message


def test_groups_hang_together_by_pairs() -> None:
    pairs = [Pair(0, 4, "file"), Pair(4, 7, "picture"), Pair(2, 3, "pixels"), Pair(1, 7, "picture")]
    assert group(pairs) == [
        ([0, 1, 4, 7], [pairs[0], pairs[1], pairs[3]]),
        ([2, 3], [pairs[2]]),
    ]
    assert group([]) == []


def test_the_difference_is_in_gray_levels() -> None:
    dark = np.full((50, 70, 3), 100, np.uint8)
    assert difference(dark, dark + 12, of_orientation(0)) == pytest.approx(12, abs=0.01)
    assert difference(dark, dark[:, ::-1], of_orientation(1)) == 0
