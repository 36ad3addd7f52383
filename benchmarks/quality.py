"""How near restored images are to clean ones: PSNR and SSIM, and how sure their means are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from benchmarks.twins import Twins
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from buffycoat.simulate.degrade import GROUPS

Array = np.ndarray[Any, Any]

PSNR_CEILING_DB = 60.0
"""An image equal to its clean twin has infinite PSNR, which no mean survives; it counts as this,
which is an error of one gray level in one value of fifteen."""
DATA_RANGE = 255
N_RESAMPLES = 2000
TAIL = 0.025


def compare(clean: Array, found: Array, threads: int = 2) -> dict[str, Array]:
    """Error of each image against its clean twin.

    Args:
        clean: Shape (n, h, w, 3), uint8.
        found: Same shape.
        threads: Images compared at a time.

    Returns:
        "mse" (gray levels squared), "psnr" (dB, at most `PSNR_CEILING_DB`) and "ssim" (at most
        1), each of shape (n,).
    """

    def of_pair(row: int) -> tuple[float, float, float]:
        one, other = clean[row], found[row]
        mse = float(np.mean((one.astype(np.float64) - other) ** 2))
        psnr = PSNR_CEILING_DB
        if mse > 0:
            psnr = float(peak_signal_noise_ratio(one, other, data_range=DATA_RANGE))
        # It gives a tuple only where maps are asked for.
        ssim: Any = structural_similarity(one, other, channel_axis=2, data_range=DATA_RANGE)
        return mse, min(psnr, PSNR_CEILING_DB), float(ssim)

    with ThreadPoolExecutor(threads) as pool:
        table = np.array(list(pool.map(of_pair, range(len(clean))))).reshape(-1, 3)
    return dict(zip(("mse", "psnr", "ssim"), table.T, strict=True))


def psnr_of_mean(mse: Array) -> float:
    """PSNR of the mean squared error over all pixels of all images, dB, with the same ceiling."""
    mean = float(np.mean(mse))
    if mean == 0:
        return PSNR_CEILING_DB
    return min(float(10 * np.log10(DATA_RANGE**2 / mean)), PSNR_CEILING_DB)


def mean_interval(values: Array, cells: Array, seed: int = 0) -> dict[str, Any]:
    """Mean with its 95 % percentile interval; a cell is resampled with all of its rows.

    Args:
        values: Shape (n,).
        cells: Which cell each row shows, shape (n,).
        seed: Of the resamples.

    Returns:
        "mean", "low", "high", "n" rows and "cells".
    """
    names, of_cell = np.unique(cells, return_inverse=True)
    sums = np.bincount(of_cell, weights=values)
    counts = np.bincount(of_cell)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), N_RESAMPLES)
    low, high = np.quantile((drawn @ sums) / (drawn @ counts), [TAIL, 1 - TAIL])
    return {
        "mean": float(np.mean(values)),
        "low": float(low),
        "high": float(high),
        "n": len(values),
        "cells": len(names),
    }


def groups(twins: Twins) -> Iterator[tuple[str, Array]]:
    """Rows of each line of a table: severities, and kinds with their groups where known."""
    if not (twins.kind != "").all():
        yield from twins.by_severity()
        return
    found = set(twins.kind)
    for group, kinds in GROUPS.items():
        present = [kind for kind in kinds if kind in found]
        yield from ((kind, twins.kind == kind) for kind in present)
        if present:
            yield f"{group}, all", np.isin(twins.kind, present)
    yield "all", np.full(len(twins), True)


def tabulate(
    scores: Mapping[str, Mapping[str, Array]], twins: Twins, ours: tuple[str, ...]
) -> dict[str, Any]:
    """Means of every method, and what ours have over each other one, by severity or kind.

    Args:
        scores: Method -> "mse", "psnr", "ssim" and "changed", each of shape (n,).
        twins: The cells scored.
        ours: The methods that are compared with all others.

    Returns:
        Group -> "n", "methods" and "differences" (ours minus other, on the same cells).
    """
    table: dict[str, Any] = {}
    for name, rows in groups(twins):
        cells = twins.cell[rows]
        methods = {
            method: {
                "psnr": mean_interval(found["psnr"][rows], cells),
                "ssim": mean_interval(found["ssim"][rows], cells),
                "psnr_of_mean_mse": psnr_of_mean(found["mse"][rows]),
                "share_changed": float(np.mean(found["changed"][rows])),
            }
            for method, found in scores.items()
        }
        differences = {
            our: {
                other: {
                    unit: mean_interval(scores[our][unit][rows] - found[unit][rows], cells)
                    for unit in ("psnr", "ssim")
                }
                for other, found in scores.items()
                if other not in ours
            }
            for our in ours
        }
        table[name] = {
            "n": int(rows.sum()), "methods": methods, "differences": differences,
        }  # fmt: skip
    return table


def gap(group: Mapping[str, Any], our: str) -> dict[str, Any]:
    """What ours have over the best other method of a group, in dB."""
    others = group["differences"][our]
    best = max(others, key=lambda name: group["methods"][name]["psnr"]["mean"])
    return {"best_other": best, **others[best]["psnr"]}


def markdown(table: Mapping[str, Any]) -> str:
    """A table for people: a line a method, a column a group, "PSNR in dB / SSIM"."""
    names = list(table)
    head = ["| PSNR in dB / SSIM | " + " | ".join(names) + " |", "|-" * (len(names) + 1) + "|"]
    head.append("| cells | " + " | ".join(str(table[name]["n"]) for name in names) + " |")
    methods = table[names[0]]["methods"]
    for method in methods:
        found = [table[name]["methods"][method] for name in names]
        figures = [f"{m['psnr']['mean']:.1f} / {m['ssim']['mean']:.3f}" for m in found]
        head.append(f"| {method} | " + " | ".join(figures) + " |")
    return "\n".join(head)
