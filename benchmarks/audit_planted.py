"""Which planted copies an audit finds, by kind and strength, beside other tools on one folder.

    python -m benchmarks.audit_planted plant FOLDER --data ../shared/pbc-lt --planted 100
    python -m benchmarks.audit_planted search FOLDER --out pairs.csv
    python -m benchmarks.audit_planted score FOLDER pairs.csv --out recall.csv

`plant` copies the training cells of a data set (held-out cells are never touched), or rendered
cells, into FOLDER and adds changed copies, `--planted` of each kind and strength. `search` lists
the pairs that the audit finds, as `benchmarks/audit_rivals.py` does for other tools. `score` counts
a copy as found if it is in one group with its photograph, and lists the pairs of two photographs.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from buffycoat.evaluate.proportion import clopper_pearson
from buffycoat.simulate.render import LONG_TAIL_COUNTS, render_cell
from buffycoat.sources.read import read

SEED = 0
RENDERED_PX = 160
TRUTH = "truth.csv"
FILLS = ((235, 215, 210), (0, 0, 0), (255, 255, 255))
"""What turned copies have in their corners: the colour of a smear, black, white."""
Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def _turn(degrees: float) -> Change:
    def change(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        fill = FILLS[int(rng.integers(len(FILLS)))]
        return image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=fill)

    return change


def _crop(share: float, is_centred: bool = False) -> Change:
    def change(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        side = round(share * min(image.size))
        room = np.array(image.size) - side
        left, top = (room // 2 if is_centred else rng.integers(0, room + 1)).tolist()
        cut = image.crop((left, top, left + side, top + side))
        return cut.resize(image.size, Image.Resampling.BICUBIC)

    return change


def _light(gain: float) -> Change:
    return lambda image, _: ImageEnhance.Brightness(image).enhance(gain)


def _both(*changes: Change) -> Change:
    def change(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        for one in changes:
            image = one(image, rng)
        return image

    return change


def _mirror(image: Image.Image, _: np.random.Generator) -> Image.Image:
    return ImageOps.mirror(image)


def _small(image: Image.Image, _: np.random.Generator) -> Image.Image:
    return image.resize((128, 128), Image.Resampling.BICUBIC)


def _same(image: Image.Image, _: np.random.Generator) -> Image.Image:
    return image


KINDS: dict[str, dict[str, Change]] = {
    "turned": {f"{degrees}": _turn(degrees) for degrees in range(0, 181, 15)},
    "mirrored": {"": _mirror, "and turned by 40": _both(_mirror, _turn(40))},
    "turned by 25 and cropped": {
        f"{share}": _both(_turn(25), _crop(share)) for share in (0.85, 0.7, 0.6)
    },
    "light": {f"x{gain}": _light(gain) for gain in (0.5, 0.7, 1.3, 1.6, 1.8, 2.0, 2.2)},
    "light x1.6 and turned by 30": {"": _both(_light(1.6), _turn(30))},
    "cropped anywhere": {f"{share}": _crop(share) for share in (0.9, 0.8, 0.7, 0.6)},
    "cropped around the centre": {f"{share}": _crop(share, True) for share in (0.6, 0.5)},
    "JPEG": {"30": _same},
    "resized": {"to 128": _small, "to 128, turned by 20": _both(_small, _turn(20))},
}
"""Kind -> strength -> what is done to a copy."""
QUALITY = {"JPEG": 30}
"""Of the copy's file; 92 for the other kinds."""


def plant(folder: Path, data: Path | None, cells: int, planted: int) -> None:
    """Write photographs and copies, and which copy shows what."""
    (folder / "photographs").mkdir(parents=True)
    (folder / "copies").mkdir()
    names = list(_photographs(folder / "photographs", data, cells))
    rng = np.random.default_rng(SEED)
    with (folder / TRUTH).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["copy", "photograph", "kind", "strength"])
        turn = 0
        order = rng.permutation(len(names))
        for kind, strengths in KINDS.items():
            for strength, change in strengths.items():
                for _ in range(planted):  # each photograph has its turn before any has two
                    name = names[order[turn % len(names)]]
                    with Image.open(folder / "photographs" / name) as image:
                        copy = change(image.convert("RGB"), rng)
                    target = f"c{turn:05d}.jpg"
                    copy.save(folder / "copies" / target, quality=QUALITY.get(kind, 92))
                    writer.writerow([target, name, kind, strength])
                    turn += 1


