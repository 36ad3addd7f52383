"""Cells a second from JPEG files to embeddings: OpenVINO against torch in fp32, and a plain loop.

    python -m benchmarks.embedding_speed PBC-LT/phase1 --out benchmarks/results/embed/speed.json

All embed the same files with the same weights at the same size, in turns in one process. The plain
loop is what one writes first: a file is decoded, then the network runs eagerly in fp32 with its
batch norms, then comes the next file. The other two decode ahead in a thread.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from buffycoat.backbones.prefetch import prefetch
from buffycoat.config import EmbedConfig, ImagesConfig
from buffycoat.embed.encoder import Encoder
from buffycoat.embed.encoders import build_encoder
from buffycoat.images import list_images, read, to_work, write_atomic

CHUNK = 32
"""Cells that are decoded while the ones before them are embedded."""

Embed = Callable[[Sequence[Path]], np.ndarray]


def decode(paths: Sequence[Path]) -> np.ndarray:
    """Working images, as `predict` makes them."""
    sizes = ImagesConfig()
    return np.stack([to_work(read(path), sizes.work_px, sizes.frame_fraction) for path in paths])


def plain(encoder: Encoder) -> Embed:
    """One file after the other through the encoder's network as it was built."""

    @torch.inference_mode()
    def embed(paths: Sequence[Path]) -> np.ndarray:
        inputs = (np.ascontiguousarray(encoder.inputs(decode([path]))) for path in paths)
        rows = [encoder.network(torch.from_numpy(one)) for one in inputs]
        return F.normalize(torch.cat(rows), dim=1).numpy()

    return embed


def ahead(encoder: Encoder) -> Embed:
    """The encoder, with files decoded in a thread."""

    def embed(paths: Sequence[Path]) -> np.ndarray:
        starts = range(0, len(paths), CHUNK)
        decoded = prefetch(decode(paths[start : start + CHUNK]) for start in starts)
        return np.concatenate([encoder.encode(images) for images in decoded])

    return embed


def measure(paths: Sequence[Path], config: EmbedConfig, rounds: int) -> dict[str, Any]:
    """Rates of each arm, and how far OpenVINO's embeddings are from those of torch."""
    by_torch = build_encoder(config.model_copy(update={"engine": "torch"}))
    by_openvino = build_encoder(config.model_copy(update={"engine": "openvino"}))
    arms = {"plain": plain(by_torch), "torch": ahead(by_torch), "openvino": ahead(by_openvino)}
    embeddings = {name: embed(paths[:CHUNK]) for name, embed in arms.items()}  # the first is slow
    rates: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(rounds):
        for name, embed in arms.items():
            start = time.perf_counter()
            embeddings[name] = embed(paths)
            rates[name].append(len(paths) / (time.perf_counter() - start))
    cosine = (embeddings["openvino"] * embeddings["torch"]).sum(axis=1)
    return {
        "encoder": config.encoder,
        "input_px": config.input_px,
        "precision": by_openvino.settings()["precision"],
        "threads": torch.get_num_threads(),
        "cells": len(paths),
        "cells_per_second": rates,
        "ratio_to_plain": _ratio(rates["openvino"], rates["plain"]),
        "ratio_to_torch": _ratio(rates["openvino"], rates["torch"]),
        "cosine_least": float(cosine.min()),
        "cosine_mean": float(cosine.mean()),
    }


def _ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """Median over rounds."""
    return float(np.median(np.array(one) / np.array(other)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Speed of embedding, decoding included.")
    parser.add_argument("folder", type=Path, help="images; searched at any depth")
    parser.add_argument("--encoder", default=EmbedConfig().encoder)
    parser.add_argument("--weights", default=EmbedConfig().weights)
    parser.add_argument("--input-px", type=int, default=224)
    parser.add_argument("--cells", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = list_images(options.folder)
    chosen = np.linspace(0, len(found) - 1, min(options.cells, len(found))).round().astype(int)
    config = EmbedConfig(
        encoder=options.encoder, weights=options.weights, input_px=options.input_px
    )
    result = measure([found[row] for row in chosen], config, options.rounds)
    for name, rates in result["cells_per_second"].items():
        print(f"{name:<10}{np.median(rates):8.1f} cells/s ({min(rates):.1f} to {max(rates):.1f})")
    print(
        f"OpenVINO in {result['precision']}: {result['ratio_to_plain']:.1f} times the plain loop, "
        f"{result['ratio_to_torch']:.1f} times torch; least cosine {result['cosine_least']:.4f}"
    )
    if options.out:
        write_atomic(options.out, (json.dumps(result, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