def _photographs(folder: Path, data: Path | None, cells: int) -> Iterable[str]:
    if data is None:
        codes = list(LONG_TAIL_COUNTS)
        for index in range(cells):
            rng = np.random.default_rng([SEED, index])
            image = render_cell(codes[index % len(codes)], rng, RENDERED_PX).image
            Image.fromarray(image).save(folder / f"p{index:05d}.png")
            yield f"p{index:05d}.png"
        return
    paths = read(data).of_split("train").column("path")[:cells]
    for index, path in enumerate(map(Path, paths)):
        name = f"p{index:05d}{path.suffix}"
        shutil.copy(path, folder / name)
        yield name


def search(folder: Path, out: Path, has_embeddings: bool) -> dict[str, float]:
    """Write the pairs that the audit finds; seconds of reading and of comparing."""
    from buffycoat.audit.pairs import find_pairs
    from buffycoat.audit.scan import scan

    embed = None
    if has_embeddings:
        from buffycoat.predict.embedder import make_embedder
        from buffycoat.predict.predictor import Pipeline

        embed = make_embedder(Pipeline.load("starter").fitted, out.parent / "embeddings")
    manifest = read(folder, "images")
    clocks = [(time.perf_counter(), time.process_time())]
    found = scan(manifest, embed)
    clocks.append((time.perf_counter(), time.process_time()))
    pairs = find_pairs(manifest, found)
    clocks.append((time.perf_counter(), time.process_time()))
    names = [Path(str(path)).name for path in manifest.column("path")]
    with out.open("w", newline="") as file:
        csv.writer(file).writerows([[names[p.first], names[p.second]] for p in pairs])
    (start, read_at, done) = clocks
    return {
        "cells": len(manifest),
        "read_s": read_at[0] - start[0],
        "compare_s": done[0] - read_at[0],
        "cpu_s": done[1] - start[1],
    }


def score(folder: Path, pairs: Path) -> tuple[list[dict[str, object]], list[tuple[str, str]]]:
    """Recall by kind and strength with exact 95 % limits, and the pairs of two photographs."""
    with (folder / TRUTH).open(newline="") as file:
        truth = list(csv.DictReader(file))
    shows = {row["copy"]: row["photograph"] for row in truth}
    with pairs.open(newline="") as file:
        found = [(first, second) for first, second in csv.reader(file)]
    false = [(a, b) for a, b in found if shows.get(a, a) != shows.get(b, b)]
    group = _groups([pair for pair in found if pair not in set(false)])
    rows: list[dict[str, object]] = []
    for kind, strengths in KINDS.items():
        for strength in strengths:
            planted = [r for r in truth if (r["kind"], r["strength"]) == (kind, strength)]
            hits = [
                row["copy"] in group and group[row["copy"]] == group.get(row["photograph"])
                for row in planted
            ]
            low, high = clopper_pearson(sum(hits), len(hits)) if hits else (0.0, 1.0)
            rows.append(
                {
                    "kind": kind,
                    "strength": strength,
                    "planted": len(hits),
                    "found": sum(hits),
                    "recall": round(sum(hits) / max(len(hits), 1), 3),
                    "low": round(float(low), 3),
                    "high": round(float(high), 3),
                }
            )
    return rows, false


def _groups(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Name -> the name that its group goes by."""
    leader: dict[str, str] = {}

    def lead(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    for a, b in pairs:
        leader[lead(a)] = lead(b)
    return {name: lead(name) for name in leader}


def main() -> None:
    """Plant, search or score."""
    parser = argparse.ArgumentParser(description="Planted copies, and who finds them.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("plant")
    one.add_argument("folder", type=Path)
    one.add_argument("--data", type=Path, help="its training cells are taken; default: rendered")
    one.add_argument("--cells", type=int, default=10**6, help="at most")
    one.add_argument("--planted", type=int, default=100, help="copies of each kind and strength")
    one = commands.add_parser("search")
    one.add_argument("folder", type=Path)
    one.add_argument("--embedding", action="store_true", help="use the starter's encoder too")
    one.add_argument("--out", type=Path, required=True)
    one = commands.add_parser("score")
    one.add_argument("folder", type=Path)
    one.add_argument("pairs", type=Path)
    one.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.command == "plant":
        plant(options.folder, options.data, options.cells, options.planted)
    elif options.command == "search":
        print(json.dumps(search(options.folder, options.out, options.embedding)))
    else:
        rows, false = score(options.folder, options.pairs)
        for row in rows:
            print(*row.values(), sep="\t")
        print(f"{len(false)} pairs of two photographs: {false[:10]}")
        if options.out:
            with options.out.open("w", newline="") as file:
                writer = csv.DictWriter(file, rows[0])
                writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    main()
